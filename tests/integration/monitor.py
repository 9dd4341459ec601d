"""A monitor of cron jobs: a real HTTP server that keeps what it hears."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Heard(NamedTuple):
    """One request."""

    method: str
    path: str  # without the run's id
    run: str  # that id
    event: str
    body: str


class Monitor:
    """Listens on a port of its own until it is closed."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.status = 200
        self.open = threading.Event()
        """Requests are answered while this is set."""
        self.open.set()
        monitor = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                monitor._take(self)

            def do_GET(self) -> None:
                monitor._take(self)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [each.path for each in self.heard]

    def close(self) -> None:
        """Listen no more."""
        self.open.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _take(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", 0))).decode()
        path, _, run = request.path.partition("rid=")
        event = request.headers["Idempotency-Key"]
        method = request.command
        self.heard.append(Heard(method, path.rstrip("?&"), run, event, body))
        self.open.wait(60)
        request.send_response(self.status)
        request.end_headers()
