"""The contract of a tracker: see `evonas.tracking.tracker.Tracker`."""

import contextlib
import copy
import io
import threading
from collections.abc import Callable
from pathlib import Path

from evonas.testing.checks import attempt, require
from evonas.tracking.tracker import Member, RunInfo, Tracker

VALUES = {"evaluated": 4.0, "front": 2.0, "hypervolume": 0.5, "best/latency_ms/cpu": 1.5}


def check_tracker(make: Callable[[RunInfo], Tracker], folder: str | Path, timeout_s: float = 120) -> None:
    """Make sure that a tracker takes what a search tells it, from one start to the next, in a thread of its own.

    What people then find in it is for a test of its own.

    Args:
        make: the constructor.
        folder: an empty one, the run's.
        timeout_s: longest that all of it may take.

    Raises:
        AssertionError: it does not; says where.
    """
    about = RunInfo("0123456789abcdef", "run", str(folder), {"seed": 0, "strategy.population": 8, "record": []})
    failures: list[BaseException] = []

    def tell() -> None:
        try:
            _tell(make, about)
        except BaseException as error:
            failures.append(error)

    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        thread = threading.Thread(target=tell, daemon=True)
        thread.start()
        thread.join(timeout_s)
    require(not thread.is_alive(), f"it has not taken everything after {timeout_s:g} s")
    if failures:
        raise failures[0]
    require(not said.getvalue(), f"it prints {said.getvalue().splitlines()[:1]} into the output of the search")


def _tell(make: Callable[[RunInfo], Tracker], about: RunInfo) -> None:
    """An interrupted search, the same that goes on and loses a member of its front, and the same told of once more."""
    members = [_member(about, index) for index in (0, 3)]
    for finished, front in ((False, None), (True, members), (True, members[1:]), (True, [])):
        before = copy.deepcopy((about, members))
        values = dict(VALUES)
        with attempt("the constructor"):
            tracker = make(about)
        for step in (1, 4):
            with attempt("log"):
                tracker.log(step, values)
        require(values == VALUES, "log changes the values that it is given")
        if front is not None:
            with attempt(f"front, of {len(front)} networks"):
                tracker.front(front)
        with attempt("close"):
            tracker.close(finished)
        require((about, members) == before, "it changes the search or the networks that it is told of")


def _member(about: RunInfo, index: int) -> Member:
    """With names that not every server takes, values of every type, and once without a learning curve."""
    return Member(
        candidate=index,
        architecture={"stem": 8, "blocks": [{"op": "conv", "wide": True}, {"op": "skip", "wide": False}]},
        genes={"stem": 8, "blocks.0.op": "conv", "blocks.0.wide": True, "rate": 0.5},
        metrics={"error": 0.25, "latency_ms[pi@home (old)]": 1.5},
        curve={"train_loss": [1.0, 0.5], "valid_loss": [1.1, 0.6]} if index else {},
        weights=f"{about.folder}/weights/{index:06d}.safetensors",
    )
