"""The process in which a server measures: what a network does to it, it does not do to the server.

It says when it begins to wait for the device or for others, and when the network has its turn, so that the server can
tell whether its end or its silence is the network's fault.
"""

import json
import os
import platform
import socket
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import lru_cache
from typing import Any

from evonas.config import TargetConfig
from evonas.errors import UserError
from evonas.ipc.lifetime import die_first, die_with_parent
from evonas.measuring.backends.refused import Refused
from evonas.measuring.benchmark import Baseline, LatencyBenchmark
from evonas.measuring.device_lock import DeviceLock
from evonas.measuring.remote import protocol
from evonas.measuring.remote.protocol import MeasureChannel, MeasureFrame
from evonas.text import describe_error, one_line

MeasureResponse = Mapping[str, Any]
"""`measurement` and `output`; or `error`, one line, and `kind`: whose fault it is, "network", "user" (what was asked
for is not here) or "died" (this machine's); and, where a runtime does not run the network, `refused`: why."""
BENCHMARKS = 4
"""Targets that the process keeps loaded, each with its reference network."""


class _AnnouncedLock(DeviceLock):
    """A device lock that tells the server when it waits for the device, and when it has it."""

    def __init__(self, channel: MeasureChannel, enabled: bool) -> None:
        super().__init__([], enabled=enabled)
        self._channel = channel

    @contextmanager
    def exclusive(self, device: str) -> Iterator[bool]:
        self._channel.send(MeasureFrame.WAITING)
        with super().exclusive(device) as alone:
            self._channel.send(MeasureFrame.WORKING)
            yield alone


def main(descriptor: str, parent: str) -> None:
    """Measures until the server is gone.

    Args:
        descriptor: The descriptor of the channel to the server, as text.
        parent: The server's process id, as text.
    """
    die_with_parent(int(parent))
    os.dup2(2, 1)  # what libraries print
    die_first()
    channel = MeasureChannel(socket.socket(fileno=int(descriptor)), MeasureFrame)
    while frame := channel.receive():
        channel.send(MeasureFrame.RESPONSE, json.dumps(_respond(frame[1], channel)).encode())


@lru_cache(BENCHMARKS)
def _benchmark(
    name: str, config: TargetConfig, wanted: Collection[str], reference: bytes, channel: MeasureChannel
) -> LatencyBenchmark:
    return LatencyBenchmark(name, config, reference, _AnnouncedLock(channel, config.quiet), wanted)


def _respond(message: bytes, channel: MeasureChannel) -> MeasureResponse:
    request = protocol.unpack(message)
    try:
        benchmark = _benchmark(request.target, request.config, tuple(request.wanted), request.reference, channel)
    except UserError as error:
        return {"kind": "user", "error": one_line(str(error))}
    except Exception as error:
        return {"kind": "user", "error": f"not even the reference network runs here: {describe_error(error)}"}
    channel.send(MeasureFrame.WORKING)
    try:
        return _measure(request, benchmark)
    except UserError as error:
        return {"kind": "user", "error": one_line(str(error))}
    except OSError as error:
        return {"kind": "died", "error": describe_error(error)}
    except Refused as error:
        return {"kind": "network", "error": str(error), "refused": error.why}
    except Exception as error:
        return {"kind": "network", "error": describe_error(error)}


def _measure(request: protocol.MeasureRequest, benchmark: LatencyBenchmark) -> MeasureResponse:
    loaded = benchmark.backend.load(request.network, request.inputs)
    output = loaded.output().tolist()
    baseline = Baseline(request.baseline, request.baseline_ms) if request.baseline_ms else None
    found = benchmark.time(loaded, request.inputs, baseline)
    found = replace(found, conditions={**found.conditions, "host": platform.node()})
    return {"measurement": asdict(found), "output": output}
