"""The energy of a forward pass is read from the counters of the device.

A GPU's moves some ten times a second: a window of a second that began anywhere would be off by up to a tenth. So
windows begin and end where it moves, while passes go on, and there are several, whose interval is told.
"""

import math
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from evonas.config import TargetConfig
from evonas.errors import UserError
from evonas.installing import how_to_install
from evonas.measuring.backends import devices
from evonas.measuring.interleaved_timing import Passes, interval
from evonas.measuring.nvml import NvmlGpu
from evonas.text import describe_error

WINDOW_S, WINDOWS = 1.0, 3
"""No window of a second sees a CPU's counter start anew twice."""
STEP_MS = 2.0
"""Passes between two looks at the counter take so long: its move is seen that late, at either end of a window."""
STILL_S = 5.0
"""A counter that has not moved for so long stands still."""
POWERCAP = Path("/sys/class/powercap")
COUNTED = ("package", "dram")
"""The zones of a CPU that hold no other one of them (RAPL, Intel and AMD)."""


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter of energy.

    Args:
        read: gives the millijoules so far.
        wraps_at: where it starts anew.
    """

    read: Callable[[], float]
    wraps_at: float = math.inf


@dataclass(frozen=True, slots=True)
class Energy:
    """The energy of a pass.

    Args:
        mj: millijoules, the median over windows.
        low, high: the interval of the windows.
    """

    mj: float
    low: float
    high: float


class Meter:
    """The meter sees the energy of all that the device does, idle power included: of a CPU its packages and their
    memory, of a GPU the board.

    Args:
        name: of the target, for messages.
        config: the target's.
        counters: to read instead of those of the device.
        clock: seconds.

    Raises:
        UserError: there is no counter, or no library to read it.
    """

    def __init__(
        self,
        name: str,
        config: TargetConfig,
        counters: Sequence[Counter] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock, self._last = clock, tuple[float, ...]()
        self._what = f"targets.{name}: energy_mj"
        self._counters = counters or _counters(self._what, config)

    def per_pass(self, run: Passes, ms: float) -> Energy:
        """Measure one pass, in windows of a second that begin and end where a counter moves.

        Args:
            run: runs passes.
            ms: what one takes.

        Raises:
            UserError: the counter stands still.
        """
        step = max(1, round(STEP_MS / ms))
        self._to_tick(run, step)
        windows = [self._window(run, step) for _ in range(WINDOWS)]
        return Energy(median(windows), *interval(windows))

    def _window(self, run: Passes, step: int) -> float:
        """Millijoules of one pass, from the last tick to the first one after a second."""
        begun, before, passes = self._clock(), self._last, 0
        while not passes or self._clock() - begun < WINDOW_S:
            passes += self._to_tick(run, step)
        moved = zip(before, self._last, self._counters, strict=True)
        return sum((now - then) % counter.wraps_at for then, now, counter in moved) / passes

    def _to_tick(self, run: Passes, step: int) -> int:
        """Run so many passes again and again until a counter has moved.

        Returns:
            How many passes that were.
        """
        passes, until = 0, self._clock() + STILL_S
        before = self._last = tuple(counter.read() for counter in self._counters)
        while self._last == before:
            if passes and self._clock() >= until:
                raise UserError(f"{self._what}: the energy counter stands still on {platform.node()}")
            run(step)
            passes += step
            self._last = tuple(counter.read() for counter in self._counters)
        return passes


def _counters(what: str, config: TargetConfig) -> Sequence[Counter]:
    kind = config.device.partition(":")[0]
    known: dict[str, Callable[[], Sequence[Counter]]] = {
        "cpu": lambda: list(_rapl()),
        "cuda": lambda: [_nvml(what, devices.index(config))],
    }
    try:
        found, why = known[kind]() if kind in known else [], "there is none that can be read"
    except UserError:
        raise
    except Exception as error:
        found, why = [], describe_error(error)
    if not found:
        raise UserError(f"{what} needs an energy counter; {platform.node()} has none for {config.device} ({why})")
    return found


def _rapl() -> Iterator[Counter]:
    """The files can be read by root alone, unless their permissions are changed."""
    for zone in sorted(POWERCAP.glob("intel-rapl:*")):
        if (zone / "name").read_text().startswith(COUNTED):
            _millijoules(zone / "energy_uj")
            yield Counter(partial(_millijoules, zone / "energy_uj"), _millijoules(zone / "max_energy_range_uj"))


def _millijoules(file: Path) -> float:
    return int(file.read_text()) / 1000


def _nvml(what: str, position: int) -> Counter:
    _, uuid = devices.gpu(position)
    try:
        counter = Counter(NvmlGpu(uuid).millijoules)
    except ImportError:
        raise UserError(f"{what} of a GPU is read with nvidia-ml-py; {how_to_install('gpu')}") from None
    counter.read()  # finds fault now
    return counter
