"""Servers on loopback that say what a test tells them to, as JSON.

with json_server(lambda asked: (200, {"path": asked.path})) as url:     # "http://127.0.0.1:43210"
    ...
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Asked:
    """One request."""

    path: str
    body: bytes  # empty without one
    headers: dict[str, str]


Answering = Callable[[Asked], tuple[int, Any]]  # status, JSON value


@contextmanager
def json_server(answer: Answering) -> Iterator[str]:
    """Its address, while it answers GET and POST, each request in a thread of its own."""
    server = _Server(("127.0.0.1", 0), type("Answers", (_Handler,), {"answer": staticmethod(answer)}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that went away


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answer: Answering

    def do_GET(self) -> None:
        self._reply()

    def do_POST(self) -> None:
        self._reply()

    def _reply(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"] or 0))
        status, value = type(self).answer(Asked(self.path, body, dict(self.headers)))
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass
