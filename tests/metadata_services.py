"""The metadata services of clouds, on loopback, as their guides describe them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Service:
    """What a service says. url: where. paths: what is known; others are not found. tokens: valid ones of EC2's."""

    url: str = ""
    paths: dict[str, str] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    google: bool = False

    def answer(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
        self.asked.append(path)
        if self.google:
            return (200, self.paths[path]) if headers.get("metadata-flavor") == "Google" else (403, "no flavor")
        if path == "/latest/api/token":
            if method != "PUT" or not headers.get("x-aws-ec2-metadata-token-ttl-seconds", "").isdigit():
                return 400, "no time to live"
            self.tokens.append(f"token {len(self.asked)}")
            return 200, self.tokens[-1]
        if headers.get("x-aws-ec2-metadata-token") not in self.tokens:
            return 401, "Unauthorized"
        return (200, self.paths[path]) if path in self.paths else (404, "Not Found")


@contextmanager
def service(**known: object) -> Iterator[Service]:
    """A service that answers until the end of the block."""
    said = Service(**known)  # type: ignore[arg-type]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            names = {name.lower(): value for name, value in self.headers.items()}
            code, text = said.answer(self.command, self.path, names)
            self.send_response(code)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def do_PUT(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    said.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield said
    finally:
        server.shutdown()
        server.server_close()
