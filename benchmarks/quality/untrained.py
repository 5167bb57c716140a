"""What networks of `cell` say before they are trained: zero-cost scores, and what they reach with a supernet's weights.

Computed by evonas's own functions where a network is asked for first, and kept in a file, a line each. Of genomes that
build the same network the first one stands for all, so that each network is built and scored once.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from evonas.config import Config, TrainingConfig
from evonas.evaluation.batches.device_data import to_device
from evonas.evaluation.untrained.costs import COMPUTED
from evonas.objectives.metrics import AGGREGATED
from evonas.objectives.objectives import INHERITED
from evonas.records import Genome
from evonas.spaces.cell import Cell
from evonas.supernet import file as supernets
from evonas.supernet.inheriting import Inheriting
from evonas.supernet.making import Wanted, make
from evonas.supernet.networks import Networks
from evonas.tasks import Split, Splits, Task, classification

SCORED = ("params", "synflow", "naswot", *AGGREGATED)
"""What is computed of each network: what `training.before` goes by here."""
Columns = Mapping[str, float]
Compute = Callable[[Genome], Columns]


class Kept:
    """Columns of networks, those first that a file has.

    Args:
        file: where each network is a line as soon as it is computed; None: nowhere.
        compute: genome -> columns.
    """

    def __init__(self, file: Path | None, compute: Compute) -> None:
        self._file, self._compute = file, compute
        lines = file.read_text().splitlines() if file and file.exists() else []
        rows = [json.loads(line) for line in lines]
        self.rows: dict[Genome, Columns] = {tuple(row.pop("genome")): row for row in rows}
        self._first = _first_of_each()

    def __call__(self, genome: Genome) -> Columns:
        """Those of a network."""
        first = self._first[genome]
        if first not in self.rows:
            self.rows[first] = self._compute(first)
            if self._file:
                with self._file.open("a") as held:
                    held.write(json.dumps({"genome": first, **self.rows[first]}) + "\n")
        return self.rows[first]


def _first_of_each() -> dict[Genome, Genome]:
    """Genome -> the first one that builds the same network."""
    space = Cell(isomorphism="exact")
    first: dict[str, Genome] = {}
    return {genome: first.setdefault(space.identity(genome), genome) for genome in space.genomes()}


def scores(genome: Sequence[int], space: Cell, task: Task, names: Sequence[str], seed: int = 0) -> Columns:
    """Metrics of one untrained network.

    Args:
        genome: of the network.
        space: which builds it.
        task: on whose first training examples the scores are.
        names: of the metrics.
        seed: of the weights.
    """
    torch.manual_seed(seed)
    network = space.build(space.decode(tuple(genome)), task.spec)
    data, training = to_device(task, "cpu"), TrainingConfig(threads=torch.get_num_threads())
    return {name: float(COMPUTED[name](network, task, data, training)) for name in names}


def inheriting(file: Path, config: Config, space: Cell, task: Task, epochs: int) -> Compute:
    """What networks reach with the weights of a supernet, which is made as `evonas supernet` makes it.

    Args:
        file: of the supernet; it is read where it is there.
        config: of a search; its training is that of the supernet.
        space: of the networks.
        task: what they learn.
        epochs: passes over the training examples.
    """
    if not file.exists():
        make(config, space, task, file, Wanted(epochs, audit=0), print)
    supernet = supernets.read(file)
    supernets.check_compatible(supernet, file, space, task)
    inherit, data = Inheriting(supernet.tensors), to_device(task, "cpu")
    networks = Networks(space, task.spec, data.device, config.seed)

    def compute(genome: Genome) -> Columns:
        metrics, _ = inherit(networks(genome), task, data, config.training)
        return {INHERITED + name: value for name, value in metrics.items()}

    return compute


def pictures(file: str | None, side: int = 32, valid: int = 500) -> Task:
    """A task of pictures in a random order, of which scores look at the first 64.

    Args:
        file: with x_train, y_train, x_test, y_test; None: noise.
        side: of a picture, pixels; larger ones are made smaller by means of squares.
        valid: validation examples, drawn from x_test.
    """
    if file:
        held = np.load(file)
        x, y, x_valid, y_valid = (held[name] for name in ("x_train", "y_train", "x_test", "y_test"))
    else:
        x = np.random.default_rng(0).integers(0, 256, (640, 3, side, side), dtype=np.uint8)
        x_valid, y = x, np.arange(640) % 10
        y_valid = y
    order, drawn = (np.random.default_rng(0).permutation(len(labels)) for labels in (y, y_valid))
    train, judged = Split(x[order], y[order]), Split(x_valid[drawn[:valid]], y_valid[drawn[:valid]])
    train, judged = (Split(_shrunk(split.x, side), split.y) for split in (train, judged))
    return classification("cifar10", Splits(train, judged, judged))


def _shrunk(x: np.ndarray, side: int) -> np.ndarray:
    """Pictures (n, channels, height, width) with a side of so many pixels."""
    parts = x.shape[-1] // side
    return x.reshape(*x.shape[:2], side, parts, side, parts).mean((3, 5)).round().astype(np.uint8)
