"""The benchmark of a device measures one network after another beside the reference network, on the quiet device."""

import math
import time
from collections.abc import Collection, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

from evonas.config import TargetConfig
from evonas.machine import check_threads
from evonas.measuring.backends.backend import BACKENDS, Loaded
from evonas.measuring.baselines import Baselines
from evonas.measuring.container import in_container
from evonas.measuring.cpu_affinity import pinned
from evonas.measuring.device_lock import DeviceLock
from evonas.measuring.energy import Meter
from evonas.measuring.interleaved_timing import Enough, Passes, compare, never, warm_up
from evonas.measuring.numa import near
from evonas.records import Inputs, InputSpec, Measurement

if TYPE_CHECKING:
    from torch import nn

PROTOCOL = 3
"""Changes whenever the same network on the same device would get another number, or a request has another form."""
REFERENCE_INPUT = InputSpec((3, 32, 32))
"""What the reference network takes in, whatever the task's examples are."""
BASELINE_BLOCKS = 40
UNBEATEN_S, LONGEST_S = 4.0, 15.0
"""A baseline stands once none was lower for so long: what disturbs may be other workers that are just starting."""
WARM_UP_S = 1.0
GLANCE = 5
"""Passes that a baseline which was kept is compared with."""
FASTER, SLOWER = 2.0, 20.0
"""A device that is faster or slower than its baseline by more than so many times has another baseline."""
DECIDED = "decided"
"""How far a network was measured, in its conditions, where that was not to the end."""


def for_reference(config: TargetConfig) -> TargetConfig:
    """The config by which the reference runs: on a processor with one example, so that it stays in the caches whatever
    the batch is.

    At batch 32 it took 2.3 or 2.6 ms, by what else was in the caches; networks for images of 8x8 did not care. It is
    not quantised: a yardstick has no need of it.
    """
    dtype = {"dtype": "float32"} if config.dtype == "int8" else {}
    return config.model_copy(update=dtype | ({"batch": 1} if config.device == "cpu" else {}))


@dataclass(frozen=True, slots=True)
class Baseline:
    """A network that takes the place of the reference.

    Args:
        network: as `Backend.load` takes it.
        ms: what it is known to take.
    """

    network: "nn.Module | bytes"
    ms: float


class LatencyBenchmark:
    """One target on this machine.

    Args:
        name: of the target, for messages.
        config: the target's.
        reference: the fixed network that all others are compared with, as `Backend.load` takes it.
        device_lock: the process's hold on the device.
        wanted: those of memory_mb, energy_mj that are measured besides the latency.
        shared: folder in which containers of a machine find what the reference takes there; None: each finds it out.

    Raises:
        UserError: the device or the library is not there, or cannot tell what is wanted, or there are fewer cores than
            the target has threads.
    """

    def __init__(
        self,
        name: str,
        config: TargetConfig,
        reference: "nn.Module | bytes",
        device_lock: DeviceLock,
        wanted: Collection[str] = (),
        shared: Path | None = None,
    ) -> None:
        check_threads(name, config.threads)
        self.config = config
        self.backend = BACKENDS[config.backend](name, config)
        self._device_lock, self._wanted, self._baselines = device_lock, wanted, Baselines(shared)
        self._meter = Meter(name, config) if "energy_mj" in wanted else None
        beside = BACKENDS[config.backend](name, for_reference(config))
        self._reference, self._baseline_of = beside.load(reference, REFERENCE_INPUT), dict(beside.conditions)
        self._quiet_ms: dict[bool, float] = {}  # by whether the device was had alone
        if "memory_mb" in wanted:
            self._reference.memory_mb()  # finds fault now

    def measure(
        self,
        network: "nn.Module | bytes",
        inputs: Inputs,
        baseline: Baseline | None = None,
        seconds: float | None = None,
        enough: Enough = never,
    ) -> Measurement:
        """Load a network and measure it.

        Args:
            network: as `Backend.load` takes it.
            inputs: what it takes in.
            baseline: a network to measure beside instead of the reference.
            seconds: time cap; default: the target's `max_seconds`.
            enough: ends it where an interval (ms) tells what is to be known.

        Raises:
            Exception: whatever the network or its conversion raises.
        """
        return self.time(self._loaded(network, inputs), inputs, baseline, seconds, enough)

    def time(
        self,
        loaded: Loaded,
        inputs: Inputs,
        baseline: Baseline | None = None,
        seconds: float | None = None,
        enough: Enough = never,
    ) -> Measurement:
        """Measure a network that is on the device already; the arguments are those of `measure`."""
        other = self._loaded(baseline.network, inputs) if baseline else self._reference
        memory = loaded.memory_mb() if "memory_mb" in self._wanted else None
        config = self.config
        device = self.backend.device
        with self._device_lock.exclusive(device) as alone, pinned(config.threads, near(device)) as attention:
            if not baseline and alone not in self._quiet_ms:
                self._quiet_ms[alone] = self._baseline(alone)
            quiet_ms = baseline.ms if baseline else self._quiet_ms[alone]
            found = compare(
                loaded.passes,
                other.passes,
                config.within,
                seconds or config.max_seconds,
                lambda low, high: enough(low * quiet_ms, high * quiet_ms),
            )
            energy = self._meter.per_pass(loaded.passes, median(found.samples)) if self._meter else None
            state = self.backend.state
        reference = median(found.others)
        conditions = {
            **self.backend.conditions,
            **getattr(loaded, "conditions", {}),  # those of a network, which a backend of one's own need not have
            **state,
            **attention,
            "quiet": "yes" if alone else "no",
            **({"quiet_within": "this container"} if in_container() else {}),
            "quiet_reference_ms": f"{quiet_ms:.6g}",
            **({"until": DECIDED} if found.told else {}),
            **({"energy_95_mj": f"{energy.low:.5g} to {energy.high:.5g}"} if energy else {}),
        }
        return Measurement(
            ms=found.ratio * quiet_ms,
            low=found.low * quiet_ms,
            high=found.high * quiet_ms,
            p90=found.tail * found.ratio * quiet_ms,
            raw=median(found.samples),
            reference=reference,
            drift=reference / quiet_ms - 1,
            samples=found.samples,
            settled=found.settled,
            memory_mb=memory,
            size_mb=getattr(loaded, "size_mb", None),  # of a network that came as the file that is deployed
            energy_mj=energy.mj if energy else None,
            conditions=conditions,
        )

    def _loaded(self, network: "nn.Module | bytes", inputs: Inputs) -> Loaded:
        """On the device. A compiler takes a core for a minute, and nobody waits for it."""
        with self._device_lock.unpaused() if self.config.backend == "torch.compile" else nullcontext():
            return self.backend.load(network, inputs)

    def _baseline(self, alone: bool) -> float:
        """Milliseconds of the reference on the quiet device, measured once for all processes, runs and targets for
        which it runs alike.

        Where the device could not be had alone, that is another number, and kept apart.
        """
        description = [PROTOCOL, alone, self._baseline_of]
        kept = [*self._baselines.known(description)]
        ms = _standing(kept, _at_a_glance(self._reference.passes)) if kept else None
        if ms is None:
            lowest = _lowest(self._reference.passes)
            others = _standing(self._baselines.known(description), lowest)  # another process may have been first
            ms = lowest if others is None else others
        self._baselines.keep(description, ms)
        return ms


def _standing(kept: Iterable[float], ms: float) -> float | None:
    """The first baseline that is that of a device on which the reference takes so long now."""
    return next((known for known in kept if not _is_far_off(known, ms)), None)


def _at_a_glance(run: Passes) -> float:
    """The milliseconds of a good pass, without the patience of `_lowest`."""
    run(1)
    return min(run(GLANCE))


def _is_far_off(known: float, ms: float) -> bool:
    """Whether a baseline cannot be that of a device on which the reference takes so long now."""
    return not known / FASTER <= ms <= known * SLOWER


def _lowest(run: Passes) -> float:
    """The lower quartile of the medians of 40 blocks, of the best such series: others only ever slow a pass down."""
    size, _ = warm_up(run, run, WARM_UP_S)
    best = math.inf
    start = since = time.monotonic()
    while time.monotonic() < min(since + UNBEATEN_S, start + LONGEST_S) or math.isinf(best):
        found = quantiles([median(run(size)) for _ in range(BASELINE_BLOCKS)], n=4)[0]
        if found < 0.98 * best:
            since = time.monotonic()
        best = min(best, found)
    return best
