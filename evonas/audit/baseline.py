"""The random search that a run is compared with: the same config with another strategy, as many evaluations."""

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from evonas import analysis
from evonas.config import MUTABLE_SECTIONS
from evonas.errors import UserError
from evonas.runs.run import Run
from evonas.start import PreparedSearch, prepare
from evonas.store import as_last_started, is_run, open_folder, read_starts

FREE = (*MUTABLE_SECTIONS, "strategy", "schedule", "seed")
"""Sections in which a baseline may be another search."""


def default_folder(run: Run) -> str:
    """Beside the run, with its name and -random."""
    return f"{str(run.folder).rstrip('/')}-random"


def baseline_of(run: Run, folder: str) -> Run | None:
    """The baseline of a run; None where there is none yet.

    Args:
        run: which it is compared with.
        folder: of the baseline.

    Raises:
        UserError: the folder holds a run that cannot be compared.
    """
    if not is_run(open_folder(folder)):
        return None
    baseline = Run(folder)
    kind = baseline.description["config"]["strategy"]["kind"]
    if kind != "random":
        raise UserError(f"{folder} is a search by {kind}; a baseline is one by random")
    if difference := _difference(run.description, baseline.description):
        raise UserError(f"{folder} is no baseline of {run.folder}: {difference}; give another --baseline")
    return baseline


def is_done(run: Run, baseline: Run) -> bool:
    """Whether a baseline has ended, with a budget of as many evaluations as the run has."""
    last = _last_start(baseline)
    return bool(last.get("ended")) and (last["budget"].get("evaluations") or 0) >= len(run.evaluations)


def _last_start(run: Run) -> dict[str, Any]:
    """Not `Run.state`: a finished search whose networks are being trained to the end is held by that."""
    return (read_starts(run.folder) or [{}])[-1]


def check_random(run: Run) -> None:
    """
    Raises:
        UserError: the run is a random search, or not finished, so that there is nothing to make a baseline of.
    """
    if run.description["config"]["strategy"]["kind"] == "random":
        raise UserError(f"{run.folder} is a random search itself; a baseline is for searches by another strategy")
    if not _last_start(run).get("ended"):
        raise UserError(f"{run.folder} is {run.state}; a baseline takes as many evaluations as a finished run")


def prepare_baseline(run: Run, folder: str, modules: Sequence[ModuleType] = ()) -> PreparedSearch:
    """The random search that a run is compared with, checked, to begin or to go on. Writes nothing.

    Of the run it has the seed (so that what is drawn at random before a strategy knows anything is the same in both),
    space, task, objectives, training with its early stopping, schedule, and the runtime of the last start. Its budget
    is as many evaluations as the run has: they do not depend on what else a machine is busy with, as hours do.

    Args:
        run: finished.
        folder: of the baseline.
        modules: the user's own.

    Raises:
        UserError: the run cannot have a baseline, or the folder holds another search.
    """
    check_random(run)
    if evaluator := run.description["evaluator"]:
        raise UserError(
            f"{run.folder} was evaluated by {evaluator}, which this command does not have; search with strategy random "
            f"as you searched, into {folder}"
        )
    return prepare(config_of_baseline(run), run=folder, modules=modules)


def config_of_baseline(run: Run) -> dict[str, Any]:
    """The config of the random search that a run is compared with, as plain data."""
    starts = read_starts(run.folder)
    config = as_last_started(run.description["config"], starts)
    for start in starts:
        config |= {section: start[section] for section in ("budget", "runtime") if section in start}
    budget = {"evaluations": len(run.evaluations), "same_failure": config["budget"].get("same_failure", 0.5)}
    return {**config, "strategy": {"kind": "random"}, "budget": budget, "tracking": []}


def _difference(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    one, other = (dict(analysis.leaves(_compared(own))) for own in (ours, theirs))
    for key in dict.fromkeys((*one, *other)):
        if one.get(key) != other.get(key):
            return f"{key.removeprefix('config.')} is {other.get(key)} there, {one.get(key)} here"
    return ""


def _compared(description: Mapping[str, Any]) -> dict[str, Any]:
    config = {key: own for key, own in description["config"].items() if key not in FREE}
    config["task"] = {key: own for key, own in config["task"].items() if key != "path"}  # data may have moved
    config["training"] = {key: own for key, own in config["training"].items() if key != "supernet"}  # so may this
    parts = {key: description.get(key) for key in ("data", "evaluator", "supernet")}
    return {"config": config, **parts}
