"""A network of a run as it is to leave it: with what comes before it, and what a file is to say of it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import nn

from evonas.errors import UserError
from evonas.exporters.columns import columns
from evonas.exporters.exporter import named, shipped
from evonas.exporters.names import names
from evonas.exporters.texts import in_metadata, texts
from evonas.inputs import called, example, mapped
from evonas.records import Inputs, InputSpec
from evonas.runs.data import data_for_others
from evonas.runs.rebuild import task_of
from evonas.runs.run import Run
from evonas.store import weights_name
from evonas.tasks.data_record.example import stored_example
from evonas.tasks.data_record.prepare import finish_of, prepare_of
from evonas.tasks.data_record.record import DataRecord
from evonas.tasks.data_record.run_json import recorded_data
from evonas.text import counted

Which = Literal["newest", "search"]
"""Which weights are meant: those of `evonas train` where there are some, or those of the search."""


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A network with weights.

    Args:
        network: in evaluation mode.
        sha256: of the file of its weights in the run folder.
        finished: its row of `Run.final`; None where the weights are those of the search.
    """

    network: nn.Module
    sha256: str
    finished: "pd.Series[Any] | None" = None

    @property
    def by(self) -> str:
        """What trained it, for people."""
        if self.finished is None:
            return "the search, trained on train"
        row = self.finished
        epochs, seeds = counted(int(row["epochs"]), "epoch"), counted(int(row["seeds"]), "seed")
        return f"evonas train, {epochs} on {row['fit_on']}, the first of {seeds}"

    @property
    def learned_from_valid(self) -> bool:
        """Whether the validation examples are among those that it has learned from."""
        return self.finished is not None and "valid" in str(self.finished["fit_on"])


@dataclass(frozen=True, slots=True, eq=False)
class Shipment:
    """A network of a run as it is to leave it.

    Args:
        network: with what the task does to stored examples before it, in evaluation mode on the CPU.
        x: two examples that it takes.
        trained: the network by itself.
        labels: what a file is to say of it: run, candidate, task, classes, inputs, output, weights_sha256,
            trained_by, evonas, and what `beside` has.
        beside: what stands in files beside it, as JSON: columns where the data are a table, names where the numbers
            it takes have some, text where it takes texts.
        note: what there is to know of it; "" where there is nothing.
    """

    network: nn.Module
    x: Any
    trained: Trained
    labels: Mapping[str, str]
    beside: Mapping[str, str]
    note: str

    @property
    def inputs(self) -> Inputs:
        """What it takes in, as a measurement makes it up."""
        found = {name: _spec(part) for name, part in named(self.x).items()}
        return found if isinstance(self.x, Mapping) else found["input"]


def shipment(run: Run, candidate: int, weights: Which = "newest") -> Shipment:
    """A network of a run as it is to leave it.

    Args:
        run: with its weights.
        candidate: on its front, or trained to the end.
        weights: as `weights_of` takes them.

    Raises:
        UserError: no such candidate, or its weights are not kept.
    """
    trained = weights_of(run, candidate, weights)
    prepare, x, finish, note = _around(run)
    network = shipped(prepare, trained.network, finish)
    record = data_for_others(run)
    beside = _beside(record)
    labels = {**_labels(run, candidate, trained, network, x), "classes": json.dumps(record.classes if record else [])}
    labels |= {name: in_metadata(told) if name == "text" else told for name, told in beside.items()}
    return Shipment(network, x, trained, labels, beside, note)


def _beside(record: DataRecord | None) -> dict[str, str]:
    found = {"columns": columns(record), "names": names(record), "text": texts(record)}
    return {name: told for name, told in found.items() if told}


def weights_of(run: Run, candidate: int, weights: Which = "newest") -> Trained:
    """With which weights a candidate is exported.

    Args:
        run: with its weights.
        candidate: its number.
        weights: search: those of the search. newest: those of `evonas train` where there are some.

    Raises:
        UserError: no such candidate, or its weights are not kept.
    """
    network = run.build(candidate, weights)
    finished = run.final[(run.final["candidate"] == candidate) & (run.final["status"] == "ok")]
    if weights == "newest" and len(finished):
        return Trained(network, str(finished.iloc[0]["weights_sha256"]), finished.iloc[0])
    file = run.folder.read(weights_name(candidate))  # of a re-used network, not what its row says, but trained again
    return Trained(network, hashlib.sha256(file).hexdigest())


def _labels(run: Run, candidate: int, trained: Trained, network: nn.Module, x: Any) -> dict[str, str]:
    with torch.no_grad():
        y = called(network, x)
    return {
        "run": str(run.description["id"]),
        "candidate": str(candidate),
        "task": str(run.description["task"]["name"]),
        "inputs": json.dumps({name: _plain(part) for name, part in named(x).items()}),
        "output": json.dumps(_plain(y)),
        "weights_sha256": trained.sha256,
        "trained_by": trained.by,
        "evonas": version("evonas"),
    }


def _plain(part: torch.Tensor) -> dict[str, Any]:
    return {"dtype": _dtype(part), "shape": ["N", *part.shape[1:]]}


def _dtype(part: torch.Tensor) -> str:
    return str(part.dtype).removeprefix("torch.")


def _spec(part: torch.Tensor) -> InputSpec:
    whole = not part.is_floating_point() and part.dtype != torch.bool
    return InputSpec(tuple(part.shape[1:]), _dtype(part), 1 + max(0, int(part.max())) if whole else None)


def _around(run: Run) -> tuple[nn.Module, Any, nn.Module | None, str]:
    """What comes before the networks of a run, two examples that it takes, what comes behind them, and what there is to
    know of it.

    The run folder knows what the tasks of evonas do; what a task of the user's own does, the task alone knows.
    """
    record = recorded_data(run.description, run.folder)
    takes = task_of(run.description).input
    if record and (prepare := prepare_of(record)):
        if record.unprepared:
            return prepare, mapped(torch.from_numpy, example(takes, batch=2)), finish_of(record), ""
        tokens = takes.high if isinstance(takes, InputSpec) and takes.high else 100
        return prepare, stored_example(record, 2, tokens), finish_of(record), ""
    try:
        task = run.task()
    except UserError as reason:  # a task of the user's own, or its data are elsewhere
        taken = "so the file takes what the task's `prepare` gives, and not the data as they are stored"
        x = mapped(torch.from_numpy, example(takes, batch=2))
        return nn.Identity(), x, finish_of(record) if record else None, f"{reason}; {taken}"
    x = mapped(torch.from_numpy, task.splits.test.read(np.arange(2) % len(task.splits.test))[0])
    return task.prepare, x, task.finish, ""
