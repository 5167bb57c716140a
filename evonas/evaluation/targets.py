"""What candidates cost on the targets of a run: measured on the worker or by a server, or added up from a table."""

import platform
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from torch import nn

from evonas.config import Config, TargetConfig
from evonas.errors import UnlikeDevice, UserError
from evonas.inputs import to_plain
from evonas.latency_tables.blocks import estimate
from evonas.measuring.backends.export import file_size
from evonas.measuring.benchmark import DECIDED, Baseline, LatencyBenchmark
from evonas.measuring.cache import MeasurementCache, cache_key
from evonas.measuring.device_lock import DeviceLock
from evonas.measuring.identity import difference, identity
from evonas.measuring.interleaved_timing import Enough, never
from evonas.measuring.reference import reference
from evonas.measuring.remote.client import Remote
from evonas.objectives.objectives import Objectives
from evonas.records import UNKNOWN, Endpoint, Genome, Inputs, Measurement, RunKind
from evonas.spaces.space import Space
from evonas.tasks.shipped import Preparation, preparation
from evonas.tasks.task import Task

MB = 1e6
NO_INTERVAL = ("latency_p90_ms", "energy_mj")
"""What is timed and has no interval: where it decides, each network is measured to the end at once."""


class Target(Protocol):
    """One of a run's targets."""

    @property
    def conditions(self) -> Mapping[str, str]:
        """What is known of it before anything is measured, as text."""

    def measure(
        self,
        network: nn.Module,
        inputs: Inputs,
        endpoint: Endpoint | None,
        baseline: tuple[nn.Module, float] | None,
        seconds: float,
        enough: Enough,
    ) -> Measurement:
        """endpoint: of its server, if it has one. baseline: a network to measure beside, and its ms. seconds: cap.
        enough: may end it before, of an interval in ms."""


class Local:
    """A device of the worker itself.

    Raises:
        UserError: it is not there.
    """

    def __init__(
        self,
        name: str,
        config: TargetConfig,
        device_lock: DeviceLock,
        wanted: tuple[str, ...],
        shared: Path | None = None,
    ) -> None:
        lock = device_lock if config.quiet else DeviceLock([], enabled=False)
        self._bench = LatencyBenchmark(name, config, reference(), lock, wanted, shared)

    @property
    def conditions(self) -> Mapping[str, str]:
        return self._bench.backend.conditions

    @property
    def worn(self) -> bool:
        """Whether its backend has left so much in this process that a new one is to take its place."""
        return bool(getattr(self._bench.backend, "worn", False))  # which one of a user's own need not know

    def measure(
        self,
        network: nn.Module,
        inputs: Inputs,
        endpoint: Endpoint | None,
        baseline: tuple[nn.Module, float] | None,
        seconds: float,
        enough: Enough,
    ) -> Measurement:
        return self._bench.measure(network, inputs, Baseline(*baseline) if baseline else None, seconds, enough)


def prepared(config: Config, objectives: Objectives, task: Task) -> Preparation | None:
    """The task's preparation, if one of the targets includes it.

    Raises:
        UserError: nothing that is stored so can be measured.
    """
    included = any(config.targets[name].includes == "prepare" for name in objectives.targets)
    return preparation(task) if included else None


class Targets:
    """The targets of a run, each set up when it is first used. tables: target -> block -> ms, of those whose latency is
    added up. inputs: of a network by itself. preparation: of the task, for targets that include it. begun: what the run
    has measured."""

    def __init__(
        self,
        space: Space,
        config: Config,
        objectives: Objectives,
        tables: Mapping[str, Mapping[str, float]],
        device_lock: DeviceLock,
        inputs: Inputs,
        preparation: Preparation | None = None,
        begun: RunKind = UNKNOWN,
    ) -> None:
        self.tables = tables
        self._begun = dict(begun.devices)
        self._preparation = preparation
        self._space, self._inputs, self._device_lock = space, inputs, device_lock
        self._configs, self._extras = config.targets, objectives.extras
        decisive = {*objectives.names, *(limit.key for limit in objectives.limits)}
        self._exact = {name for name in config.targets for timed in NO_INTERVAL if f"{timed}[{name}]" in decisive}
        self._cache = MeasurementCache(config.runtime.measurements)
        self._made: dict[str, Target] = {}
        needed = [name for name in objectives.targets if name not in tables]
        self.measured = sorted(needed, key=lambda name: config.targets[name].remote)
        """Those that each candidate is measured on; what may be away comes last."""

    def prepare(self) -> None:
        """Set up those that each candidate is measured on.

        Raises:
            UserError: a device is not there, is not of the kind that the run has measured on, or cannot tell what is
                wanted.
        """
        for name in self.measured:
            self._target(name)
        for name, here in self.kinds.items():
            if why := difference(name, self._begun.get(name, {}), here, platform.node()):
                raise UserError(why)

    @property
    def kinds(self) -> dict[str, dict[str, str]]:
        """The kind of device of each target on this machine that is one kind for the whole run."""
        local = [name for name in self.measured if not (self._configs[name].remote or self._configs[name].any_device)]
        return {name: self.kind(name) for name in local}

    def kind(self, name: str) -> dict[str, str]:
        """The kind of device of a target on this machine; that of one elsewhere is empty, for its measurements tell.

        Raises:
            UserError: the device is not there.
        """
        return {} if self._configs[name].remote else identity(self._target(name).conditions)

    @property
    def worn(self) -> bool:
        """Whether a backend has left so much in this process that a new one is to take its place."""
        return any(isinstance(target, Local) and target.worn for target in self._made.values())

    def screens(self, name: str) -> bool:
        """Whether a first measurement is a screen: a short one, with a wide interval."""
        return self._configs[name].screen < 1 and name not in self._exact

    def measure(
        self,
        name: str,
        network: nn.Module,
        genome: Genome,
        endpoints: Mapping[str, Endpoint],
        screen: bool = False,
        enough: Enough = never,
    ) -> Measurement:
        """A network that was measured here before, or in a run with the same folder of measurements, is not again.

        Args:
            name: of the target.
            network: in evaluation mode.
            genome: its architecture.
            endpoints: where targets are that are not here.
            screen: take the target's share `screen` of the time; what is known to the end is as good.
            enough: ends it where an interval (ms) tells what is to be known.

        Raises:
            TargetUnavailable: its server cannot be reached. Whatever the network raises.
        """
        config = self._configs[name]
        lengths = [config.max_seconds, *([config.screen * config.max_seconds] if screen else ())]
        keys = [self._key(name, network, genome, seconds) for seconds in lengths]
        for key in keys:
            if (known := self._cache.get(key)) is not None:
                return known
        start = time.perf_counter()
        whole, inputs = self.whole(name, network)
        found = self._target(name).measure(whole, inputs, endpoints.get(name), None, lengths[-1], enough)
        self._check_kind(name, found, endpoints.get(name))
        if "size_mb" in self._extras.get(name, ()) and found.size_mb is None:
            found = replace(found, size_mb=file_size(whole, inputs, self._configs[name]) / MB)
        took = {"took_s": f"{time.perf_counter() - start:.3f}"}  # which is saved where it is known
        took["includes"] = config.includes
        if screen and not found.settled:
            took["until"] = f"first {lengths[-1]:g} s"
        found = replace(found, conditions={**found.conditions, **took})
        if found.conditions.get("until") != DECIDED:  # another decision may need more
            self._cache.put(keys[-1], found, for_good=not config.remote)  # another board may answer there tomorrow
        return found

    def whole(self, name: str, network: nn.Module) -> tuple[nn.Module, Inputs]:
        """What is measured of a network on a target, and what that takes in: with the task's `prepare`, or alone."""
        if self._configs[name].includes == "network":
            return network, self._inputs
        assert self._preparation is not None, "given where a target includes it"
        return self._preparation.around(network), self._preparation.inputs

    def part(self, name: str, module: nn.Module, inputs: Inputs, endpoints: Mapping[str, Endpoint]) -> Measurement:
        """A module by itself, that is not one of the run's networks."""
        seconds = self._configs[name].max_seconds
        return self._target(name).measure(module, inputs, endpoints.get(name), None, seconds, never)

    def against(
        self, name: str, network: nn.Module, baseline: nn.Module, ms: float, endpoints: Mapping[str, Endpoint]
    ) -> Measurement:
        """A network measured in turns with another one, which takes the place of the reference and takes `ms`.

        Where latencies are screened, until it is known which of the two is faster: who is on the front in the end is
        measured to the end.
        """

        def told(low: float, high: float) -> bool:
            return self.screens(name) and not low <= ms <= high

        whole, inputs = self.whole(name, network)
        beside = self.whole(name, baseline)[0], ms
        seconds = self._configs[name].max_seconds
        found = self._target(name).measure(whole, inputs, endpoints.get(name), beside, seconds, told)
        self._check_kind(name, found, endpoints.get(name))
        return found

    def estimate(self, name: str, network: nn.Module) -> float:
        """Milliseconds, from the target's table.

        Raises:
            MissingBlock: the table lacks one of the network's blocks.
        """
        return estimate(*self.whole(name, network), self.tables[name])

    def examples_per_s(self, name: str, ms: float) -> float:
        return 1e3 * self._configs[name].batch / ms

    def metrics(self, name: str, found: Measurement) -> dict[str, float]:
        """A measurement as the columns of a row."""
        extras = {extra: getattr(found, extra) for extra in self._extras.get(name, ())}
        values = {
            "latency_ms": found.ms,
            "latency_low_ms": found.low,
            "latency_high_ms": found.high,
            "latency_p90_ms": found.p90,
            "latency_raw_ms": found.raw,
            "reference_ms": found.reference,
            "drift": found.drift,
            "examples_per_s": self.examples_per_s(name, found.ms),
            "settled": float(found.settled),
            **{extra: value for extra, value in extras.items() if value is not None},
        }
        return {f"{metric}[{name}]": value for metric, value in values.items()}

    def _check_kind(self, name: str, found: Measurement, endpoint: Endpoint | None) -> None:
        """
        Raises:
            UnlikeDevice: it was measured elsewhere, on another kind of device than what was measured before.
        """
        if endpoint is None or self._configs[name].any_device:
            return
        here, where = identity(found.conditions), found.conditions.get("host") or found.conditions.get("address", "it")
        known = self._begun.setdefault(name, dict(endpoint.kind) or here)
        if why := difference(name, known, here, where):
            raise UnlikeDevice(why, endpoint.url)

    def _target(self, name: str) -> Target:
        if name not in self._made:
            config = self._configs[name]
            wanted = tuple(extra for extra in self._extras.get(name, ()) if extra != "size_mb")
            self._made[name] = (
                Remote(name, config, wanted, self._device_lock.released)
                if config.remote
                else Local(name, config, self._device_lock, wanted, self._cache.folder)
            )
        return self._made[name]

    def _key(self, name: str, network: nn.Module, genome: Genome, seconds: float) -> str:
        architecture = [self._space.signature(), list(self._space.canonical(genome))]
        config = self._configs[name]
        apart = {"max_remeasurements", "token_env", "timeout_s", "includes", "screen", "any_device"}
        section = {**config.model_dump(exclude=apart), "max_seconds": seconds}
        device = ["" if config.remote else platform.node(), dict(self._target(name).conditions)]
        whole, inputs = self.whole(name, network)
        return cache_key([architecture, to_plain(inputs), section, device, list(self._extras.get(name, ()))], whole)
