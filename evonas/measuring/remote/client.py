"""A target that is measured on another machine, by a measuring server."""

import json
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from http.client import (
    BadStatusLine,
    HTTPConnection,
    HTTPException,
    HTTPSConnection,
    IncompleteRead,
    RemoteDisconnected,
)
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from evonas.config import TargetConfig
from evonas.errors import TargetUnavailable, UserError
from evonas.measuring.backends.backend import BACKENDS, Array
from evonas.measuring.backends.refused import Refused
from evonas.measuring.benchmark import PROTOCOL, REFERENCE_INPUT, for_reference
from evonas.measuring.interleaved_timing import Enough, never
from evonas.measuring.plausibility import plausible
from evonas.measuring.remote import protocol
from evonas.records import Endpoint, Inputs, Measurement
from evonas.text import one_line

if TYPE_CHECKING:
    from torch import nn

ABOUT_S = 10.0
QUEUE_S = 900.0
"""Longest wait in the server's queue, besides the target's `timeout_s`: it gives signs of life meanwhile."""
MOST_BYTES = 2**28
"""Longest response that is read."""


class MeasureError(RuntimeError):
    """A network could not be measured, and it is its own fault. The message is one line: why."""


class Remote:
    """One target on a measuring server.

    Args:
        name: The target's name in the config.
        config: The target's section of the config.
        wanted: Those of memory_mb, energy_mj that are to be found out besides the latency.
        waiting: Makes a context that is entered while the other machine works and this one does not.
    """

    def __init__(
        self,
        name: str,
        config: TargetConfig,
        wanted: Collection[str] = (),
        waiting: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.name, self.config, self.wanted, self._waiting = name, config, wanted, waiting
        self._reference = b""

    @property
    def conditions(self) -> dict[str, str]:
        """The conditions of a measurement that are known before anything is measured."""
        config = self.config
        known = {"backend": config.backend, "device": config.device, "dtype": config.dtype}
        return {**known, "threads": str(config.threads), "batch": str(config.batch)}

    def about(self, endpoint: Endpoint) -> dict[str, Any]:
        """Asks a server what it is.

        Args:
            endpoint: Where the server is.

        Returns:
            What it says of itself: protocol, evonas, host, backends, busy.

        Raises:
            TargetUnavailable: Nothing answers, or not as it should.
            UserError: What answers cannot measure for this target; what would be right.
        """
        where = self._at(endpoint)
        seconds = min(ABOUT_S, self.config.timeout_s)
        status, found = self._ask(endpoint, "GET", "/about", b"", seconds, seconds)
        if status == 401:
            raise UserError(f"{where}: the token in ${self.config.token_env} is not the server's")
        if status >= 500:
            raise TargetUnavailable(f"{where}: it answers with status {status}")
        if status != 200 or "protocol" not in found or not _are_names(found.get("backends")):
            raise UserError(f"{where}: this is no `evonas measure-server`")
        if found["protocol"] != PROTOCOL:
            other = one_line(f"protocol {found['protocol']} (evonas {found.get('evonas')})")
            raise UserError(f"{where}: it measures by {other}, this search by {PROTOCOL}; give both the same evonas")
        if self.config.backend not in found["backends"]:
            there = one_line(", ".join(found["backends"])) or "none"
            raise UserError(f"{where}: backend {self.config.backend} is not installed there (installed: {there})")
        return found

    def measure(
        self,
        network: "nn.Module",
        inputs: Inputs,
        endpoint: Endpoint | None,
        baseline: "tuple[nn.Module, float] | None" = None,
        seconds: float | None = None,
        enough: Enough = never,
    ) -> Measurement:
        """Measures a network on the other machine and checks that it computes the same there.

        Args:
            network: The network, in evaluation mode.
            input_shape: The shape of one example.
            endpoint: Where the server is; None where there is none now.
            baseline: A network to measure against instead of the reference, and what it is known to take (ms).
            seconds: Time cap of the measurement; default: the target's `max_seconds`.
            enough: Is not asked: the other machine measures to the end.

        Returns:
            The measurement; its conditions name the server's address.

        Raises:
            TargetUnavailable: It cannot be measured there now, and no network is to blame.
            MeasureError: This network cannot be measured there.
            Exception: Whatever the export of the network or the check of its output raises.
        """
        from evonas.measuring.backends import export

        if endpoint is None:
            raise TargetUnavailable(f"target {self.name} has no measuring server now")
        file = export.to_file(network, inputs, self.config)
        other = export.to_file(baseline[0], inputs, self.config) if baseline else b""
        request = protocol.MeasureRequest(
            self.name,
            self.config.model_copy(update={"max_seconds": seconds or self.config.max_seconds}),
            inputs,
            self.wanted,
            self.config.timeout_s,
            file,
            self._reference_file(),
            other,
            baseline[1] if baseline else None,
        )
        try:
            measurement, output = self._request(endpoint, request)
        except MeasureError as error:
            raise self._named(error, network, inputs, endpoint) from error
        export.check(network, inputs, self.config, output)
        return measurement

    def _request(self, endpoint: Endpoint, request: protocol.MeasureRequest) -> tuple[Measurement, Array]:
        seconds = self.config.timeout_s
        try:
            with self._waiting():
                body = protocol.pack(request)
                status, found = self._ask(endpoint, "POST", "/measure", body, seconds, QUEUE_S + seconds)
        except UserError as error:
            raise TargetUnavailable(str(error)) from None
        if status != 200:
            why = one_line(str(found.get("error", f"it answers with status {status}")))
            if found.get("kind") == "network":
                refused = found.get("refused")
                cause = Refused(self.config.backend, one_line(refused)) if isinstance(refused, str) else None
                raise MeasureError(f"{self._at(endpoint)}: {why}") from cause
            raise TargetUnavailable(f"{self._at(endpoint)}: {why}")
        try:
            measurement = plausible(found.get("measurement"), self.wanted)
        except ValueError as error:
            raise TargetUnavailable(f"{self._at(endpoint)}: its response is no measurement: {error}") from None
        try:
            output = np.asarray(found.get("output"), dtype=np.float32)
        except (ValueError, TypeError, RecursionError):
            raise TargetUnavailable(f"{self._at(endpoint)}: its response has no output of the network") from None
        return replace(measurement, conditions={**measurement.conditions, "address": endpoint.url}), output

    def _named(self, error: MeasureError, network: "nn.Module", inputs: Inputs, endpoint: Endpoint) -> MeasureError:
        """With the call of the network that the runtime refuses there, where one on this machine's CPU does as well."""
        from evonas.measuring.backends import export

        if not isinstance(error.__cause__, Refused):
            return error
        config = self.config.model_copy(update={"device": "cpu"})
        try:
            here = BACKENDS[config.backend](self.name, config)
        except UserError:
            return error
        found = export.refused_call(network, inputs, config, error.__cause__, lambda file: here.load(file, inputs))
        return MeasureError(f"{self._at(endpoint)}: {found}") if found else error

    def _reference_file(self) -> bytes:
        if not self._reference:
            from evonas.measuring.backends.export import to_file
            from evonas.measuring.reference import reference

            self._reference = to_file(reference(), REFERENCE_INPUT, for_reference(self.config))
        return self._reference

    def _ask(
        self, endpoint: Endpoint, method: str, path: str, body: bytes, silence: float, seconds: float
    ) -> tuple[int, dict[str, Any]]:
        """Returns the status and the content of the response, which is {} where that is no JSON object.

        Args:
            endpoint: Where the server is.
            method: The HTTP method.
            path: The path of the URL.
            body: The request's body.
            silence: Longest time without a sign of life from the server (s).
            seconds: Longest time altogether (s).

        Raises:
            TargetUnavailable: There is no response.
            UserError: The address or the token cannot be right.
        """
        token = protocol.checked_token(endpoint.token, f"the token in ${self.config.token_env} for target {self.name}")
        end = time.monotonic() + seconds
        try:
            with _connected(endpoint.url, silence, seconds) as connection:
                with suppress(ConnectionError):  # a server that refuses does not read on: its response says why
                    connection.request(method, path, body, {"Authorization": f"Bearer {token}"})
                response = connection.getresponse()
                return response.status, _object(response.read(MOST_BYTES))
        except (OSError, HTTPException) as error:
            why = f"no answer within {seconds:g} s" if time.monotonic() >= end else _reason(error, silence)
            raise TargetUnavailable(f"{self._at(endpoint)}: {why}") from None
        except ValueError:
            raise UserError(f"{self._at(endpoint)}: this is no address; give http://HOST:PORT") from None

    def _at(self, endpoint: Endpoint) -> str:
        return f"target {self.name} at {endpoint.url}"


@contextmanager
def _connected(url: str, silence: float, seconds: float) -> Iterator[HTTPConnection]:
    """Connects directly, whatever proxies the environment names, and hangs up after so many seconds."""
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError("there is no host in it")
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname, parts.port or kind.default_port, timeout=silence)
    timer = None
    try:
        connection.connect()
        timer = threading.Timer(seconds, connection.sock.shutdown, [socket.SHUT_RDWR])
        timer.daemon = True
        timer.start()
        yield connection
    finally:
        if timer:
            timer.cancel()
        connection.close()


def _are_names(found: object) -> bool:
    return isinstance(found, list) and all(isinstance(name, str) for name in found)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}


def _reason(error: Exception, silence: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {silence:g} s"
    if isinstance(error, RemoteDisconnected | IncompleteRead | BadStatusLine):
        return "it hung up before its response"
    return one_line(getattr(error, "strerror", None) or f"{type(error).__name__}: {error}")
