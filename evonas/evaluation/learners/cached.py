"""A cache of trainings across runs, around any learner: what was trained before is told again, epoch by epoch.

An entry is a file named by all that a training depends on, so that another recipe, other data or another evonas find
none; it begins with the checksum of the rest, so that a damaged one is none. Only trainings that came to their end are
kept, with the weights that they ended with.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from evonas import atomic_files
from evonas.evaluation.learners.learner import Learner, TrainingSetup
from evonas.evaluation.training.precision import precision
from evonas.evaluation.training.saved_state import copied
from evonas.records import Candidate, Epoch
from evonas.spaces.space import Space

ONLY_STOPS = {"rungs", "promote", "before", "stopping", "checkpoints_mb"}
"""Keys of `training` that decide who is stopped, and not what is reached."""
CACHED = "trained_by"
"""Condition of a row that says where its network was trained."""
DIGEST = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True)
class Training:
    """What is kept of one.

    Args:
        epochs: as they were told; `scores` of the last.
        weights: of the network at the end.
        origin: where it was trained, for people.
    """

    epochs: Sequence[Epoch]
    weights: Mapping[str, Tensor]
    origin: str


class Cached:
    """A learner that looks first whether a training is known.

    Args:
        learner: which trains what is not.
        folder: of the entries; it is there, and reached by all workers.
        space: of the genomes.
        recipe: of the search, as plain data: all that decides a training besides genome and `training`.
        owner: the run folder, for people.
    """

    def __init__(self, learner: Learner, folder: Path, space: Space, recipe: Mapping[str, Any], owner: str) -> None:
        self._learner, self._folder, self._space = learner, folder, space
        self._recipe, self._owner = recipe, owner

    @property
    def trains(self) -> bool:
        """As the learner's."""
        return self._learner.trains

    def epochs(self, network: nn.Module, candidate: Candidate, setup: TrainingSetup) -> Iterator[Epoch]:
        """Tell of a training that is known, or train; see `Learner`."""
        path = self._folder / f"{self._key(network, candidate, setup)}.training"
        if not setup.start and (known := _read(path)):  # what is paused goes on with its own training
            network.load_state_dict(dict(known.weights))
            setup.note(CACHED, known.origin)
            yield from known.epochs
            return
        told = []
        for epoch in self._learner.epochs(network, candidate, setup):
            told.append(epoch)
            yield epoch
        origin = f"candidate {candidate.index} of {self._owner}, seed {candidate.seed}"
        _write(path, Training(told, copied(network.state_dict()), origin), setup)

    def _key(self, network: nn.Module, candidate: Candidate, setup: TrainingSetup) -> str:
        device = setup.data.device
        everything = {
            **self._recipe,
            "genome": self._space.canonical(candidate.genome),
            "network": [(name, tuple(tensor.shape)) for name, tensor in network.state_dict().items()],
            "training": setup.training.model_dump(mode="json", exclude=ONLY_STOPS),
            "device": device.type,
            "precision": precision(setup.training, device),
            "versions": [version("evonas"), str(torch.__version__)],
        }
        return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


def _write(path: Path, training: Training, setup: TrainingSetup) -> None:
    """A cache that cannot be written costs no candidate its row."""
    if not training.epochs or training.epochs[0].epoch > 1:  # went on from where it was paused
        return
    epochs = [[e.epoch, e.train_loss, e.valid_loss, e.valid_metric, dict(e.metrics)] for e in training.epochs]
    scores = {name: data.hex() for name, data in training.epochs[-1].scores.items()}
    text = json.dumps({"epochs": epochs, "scores": scores, "origin": training.origin}).encode()
    body = len(text).to_bytes(8) + text + save(dict(training.weights))
    try:
        atomic_files.replace(path, hashlib.sha256(body).digest() + body)
    except OSError as error:
        setup.note("cache", f"not written: {error.strerror}")


def _read(path: Path) -> Training | None:
    """None where there is none, or a damaged one, in whose place a new one comes."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, body = data[:DIGEST], data[DIGEST:]
    if hashlib.sha256(body).digest() != digest:
        return None
    end = 8 + int.from_bytes(body[:8])
    told = json.loads(body[8:end])
    scores = {name: bytes.fromhex(text) for name, text in told["scores"].items()}
    epochs = [Epoch(*numbers) for numbers in told["epochs"]]
    epochs[-1] = replace(epochs[-1], scores=scores)
    return Training(epochs, load(body[end:]), told["origin"])
