"""From a run's record back to its networks, and to the search it came from."""

import hashlib
from collections.abc import Mapping
from typing import Any

import pandas as pd
import safetensors
import safetensors.torch
from torch import nn

from evonas.config import Config, Kind, construct, validated
from evonas.evaluation import TASKS, Task
from evonas.objectives import Objectives
from evonas.records import TaskSpec, UserError
from evonas.spaces import SPACES
from evonas.spaces.space import Space
from evonas.store import Folder, weights_name
from evonas.verify import Verdict, verify


def rebuild(folder: Folder, description: Mapping[str, Any], row: "pd.Series[Any]", space: Space | None) -> nn.Module:
    """The trained network of one row of `evaluations`."""
    path = f"{folder}/{weights_name(row['candidate'])}"
    try:
        data = folder.read(weights_name(row["candidate"]))
    except FileNotFoundError:
        raise UserError(
            f"the weights of candidate {row['candidate']} ({row['status']}) are not kept: "
            f"a run keeps those of its front; {folder}/weights has the others"
        ) from None
    if hashlib.sha256(data).hexdigest() != row["weights_sha256"]:
        raise UserError(f"{path} is damaged: its SHA-256 is not the recorded one; restore it from a copy")
    space = space_of(description, space)
    network = space.build(space.decode(tuple(row["genome"])), task_of(description))
    try:
        state = safetensors.torch.load(data)
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise UserError(f"{path} is not a safetensors file: {str(error).splitlines()[0]}") from None
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(f"{path} is of another network: has its build changed? {str(error).splitlines()[0]}") from None
    return network.eval()


def derive(folder: Folder, description: Mapping[str, Any], space: Space | None) -> Verdict:
    """`verify` with the parts that run.json names."""
    config = config_of(folder, description)
    objectives = Objectives(config, task_of(description))
    return verify(folder, config, space_of(description, space), objectives)


def config_of(folder: Folder, description: Mapping[str, Any]) -> Config:
    return validated(Config, description["config"], f"{folder}/run.json: config")


def task_of(description: Mapping[str, Any]) -> TaskSpec:
    task = description["task"]
    return TaskSpec(**{**task, "input_shape": tuple(task["input_shape"])})


def loaded(folder: Folder, description: Mapping[str, Any]) -> Task:
    """The run's task with its data, as the config names it."""
    section = Kind.model_validate(description["config"]["task"])
    if section.kind not in TASKS:
        raise UserError(f"the task {section.kind!r} of this run is not evonas's own: make it as you did for the search")
    task = construct(TASKS, section, "task")
    if task.spec != task_of(description):
        raise UserError(f"the data of {folder} have changed: {task.spec} now, {task_of(description)} then")
    return task


def space_of(description: Mapping[str, Any], space: Space | None) -> Space:
    """The run's space, which must be the one it was searched with.

    Raises:
        UserError: it is the user's own and not given, or its genes have changed.
    """
    section = Kind.model_validate(description["config"]["space"])
    if space is None:
        if section.kind not in SPACES:
            raise UserError(
                f"the space {section.kind!r} of this run is not evonas's own: give it (space=, or --import)"
            )
        space = construct(SPACES, section, "space")
    if space.signature() != description["space"]:
        raise UserError(f"the genes of {section.kind} have changed since the run: {description['space']} then")
    return space
