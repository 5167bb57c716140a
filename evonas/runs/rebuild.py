"""From a run's record back to its networks, and to the search it came from."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
import safetensors
import safetensors.torch
from torch import nn

from evonas.config import Config, PartConfig
from evonas.config.loading import overridden
from evonas.config.messages import validated
from evonas.config.options import construct
from evonas.errors import UserError
from evonas.evaluation.untrained.costs import parameters
from evonas.inputs import from_plain
from evonas.objectives.objectives import Objectives
from evonas.paths import expanded
from evonas.records import TaskSpec
from evonas.runs.verify import Verdict, verify
from evonas.spaces import SPACES
from evonas.spaces.space import Space
from evonas.spaces.units import built
from evonas.store import Folder, as_last_started, read_retrained, read_starts, weights_name
from evonas.store.final import read_weights
from evonas.supernet.file import read as read_supernet
from evonas.tasks import TASKS, Task
from evonas.tasks.data_record.describing import data_record
from evonas.tasks.data_record.difference import data_difference
from evonas.tasks.data_record.run_json import recorded_data
from evonas.tasks.given import how_to_give, is_given, may_be_given
from evonas.text import describe_error

RECOUNTED = 20
"""Candidates beside the front whose parameters `verify` counts again."""


def rebuild(folder: Folder, description: Mapping[str, Any], row: "pd.Series[Any]", space: Space | None) -> nn.Module:
    """The trained network of one row of `evaluations`."""
    if evaluator := description.get("evaluator"):
        raise UserError(f"{folder} was evaluated by {evaluator}: no network was trained, so there are no weights")
    path = f"{folder}/{weights_name(row['candidate'])}"
    try:
        data = folder.read(weights_name(row["candidate"]))
    except FileNotFoundError:
        front = f"; {folder}/weights has the others" if folder.names("weights") else ", which is empty"
        raise UserError(
            f"the weights of candidate {row['candidate']} ({row['status']}) are not kept: "
            f"a run keeps those of its front{front}"
        ) from None
    again = read_retrained(folder).get(row["candidate"], {}).get("weights_sha256")
    if hashlib.sha256(data).hexdigest() not in (row["weights_sha256"], again):
        raise UserError(f"{path} is damaged: its SHA-256 is not the recorded one; restore it from a copy")
    return _with_weights(description, row, space, data, path)


def rebuild_finished(
    folder: Folder,
    description: Mapping[str, Any],
    row: "pd.Series[Any]",
    finished: "pd.Series[Any]",
    space: Space | None,
) -> nn.Module:
    """The network of one row of `evaluations` with the weights that a row of `Run.final` names."""
    kept = {name: str(finished[name]) for name in ("weights", "weights_sha256")}
    return _with_weights(description, row, space, read_weights(folder, kept), f"{folder}/final/{kept['weights']}")


def _with_weights(
    description: Mapping[str, Any], row: "pd.Series[Any]", space: Space | None, data: bytes, path: str
) -> nn.Module:
    space = space_of(description, space)
    network = built(space, tuple(row["genome"]), task_of(description))
    try:
        state = safetensors.torch.load(data)
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise UserError(f"{path} is not a safetensors file: {str(error).splitlines()[0]}") from None
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(f"{path} is of another network: has its build changed? {str(error).splitlines()[0]}") from None
    return network.eval()


def derive(folder: Folder, description: Mapping[str, Any], evaluations: pd.DataFrame, space: Space | None) -> Verdict:
    """`verify` with the parts that run.json names."""
    config = config_of(folder, description)
    spec, own = task_of(description), space_of(description, space)
    verdict = verify(folder, config, own, Objectives(config, spec))
    if not verdict.difference and (other := _other_supernet(folder, description)):
        return replace(verdict, difference=other)
    return verdict if verdict.difference else recount(verdict, evaluations, own, spec)


def supernet_path(folder: Folder, description: Mapping[str, Any]) -> str:
    """Where the last start had the weights that networks inherited; an empty text where none did."""
    if not description.get("supernet"):
        return ""
    return str(as_last_started(description["config"], read_starts(folder))["training"].get("supernet") or "")


def _other_supernet(folder: Folder, description: Mapping[str, Any]) -> str:
    """In what the file of inherited weights, where it is still there, is not that of the search."""
    recorded, path = description.get("supernet"), supernet_path(folder, description)
    if not (path and (place := expanded(path, "training.supernet")).exists()):
        return ""
    try:
        found = read_supernet(place).sha256
    except UserError as error:
        return str(error)
    if found == recorded:
        return ""
    return (
        f"{path} is another supernet: its SHA-256 is {found}, not {recorded}; where that of the search is elsewhere, "
        f"evonas resume {folder} --set training.supernet=WHERE notes it"
    )


def recount(verdict: Verdict, evaluations: pd.DataFrame, space: Space, spec: TaskSpec) -> Verdict:
    """Build the networks of some rows again, of those with weights (the front) and of a sample of the others: each must
    have as many parameters as its row says. Rows that no network was built for, as in tabular benchmarks, say nothing.
    """
    rows = evaluations[evaluations["params"].notna() & evaluations["conditions"].map(lambda c: "torch" in c)]
    kept = rows["weights_sha256"].fillna("") != ""
    others = rows[~kept]
    chosen = pd.concat([rows[kept], others.iloc[:: max(1, -(-len(others) // RECOUNTED))]])
    for row in chosen.sort_values("candidate").to_dict("records"):
        index = row["candidate"]
        try:
            count = parameters(built(space, tuple(row["genome"]), spec))
        except Exception as error:
            return replace(verdict, difference=f"candidate {index} cannot be built any more: {describe_error(error)}")
        if count != row["params"]:
            return replace(
                verdict, difference=f"candidate {index}: params is {row['params']:,}, but its network has {count:,}"
            )
    return replace(verdict, recounted=len(chosen))


def config_of(folder: Folder, description: Mapping[str, Any]) -> Config:
    return validated(Config, description["config"], f"{folder}/run.json: config")


def task_of(description: Mapping[str, Any]) -> TaskSpec:
    task = description["task"]
    try:
        units = tuple((float(mean), float(deviation)) for mean, deviation in task.get("units", ()))
        starts = tuple(int(place) for place in task.get("starts", ()))
        shape = tuple(task["output_shape"])
        return TaskSpec(task["name"], from_plain(task["input"]), shape, task["metrics"], units, starts)
    except (ValueError, TypeError) as error:  # recorded when that was not checked
        raise UserError(f"the task of this run: {error}") from None


def task_with_data(folder: Folder, description: Mapping[str, Any], overrides: Iterable[str] = ()) -> Task:
    """The task that a run's config names, with its data from where the last start had them; `overrides`
    (task.KEY=VALUE) say where they are now.

    Raises:
        UserError: it is the user's own, or its data cannot be read.
    """
    config = as_last_started(description["config"], read_starts(folder))
    section = PartConfig.model_validate(overridden(config, overrides, "task"))
    if section.kind not in TASKS:
        raise UserError(
            f"the task {section.kind!r} of this run is not evonas's own: give the module that registers it by "
            "--import, or from Python load(RUN, task=...)"
        )
    try:
        return construct(TASKS, section, "task")
    except UserError as reason:
        if not is_given(description["config"]["task"]):
            raise
        now = f"{reason}; " if section.options else ""
        raise UserError(f"{now}the task of {folder} was given to it in Python: {how_to_give(folder)}") from None


def loaded(
    folder: Folder, description: Mapping[str, Any], overrides: Iterable[str] = (), task: Task | None = None
) -> Task:
    """The run's task with its data, which must be those of the search.

    Raises:
        UserError: it is the user's own and not given, its data cannot be read, or they have changed.
    """
    task = task or task_with_data(folder, description, overrides)
    if difference := difference_of_data(folder, description, task):
        given = may_be_given(description["config"]["task"])
        cure = f"; where its task was given to it in Python, give that again: {how_to_give(folder)}" if given else ""
        raise UserError(f"the data of {folder} have changed: {difference}{cure}")
    return task


def difference_of_data(folder: Folder, description: Mapping[str, Any], task: Task) -> str:
    """In what a task's data are not those of the search; empty where they are, as far as the run folder tells."""
    then = recorded_data(description, folder)
    if then and (difference := data_difference(then, data_record(task))):
        return difference
    spec = task_of(description)  # a file of another name is no difference
    return "" if replace(task.spec, name=spec.name) == spec else f"{task.spec} now, {spec} then"


def space_of(description: Mapping[str, Any], space: Space | None) -> Space:
    """The run's space, which must be the one it was searched with.

    Raises:
        UserError: it is the user's own and not given, or its genes have changed.
    """
    section = PartConfig.model_validate(description["config"]["space"])
    if space is None:
        if section.kind not in SPACES:
            raise UserError(
                f"the space {section.kind!r} of this run is not evonas's own: give the module that registers it by "
                f"--import (SPACES[{section.kind!r}] = ...), or from Python load(RUN, space=...)"
            )
        space = construct(SPACES, section, "space")
    if space.signature() != description["space"]:
        raise UserError(f"the genes of {section.kind} have changed since the run: {description['space']} then")
    return space
