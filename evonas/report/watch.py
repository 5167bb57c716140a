"""The page of a running search, served on this machine and brought up to date while somebody looks."""

import hashlib
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from evonas.errors import UserError
from evonas.report.data import document
from evonas.report.page import page, to_json
from evonas.runs.run import Run

HOST = "127.0.0.1"
SHARE = 0.1  # of the time is spent on reading the run: the search may need the machine
LEAST_S = 1.0
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def serve(run: str, port: int, say: Callable[[str], None]) -> None:
    """Serve until it is interrupted. port: 0 is any that is free.

    Raises:
        UserError: it is no run, or the port is taken.
    """
    with ReportServer(run, port) as server:
        say(f"{server.url} follows {run}; ctrl-C ends it")
        server.serve_forever()


class ReportServer(ThreadingHTTPServer):
    """GET / is the page, GET /data the newest document; nothing else, and for this machine only."""

    daemon_threads = True

    def __init__(self, run: str, port: int) -> None:
        self.source = Source(run)
        try:
            super().__init__((HOST, port), Handler)
        except (OSError, OverflowError) as error:
            raise UserError(f"cannot listen on port {port}: {getattr(error, 'strerror', None) or error}") from None
        self.port = self.server_address[1]
        self.url = f"http://{HOST}:{self.port}/"


class Source:
    """The document of a run, read again when it is asked for and old enough."""

    def __init__(self, run: str) -> None:
        self._run, self._lock, self._next = run, threading.Lock(), 0.0
        self.text, self.tag, self.trouble = "", "", ""
        self._read()

    def newest(self) -> tuple[str, str]:
        """The JSON, and a tag that changes when it does."""
        with self._lock:
            if time.monotonic() >= self._next:
                try:
                    self._read()
                except (UserError, OSError) as error:  # read between two files of one commit; what was known stands
                    self._next, self.trouble = time.monotonic() + LEAST_S, str(error)
            return self.text, self.tag

    def _read(self) -> None:
        began = time.monotonic()
        self.text = to_json(document(Run(self._run)))
        self.tag = f'"{hashlib.sha256(self.text.encode()).hexdigest()[:32]}"'
        self.trouble = ""
        self._next = time.monotonic() + max(LEAST_S, (time.monotonic() - began) / SHARE)


class Handler(BaseHTTPRequestHandler):
    server: ReportServer
    server_version, sys_version = "evonas", ""
    timeout = 60

    def do_GET(self) -> None:
        known = {f"{name}:{self.server.port}" for name in (HOST, "localhost")}
        if self.headers.get("Host") not in known:  # a foreign page may have its own name resolve to this machine
            return self._answer(403, "text/plain", "this page is for this machine only")
        if self.path == "/":
            return self._answer(200, "text/html", page(self.server.source.newest()[0], follow=True))
        if self.path == "/data":
            return self._data()
        return self._answer(404, "text/plain", "there is / and /data")

    def _data(self) -> None:
        text, tag = self.server.source.newest()
        if trouble := self.server.source.trouble:
            return self._answer(503, "application/json", json.dumps(trouble))
        if self.headers.get("If-None-Match") == tag:
            return self._answer(304, "application/json", "", tag)
        return self._answer(200, "application/json", text, tag)

    def _answer(self, status: int, kind: str, text: str, tag: str = "") -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        if tag:
            self.send_header("ETag", tag)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None: ...
