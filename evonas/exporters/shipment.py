"""A network of a run as it is to leave it: with what comes before it, and what a file is to say of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

import evonas
from evonas.errors import UserError
from evonas.exporters.exporter import named, shipped
from evonas.inputs import called, example, mapped
from evonas.records import Inputs, InputSpec
from evonas.runs.rebuild import task_of
from evonas.runs.run import Run
from evonas.tasks.data_record import prepare_of, recorded_data, stored_example


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A network with weights.

    Args:
        network: in evaluation mode.
        sha256: of the file of its weights in the run folder.
        by: what trained it, for people.
    """

    network: nn.Module
    sha256: str
    by: str


@dataclass(frozen=True, slots=True, eq=False)
class Shipment:
    """A network of a run as it is to leave it.

    Args:
        network: with what the task does to stored examples before it, in evaluation mode on the CPU.
        x: two examples that it takes.
        trained: the network by itself.
        labels: what a file is to say of it: run, candidate, task, classes, inputs, output, weights_sha256, evonas.
        note: what there is to know of it; "" where there is nothing.
    """

    network: nn.Module
    x: Any
    trained: Trained
    labels: Mapping[str, str]
    note: str

    @property
    def inputs(self) -> Inputs:
        """What it takes in, as a measurement makes it up."""
        found = {name: _spec(part) for name, part in named(self.x).items()}
        return found if isinstance(self.x, Mapping) else found["input"]


def shipment(run: Run, candidate: int) -> Shipment:
    """A network of a run as it is to leave it.

    Args:
        run: with its weights.
        candidate: on its front.

    Raises:
        UserError: no such candidate, or its weights are not kept.
    """
    trained = weights_of(run, candidate)
    prepare, x, note = _before(run)
    network = shipped(prepare, trained.network)
    return Shipment(network, x, trained, _labels(run, candidate, trained, network, x), note)


def weights_of(run: Run, candidate: int) -> Trained:
    """With which weights a candidate is exported.

    Raises:
        UserError: no such candidate, or its weights are not kept.
    """
    network = run.build(candidate)
    row = run.evaluations[run.evaluations["candidate"] == candidate].iloc[0]
    return Trained(network, str(row["weights_sha256"]), "the search")


def _labels(run: Run, candidate: int, trained: Trained, network: nn.Module, x: Any) -> dict[str, str]:
    record = recorded_data(run.description, run.folder)
    with torch.no_grad():
        y = called(network, x)
    return {
        "run": str(run.description["id"]),
        "candidate": str(candidate),
        "task": str(run.description["task"]["name"]),
        "classes": json.dumps(record.classes if record else []),
        "inputs": json.dumps({name: _plain(part) for name, part in named(x).items()}),
        "output": json.dumps(_plain(y)),
        "weights_sha256": trained.sha256,
        "evonas": evonas.__version__,
    }


def _plain(part: torch.Tensor) -> dict[str, Any]:
    return {"dtype": _dtype(part), "shape": ["N", *part.shape[1:]]}


def _dtype(part: torch.Tensor) -> str:
    return str(part.dtype).removeprefix("torch.")


def _spec(part: torch.Tensor) -> InputSpec:
    whole = not part.is_floating_point() and part.dtype != torch.bool
    return InputSpec(tuple(part.shape[1:]), _dtype(part), 1 + max(0, int(part.max())) if whole else None)


def _before(run: Run) -> tuple[nn.Module, Any, str]:
    """What comes before the networks of a run, two examples that it takes, and what there is to know of it.

    The run folder knows what the tasks of evonas do; what a task of the user's own does, the task alone knows.
    """
    record = recorded_data(run.description, run.folder)
    takes = task_of(run.description).input
    if record and (prepare := prepare_of(record)):
        if record.unprepared:
            return prepare, mapped(torch.from_numpy, example(takes, batch=2)), ""
        tokens = takes.high if isinstance(takes, InputSpec) and takes.high else 100
        return prepare, stored_example(record, 2, tokens), ""
    try:
        task = run.task()
    except UserError as reason:  # a task of the user's own, or its data are elsewhere
        taken = "so the file takes what the task's `prepare` gives, and not the data as they are stored"
        x = mapped(torch.from_numpy, example(takes, batch=2))
        return nn.Identity(), x, f"{reason}; {taken}"
    x = mapped(torch.from_numpy, task.splits.test.read(np.arange(2) % len(task.splits.test))[0])
    return task.prepare, x, ""
