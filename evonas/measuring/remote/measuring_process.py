"""The process in which a server measures: what a network does to it, it does not do to the server.

It says when it begins to wait for the device or for others, and when the network has its turn, so that its end and its
silence are known for the network's or not.
"""

import ctypes
import json
import os
import platform
import signal
import socket
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from evonas.config import TargetConfig
from evonas.errors import UserError
from evonas.measuring.benchmark import Baseline, LatencyBenchmark
from evonas.measuring.device_lock import DeviceLock
from evonas.measuring.remote import protocol
from evonas.text import describe_error, one_line

MeasureResponse = Mapping[str, Any]
"""`measurement` and `output`; or `error`, one line, and `kind`: whose fault it is, "network", "user" (what was asked
for is not here) or "died" (this machine's)."""
WAITS, WORKS = b"waits", b"works"
BENCHES = 4
PR_SET_PDEATHSIG = 1


class _Announced(DeviceLock):
    """Says when it waits for the device, and when it has it."""

    def __init__(self, channel: socket.socket, enabled: bool) -> None:
        super().__init__([], enabled=enabled)
        self._channel = channel

    @contextmanager
    def exclusive(self, device: str) -> Iterator[bool]:
        protocol.send(self._channel, WAITS)
        with super().exclusive(device) as quiet:
            protocol.send(self._channel, WORKS)
            yield quiet


def main(channel: str, parent: str) -> None:
    """Measures until the server is gone. The arguments are a descriptor and the server's process id, as text."""
    _die_with(int(parent))
    os.dup2(2, 1)  # what libraries print
    with suppress(OSError):  # where memory runs out, this process goes and not the server
        Path("/proc/self/oom_score_adj").write_text("1000")
    ours = socket.socket(fileno=int(channel))
    while message := protocol.receive(ours):
        protocol.send(ours, json.dumps(_answer(message, ours)).encode())


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


@lru_cache(BENCHES)
def _bench(
    name: str, config: TargetConfig, wanted: Collection[str], reference: bytes, channel: socket.socket
) -> LatencyBenchmark:
    return LatencyBenchmark(name, config, reference, _Announced(channel, config.quiet), wanted)


def _answer(message: bytes, channel: socket.socket) -> MeasureResponse:
    order = protocol.unpack(message)
    try:
        bench = _bench(order.target, order.config, tuple(order.wanted), order.reference, channel)
    except UserError as error:
        return {"kind": "user", "error": one_line(str(error))}
    except Exception as error:
        return {"kind": "user", "error": f"not even the reference network runs here: {describe_error(error)}"}
    protocol.send(channel, WORKS)
    try:
        return _measured(order, bench)
    except UserError as error:
        return {"kind": "user", "error": one_line(str(error))}
    except OSError as error:
        return {"kind": "died", "error": describe_error(error)}
    except Exception as error:
        return {"kind": "network", "error": describe_error(error)}


def _measured(order: protocol.MeasureRequest, bench: LatencyBenchmark) -> MeasureResponse:
    loaded = bench.backend.load(order.network, order.inputs)
    output = loaded.output().tolist()
    baseline = Baseline(order.baseline, order.rival_ms) if order.rival_ms else None
    found = bench.time(loaded, order.inputs, baseline)
    found = replace(found, conditions={**found.conditions, "host": platform.node()})
    return {"measurement": asdict(found), "output": output}
