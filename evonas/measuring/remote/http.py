"""The HTTP side of a measuring server: which requests it answers, in which order, and how many bytes it holds."""

import json
import platform
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from evonas.errors import UserError
from evonas.measuring.backends.backend import BACKENDS
from evonas.measuring.benchmark import PROTOCOL
from evonas.measuring.remote import protocol
from evonas.measuring.remote.authentication import Authentication
from evonas.measuring.remote.measuring_process import MeasureResponse
from evonas.measuring.remote.request_queue import RequestQueue
from evonas.text import one_line

SILENT_S = 60.0
"""A client that sends nothing for so long, in the middle of a request, is given up."""
STRANGER_S = 10.0
"""A connection that has not shown the token and sends nothing for so long is closed."""
SHORTEST_BEAT_S = 0.1
"""Shortest time between two signs of life."""
STATUS = {"user": 400, "network": 422, "busy": 503, "died": 503}
FULL = {
    "kind": "busy",
    "error": "its queue is full; let fewer workers measure at a time, or start it with more --max-mb",
}


class MeasureHttpServer(socketserver.ThreadingTCPServer):
    """A measuring server, which listens at once.

    Args:
        host: The name or address to listen on.
        port: The port, 0 for any that is free.
        token: The token that clients must send.
        max_bytes: How many bytes of requests it holds at a time, those in the queue included.
        max_seconds: Longest that a network may take.
        log: Called with one line for each request, which says what became of it.

    Attributes:
        url: Where it listens.
        queue: The requests in work and those that wait.
        authentication: Which connections have shown the token.

    Raises:
        UserError: It cannot listen there.
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, host: str, port: int, token: str, max_bytes: int, max_seconds: float, log: Callable[[str], None]
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), Handler)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or error
            raise UserError(f"cannot listen on port {port} of {host}: {why}; give another --host or --port") from None
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self.server_address[1]}"
        self.queue, self.log = RequestQueue(max_seconds), log
        self.max_bytes, self._held = max_bytes, 0
        self.authentication, self._lock = Authentication(token), threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Takes a connection, of which nothing is known yet but its address."""
        self.authentication.connected(request, str(client_address[0]))
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.authentication.forget(request)
        super().shutdown_request(request)

    @contextmanager
    def holding(self, size: int) -> Iterator[bool]:
        """Counts the bytes of a request during the block; yields whether they fit beside those in the queue."""
        with self._lock:
            fits = self._held + size <= self.max_bytes
            self._held += size if fits else 0
        try:
            yield fits
        finally:
            with self._lock:
                self._held -= size if fits else 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Prints an error of a request, unless it is that the client hung up."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers one request, in a thread of its own."""

    server: MeasureHttpServer
    protocol_version = "HTTP/1.1"
    timeout = STRANGER_S

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        if self.server.authentication.accepts(self.headers.get("Authorization", "")):
            self.server.authentication.forget(self.connection)
            self.connection.settimeout(SILENT_S)
            return True
        self._reply(
            401, {"kind": "token", "error": "Authorization: Bearer TOKEN is missing or has not this server's token"}
        )
        return False

    def do_GET(self) -> None:
        """Answers `/about`: what this server is."""
        if self.path != "/about":
            self.send_error(404)
            return
        self._reply(200, _about(self.server.queue.busy))

    def do_POST(self) -> None:
        """Answers `/measure`: what a network costs here. A request that is too large is refused before it is read."""
        if self.path != "/measure":
            self.send_error(404)
            return
        text = self.headers.get("Content-Length", "")
        size = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else -1
        if size < 0:
            self._reply(400, {"kind": "user", "error": "Content-Length must give the request's bytes"})
        elif size > self.server.max_bytes:
            most = f"{self.server.max_bytes / 1e6:g} MB (--max-mb)"
            self._reply(
                413, {"kind": "network", "error": f"its {size / 1e6:.1f} MB are more than the server takes: {most}"}
            )
        else:
            with self.server.holding(size) as fits:
                response = self._measure(size) if fits else FULL
            self._reply(STATUS[response["kind"]] if "kind" in response else 200, response)

    def _measure(self, size: int) -> MeasureResponse:
        message = self.rfile.read(size)
        if len(message) < size:
            return {
                "kind": "user",
                "error": f"only {len(message):,} of the {size:,} bytes that Content-Length gives came",
            }
        try:
            head = protocol.head_of(message)
        except UserError as error:
            return {"kind": "user", "error": one_line(str(error))}
        start = time.monotonic()
        future = self.server.queue.join(message, head.seconds, self.connection)
        while not wait([future], max(SHORTEST_BEAT_S, head.seconds / 3)).done:
            self._give_sign_of_life()
        response = future.result()
        what, seconds = response.get("error", "measured"), time.monotonic() - start
        self.server.log(one_line(f"{self.client_address[0]}, {head.target}: {what} ({seconds:.1f} s)"))
        return response

    def _give_sign_of_life(self) -> None:
        """Sends an interim response, which clients skip. OSError where the client has hung up."""
        self.send_response_only(HTTPStatus.CONTINUE)
        self.end_headers()

    def _reply(self, status: int, content: MeasureResponse) -> None:
        body = json.dumps(content).encode()
        self.close_connection = True  # nothing may be left of a body that was not read
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answers with an error as JSON, where `BaseHTTPRequestHandler` would send a page."""
        self._reply(code, {"kind": "user", "error": one_line(message or HTTPStatus(code).phrase)})

    def log_message(self, format: str, *args: Any) -> None: ...


def _about(busy: bool) -> dict[str, Any]:
    try:
        own = version("evonas")
    except PackageNotFoundError:  # it runs from a folder of sources
        own = "unknown"
    here = [name for name in BACKENDS if find_spec(name.partition(".")[0])]
    return {"protocol": PROTOCOL, "evonas": own, "host": platform.node(), "backends": here, "busy": busy}
