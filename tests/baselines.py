"""What the reference network takes on this machine, which searches of tests need not find out with patience each."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

GLANCES = 40


def find_out() -> None:
    """Keeps it at a glance, where a search takes seconds, for targets of torch on one thread of the processor."""
    from evonas.config import TargetConfig
    from evonas.measuring.benchmark import PROTOCOL, LatencyBenchmark
    from evonas.measuring.device_lock import DeviceLock
    from evonas.measuring.reference import reference

    bench = LatencyBenchmark("cpu", TargetConfig(), reference(), DeviceLock([], enabled=False))
    run = bench._reference.passes
    run(1)
    ms = min(run(GLANCES))
    for alone in (True, False):
        bench._baselines.keep([PROTOCOL, alone, bench._baseline_of], ms)


def place(temporary: Path) -> Path:
    """Where searches keep it whose folder for temporary files this is."""
    return temporary / f"evonas-devices-{os.getuid()}"


def share(temporary: Path) -> None:
    """What this process knows is known in another folder for temporary files."""
    link(place(Path(tempfile.gettempdir())), place(temporary))


def link(here: Path, there: Path) -> None:
    """What is known here is known there, too. Each test asks for it twice, so nothing is done where nothing is new."""
    new = _known(here) - _known(there)
    if new:
        there.mkdir(mode=0o700, exist_ok=True)
    for name in new:
        with suppress(OSError):  # it is there meanwhile
            os.link(here / name, there / name)


def _known(folder: Path) -> set[str]:
    try:
        return {name for name in os.listdir(folder) if name.startswith("reference-") and name.endswith(".json")}
    except FileNotFoundError:
        return set()
