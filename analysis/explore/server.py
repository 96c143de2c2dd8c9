"""The explorer on this machine: an HTTP server on the loopback address alone.

    with make_server(study, port=0) as server:
        print(address_of(server))          # http://127.0.0.1:40123/
        server.serve_forever()

It answers GET and HEAD for the page's own files and for documents by name; no request names a path of the disk. The Host
header must be this server's own: a page of another site whose name was made to point here (DNS rebinding) reads nothing.
"""

from __future__ import annotations

import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from analysis.explore.documents import Documents
from analysis.explore.opened import Opened
from analysis.explore.page import POLICY, Asset, assets
from analysis.explore.static import DATA, PAGE

LOOPBACK = "127.0.0.1"
HEADERS = {
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Server(ThreadingHTTPServer):
    """Serves one set of opened studies."""

    daemon_threads = True

    def __init__(self, study: Opened, *, port: int) -> None:
        """Raises OSError where the port is taken."""
        super().__init__((LOOPBACK, port), Handler)
        self.files = assets()
        self.documents = Documents(study)
        self.hosts = {f"{name}:{self.server_port}" for name in (LOOPBACK, "localhost")}

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that goes on before it has its answer is no fault; what is one is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    def find(self, path: str) -> Asset | None:
        """What stands at a path of the address; None for nothing."""
        name = path.removeprefix("/") or PAGE
        if name.startswith(f"{DATA}/"):
            content = self.documents.get(name.removeprefix(f"{DATA}/"))
            return None if content is None else Asset(content, "application/gzip")
        return self.files.get(name)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server
    server_version, sys_version = "rft", ""

    def do_GET(self) -> None:
        """Answer with headers and content."""
        self._answer(with_content=True)

    def do_HEAD(self) -> None:
        """Answer with headers."""
        self._answer(with_content=False)

    def _answer(self, *, with_content: bool) -> None:
        if self.headers.get_all("Host") not in [[host] for host in self.server.hosts]:
            self._send(HTTPStatus.FORBIDDEN, Asset(b"not the name of this server", "text/plain"), with_content=True)
            return
        try:
            found = self.server.find(urlsplit(self.path).path)
        except (ValueError, OSError) as error:  # a study that changed since it was opened
            content = f"cannot be read: {error}".encode()
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, Asset(content, "text/plain"), with_content=with_content)
            return
        if found is None:
            self._send(HTTPStatus.NOT_FOUND, Asset(b"no such page", "text/plain"), with_content=with_content)
        else:
            self._send(HTTPStatus.OK, found, with_content=with_content)

    def _send(self, status: HTTPStatus, asset: Asset, *, with_content: bool) -> None:
        self.send_response(status)
        self.send_header("Content-Type", asset.kind)
        self.send_header("Content-Length", str(len(asset.content)))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        if with_content:
            self.wfile.write(asset.content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the terminal belongs to the user."""


def make_server(study: Opened, *, port: int) -> Server:
    """A server that is bound and does not serve yet; port 0: any free one."""
    return Server(study, port=port)


def address_of(server: Server) -> str:
    """Where it is reached."""
    return f"http://{LOOPBACK}:{server.server_port}/"
