"""How well a latency repeats: on the idle card, as a server measures it, and beside trainers."""

import time
from collections.abc import Mapping
from statistics import median

from torch import nn

from evonas.measuring.backends import export
from evonas.measuring.backends.pytorch import available, lock_name
from evonas.measuring.benchmark import LatencyBenchmark
from evonas.measuring.device_lock import DeviceLock
from evonas.measuring.reference import reference

from .beside import neighbours
from .memory import spread
from .session import Session
from .subject import INPUT, NETWORKS, config, synchronize

TRAINERS = 4
PLACE_S, SERIES_S = 45.0, 12.0
"""Beside trainers, with their start; and one network in one place, at most."""
Benches = Mapping[bool, LatencyBenchmark]
"""By whether a pass is a CUDA graph."""


def latency(session: Session) -> None:
    """Each network, eager and as a graph, in each of these places."""
    benches = _benches(session)
    networks = {name: NETWORKS[name]().eval() for name in (["small"] if session.dry else NETWORKS)}
    _series(session, "idle", benches, networks, 2 if session.dry else 5)
    if session.dry:
        asks = (
            f"the same of {', '.join(NETWORKS)}, as graphs, as a server, beside {TRAINERS} trainers that do not pause"
        )
        session.tell("latency", skipped="no GPU", asks=asks)
    else:
        for graph, bench in benches.items():
            for name in ("mid", "large"):
                if session.lacks(SERIES_S, "latency", where="as a server", graph=graph, net=name):
                    continue
                file = export.to_file(networks[name], INPUT, bench.config)
                session.tell("latency", where="as a server", graph=graph, net=name, ms=bench.measure(file, INPUT).ms)
    for pauses in (True,) if session.dry else (True, False):
        where = f"beside trainers that {'pause' if pauses else 'do not pause'}"
        if session.lacks(PLACE_S, "latency", where=where):
            continue
        with neighbours(session, 1 if session.dry else TRAINERS, "small" if session.dry else "mid", pauses):
            _series(session, where, benches, networks, 2 if session.dry else 3)


def _benches(session: Session) -> Benches:
    lock = DeviceLock(["cpu", lock_name(available(session.device, "benchmark"))], synchronize)
    target = config(session.dry).targets["gpu"]
    found: dict[bool, LatencyBenchmark] = {}
    for graph in (False,) if session.dry else (False, True):
        own = target.model_copy(update={} if session.dry else {"graph": graph, "max_seconds": 2.0})
        begun = time.monotonic()
        found[graph] = LatencyBenchmark("gpu", own, reference(), lock)
        found[graph].measure(NETWORKS["small"]().eval(), INPUT)
        session.tell("latency", where="the first, with its baseline", graph=graph, s=time.monotonic() - begun)
    return found


def _series(
    session: Session,
    where: str,
    benches: Benches,
    networks: Mapping[str, nn.Module],
    count: int,
) -> None:
    for graph, bench in benches.items():
        for name, network in networks.items():
            if session.lacks(SERIES_S, "latency", where=where, graph=graph, net=name):
                continue
            begun = time.monotonic()
            found = [bench.measure(network, INPUT) for _ in range(count)]
            session.tell(
                "latency",
                where=where,
                graph=graph,
                net=name,
                ms=median(each.ms for each in found),
                cv=spread([each.ms for each in found]),
                raw_ms=median(each.raw for each in found),
                drift=median(each.drift for each in found),
                settled=sum(each.settled for each in found),
                quiet=sum(each.conditions["quiet"] == "yes" for each in found),
                s_each=(time.monotonic() - begun) / count,
            )
