"""The energy of a forward pass is read from the counters of the device.

A CPU's are read here, and not by zeus: it would leave a process behind for each of them, which watches for the counter
to start anew, and which runs the user's script once more where that has no `if __name__ == "__main__"`. No window of a
second sees a counter start anew twice.
"""

import math
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from evonas.config import TargetConfig
from evonas.errors import UserError
from evonas.measuring.backends import devices
from evonas.measuring.interleaved_timing import Passes
from evonas.text import describe_error

WINDOW_S = 1.0
"""A GPU's counter moves some ten times a second."""
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


class Meter:
    """The meter sees the energy of all that the device does, idle power included: of a CPU its packages and their
    memory, of a GPU the board.

    Args:
        name: of the target, for messages.
        config: the target's.
        counters: to read instead of those of the device.

    Raises:
        UserError: there is no counter, or no library to read it.
    """

    def __init__(self, name: str, config: TargetConfig, counters: Sequence[Counter] = ()) -> None:
        self._what = f"targets.{name}: energy_mj"
        self._counters = counters or _counters(self._what, config)

    def per_pass(self, run: Passes, ms: float) -> float:
        """Measure one pass, from as many as take a second.

        Args:
            run: runs passes.
            ms: what one takes.

        Returns:
            Millijoules.

        Raises:
            UserError: the counter stands still.
        """
        count = max(1, math.ceil(1000 * WINDOW_S / ms))
        before = [counter.read() for counter in self._counters]
        run(count)
        after = [counter.read() for counter in self._counters]
        used = sum((b - a) % counter.wraps_at for a, b, counter in zip(before, after, self._counters, strict=True))
        if not used > 0:
            raise UserError(f"{self._what}: the energy counter stands still on {platform.node()}")
        return used / count


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
    os.environ.setdefault("ZEUS_LOG_LEVEL", "WARNING")
    try:
        from zeus.device import get_gpus
    except ImportError:
        raise UserError(f"{what} of a GPU is read with zeus; pip install 'evonas[energy]'") from None
    gpus: Any = get_gpus()
    if not gpus.supportsGetTotalEnergyConsumption(position):
        raise LookupError("GPUs have one since Volta")
    return Counter(lambda: float(gpus.getTotalEnergyConsumption(position)))
