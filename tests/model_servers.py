"""Servers with OpenAI's interface on loopback: a real one (`transformers serve`), and one that says what a test tells it to.

with transformers_server(folder) as url: ...            # needs the extra `openai`, fastapi and uvicorn
with scripted_server(answer) as url: ...                # answer(path, body) -> (status, JSON value)
"""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from rft.config import ServerKind
from rft.core.sampling.openai_client import Endpoint

Answer = Callable[[str, dict[str, Any]], tuple[int, Any]]
WAIT_S = 60.0


@contextmanager
def scripted_server(answer: Answer) -> Iterator[str]:
    """The body of a GET is empty; `headers` of a request stand in it under that name."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._reply({})

        def do_POST(self) -> None:
            self._reply(json.loads(self.rfile.read(int(self.headers["content-length"]))))

        def _reply(self, body: dict[str, Any]) -> None:
            status, value = answer(self.path, {**body, "headers": dict(self.headers)})
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # a client that went away

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def completion(
    text: str | None = "r 1", *, finish: Any = "stop", model: str = "m", tokens: int = 3, **more: Any
) -> Any:
    """A reply of /v1/completions."""
    choice = {"index": 0, "text": text, "finish_reason": finish, "logprobs": None}
    usage = {"prompt_tokens": 5, "completion_tokens": tokens, "total_tokens": 5 + tokens}
    plain = {"id": "1", "object": "text_completion", "created": 0, "model": model, "choices": [choice], "usage": usage}
    return plain | more


def chat(text: str | None = "r 1", *, finish: Any = "stop", refusal: str | None = None, **more: Any) -> Any:
    """A reply of /v1/chat/completions."""
    message = {"role": "assistant", "content": text, "refusal": refusal}
    choices = [{"index": 0, "message": message, "finish_reason": finish}]
    return completion() | {"object": "chat.completion", "choices": choices} | more


@contextmanager
def transformers_server(folder: Path) -> Iterator[str]:
    """In this process: what it imports is there already, and it is ready in about a second."""
    from transformers.cli.serve import Serve

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    server = Serve(str(folder), device="cpu", dtype="float32", host="127.0.0.1", port=port, non_blocking=True)
    try:
        wait_for(f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.kill_server()


def wait_for(url: str, *, until_s: float = WAIT_S) -> None:
    """Until the address answers."""
    until = time.monotonic() + until_s
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as found:
                found.read()
            return
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def served_by_transformers(url: str, folder: Path, **changes: Any) -> Endpoint:
    """One request at a time, since its seeds are those of the process."""
    given: dict[str, Any] = {"kind": ServerKind.transformers, "concurrency": 1} | changes
    return Endpoint(url, str(folder), **given)
