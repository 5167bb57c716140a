"""`evonas measure-server`: measures networks on this machine for searches that run elsewhere, one at a time, over HTTP.

A board needs for it no more than numpy, pydantic, pyyaml and the runtime of its backend. The token lets a client run
networks here, and it goes over the wire as it is: beyond a network of your own, put a proxy with TLS before the server.
"""

import ipaddress
import math
import os
import secrets
import signal
import threading
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from evonas.errors import UserError
from evonas.measuring.remote.http import MeasureHttpServer
from evonas.measuring.remote.protocol import checked_token
from evonas.records import Endpoint
from evonas.signals import Terminated, status_of

TOKEN = "EVONAS_TOKEN"
SHORTEST_TOKEN = 16
MAX_MB, MAX_SECONDS = 512, 600.0


def main(
    host: str, port: int, token_file: str | None = None, max_mb: int = MAX_MB, max_seconds: float = MAX_SECONDS
) -> int:
    """Serves until SIGTERM or ctrl-C. To be called in the main thread.

    Args:
        host: The name or address to listen on.
        port: The port, 0 for any that is free.
        token_file: A file that holds the token; without it, the token is that of the environment's EVONAS_TOKEN, or a
            new one.
        max_mb: MB of 10^6 bytes of the requests that are held at a time.
        max_seconds: Longest that a network may take.

    Returns:
        The exit status.

    Raises:
        UserError: It cannot listen there, or not with this token.
    """
    given = _token(token_file)
    token = given or secrets.token_urlsafe()
    if not _is_loopback(host) and len(token) < SHORTEST_TOKEN:
        raise UserError(
            f"a token of {len(token)} characters is too short for {host}; give one of {SHORTEST_TOKEN} or more"
        )
    if max_mb <= 0 or not 0 < max_seconds < math.inf:
        raise UserError("--max-mb and --max-seconds must be above 0")
    signal.signal(signal.SIGTERM, _terminate)
    try:
        with MeasureHttpServer(host, port, token, max_mb * 10**6, max_seconds, _log) as server:
            print(f"measuring on {server.url}", flush=True)
            if not given:
                print(f"its token, to be in the search's {TOKEN}: {token}", flush=True)
            try:
                server.serve_forever()
            finally:
                server.queue.close()
    except KeyboardInterrupt as stop:
        return status_of(stop)
    raise AssertionError("serve_forever has returned")


def serve_here(host: str) -> Endpoint:
    """Starts a server in a thread of this process, with which it ends.

    Args:
        host: The address at which others reach this machine.

    Returns:
        Where it listens, and its token.
    """
    token = secrets.token_urlsafe()
    server = MeasureHttpServer(host, 0, token, MAX_MB * 10**6, MAX_SECONDS, lambda text: None)
    threading.Thread(target=server.serve_forever, name="evonas-measure-server", daemon=True).start()
    return Endpoint(server.url, token)


def _log(text: str) -> None:
    with suppress(OSError):  # the reader of the output has gone: no reason to stop measuring
        print(text, flush=True)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated


def _token(file: str | None) -> str:
    """The token that is given; empty where none is."""
    if file is None:
        text = os.environ.get(TOKEN, "")
        return checked_token(text, f"the token in {TOKEN}") if text else ""
    try:
        return checked_token(Path(file).read_text().strip(), f"the token in {file}")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--token-file {file} cannot be read: {getattr(error, 'strerror', 'it is not text')}") from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
