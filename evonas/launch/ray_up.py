"""Ray's launcher, which starts Ray anew on a head that runs and so would end the search there."""

from collections.abc import Callable
from pathlib import Path

from evonas.launch.state import change, read


def ray_up(folder: Path, launch_file: Path, head_runs: bool, run: Callable[..., object]) -> None:
    """Starts the cluster of a launch file, unless an earlier line has done so to its end and the head runs.

    Args:
        folder: With the state of the cluster.
        launch_file: As Ray's launcher takes it.
        head_runs: What the cloud says, and not whether a tunnel opens just now.
        run: Runs a program, given as words.
    """
    if head_runs and read(folder).started:
        return
    change(folder, started=False)
    run("ray", "up", "-y", str(launch_file))
    change(folder, started=True)
