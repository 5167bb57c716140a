"""Ray's launcher, which starts Ray anew on a head that runs and so would end the search there."""

from collections.abc import Callable
from pathlib import Path

from evonas.launch.ray_launcher import head_files
from evonas.launch.state import change, read


def keeps_head(folder: Path, place: str) -> bool:
    """Whether `up` leaves a head that runs as it is: one that it has started, or of whose start nothing is known.

    Args:
        folder: With the state of the cluster.
        place: As the state knows it.
    """
    state = read(folder)
    return state.started or place not in state.owns


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
    head_files.keep(launch_file)
    change(folder, started=True)
