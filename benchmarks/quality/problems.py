"""What is searched: spaces of which every network's error and costs are in a table, so that the true front is known."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evonas.records import Genome
from evonas.spaces.cell import Cell
from evonas.spaces.space import Space
from quality.chain import Chain, chain_values

DEVICES = ("raspi4", "pixel3", "gtx1080ti", "xeon6240")
LATENCY = "latency_ms[board]"
TWO, THREE = ("error", LATENCY), ("error", LATENCY, "params")


@dataclass(frozen=True)
class Problem:
    """A search whose answer is known.

    Args:
        group: problems of one group differ in the device alone; their figures are averaged.
        name: what sets it apart in its group.
        space: gives genomes.
        columns: the objectives, the error first; all are minimised.
        values: genome -> its value of each column. A genome that is not in it is looked up by its canonical form.
        limit: the most that a network may take, ms; None: no limit.
    """

    group: str
    name: str
    space: Space
    columns: tuple[str, ...]
    values: Mapping[Genome, tuple[float, ...]]
    limit: float | None = None

    def key(self, genome: Genome) -> Genome:
        """The genome under which the table has it."""
        return genome if genome in self.values else self.space.canonical(genome)

    def excess(self, values: Sequence[float]) -> float:
        """By how much the limit is exceeded, ms; not above 0 within it."""
        return 0.0 if self.limit is None else values[self.columns.index(LATENCY)] - self.limit

    def points(self) -> np.ndarray:
        """What networks within the limit have, shape (networks, objectives)."""
        everything = np.array(list(self.values.values()))
        if self.limit is None:
            return everything
        return everything[everything[:, self.columns.index(LATENCY)] <= self.limit]


def problems(table: pd.DataFrame | None, devices: Sequence[str] = DEVICES, means: bool = False) -> Iterator[Problem]:
    """All of them: with two and with three objectives, without and with a limit at the median latency.

    Args:
        table: of NAS-Bench-201; None: it is left out.
        devices: whose latencies are taken of it.
        means: whether genomes that build one network have the mean of their values, and no noise of their own.
    """
    cell, present = Cell(), devices if table is not None else ()
    tables = [("NAS-Bench-201", device, cell, nb201_values(table, device)) for device in present]
    if means:
        tables = [(name, device, space, averaged(values, space)) for name, device, space, values in tables]
    tables.append(("chain", "", Chain(), chain_values()))
    for (name, device, space, values), limited, columns in itertools.product(tables, (False, True), (TWO, THREE)):
        own = {genome: row[: len(columns)] for genome, row in values.items()}
        limit = float(np.median([row[1] for row in own.values()])) if limited else None
        group = f"{name}, {len(columns)} objectives{', limit' if limited else ''}"
        yield Problem(group, device, space, columns, own, limit)


def averaged(values: Mapping[Genome, tuple[float, ...]], space: Space) -> dict[Genome, tuple[float, ...]]:
    """The values, each the mean over the genomes that build the same network."""
    genomes, table = list(values), np.array(list(values.values()))
    own = twins(genomes, space)
    sums = np.array([np.bincount(own, column) for column in table.T]).T
    means = (sums / np.bincount(own)[:, None])[own]
    return {genome: tuple(row) for genome, row in zip(genomes, means.tolist(), strict=True)}


def one_each(problem: Problem, seed: int) -> np.ndarray:
    """What a search that trains each network once has in the end: the values of one genome of each, within the limit.

    Args:
        problem: what is searched.
        seed: of the draws of genomes.

    Returns:
        Shape (networks, objectives).
    """
    genomes = list(problem.values)
    order = np.random.default_rng(seed).permutation(len(genomes))
    first = np.unique(twins(genomes, problem.space)[order], return_index=True)[1]
    rows = [problem.values[genomes[place]] for place in order[first]]
    return np.array([row for row in rows if problem.excess(row) <= 0])


def twins(genomes: Sequence[Genome], space: Space) -> np.ndarray:
    """The number of the network that each genome builds, shape (genomes,)."""
    return np.unique([space.identity(genome) for genome in genomes], return_inverse=True)[1]


def nb201_values(frame: pd.DataFrame, device: str) -> dict[Genome, tuple[float, ...]]:
    """Genome -> error after 200 epochs (mean of its trained seeds, 0 to 1), latency in ms, parameters.

    The table's operations are numbered as those of the space `cell`.
    """
    genomes = frame[[f"e{i}" for i in range(6)]].itertuples(index=False, name=None)
    rows = zip(1 - frame["valid_acc_200ep"] / 100, frame[f"latency_ms_{device}"], frame["params"], strict=True)
    return {tuple(map(int, genome)): tuple(map(float, row)) for genome, row in zip(genomes, rows, strict=True)}


def made_up(device: str) -> pd.DataFrame:
    """A table of all cells that has the columns of the real one: what takes longer tends to be better."""
    frame = pd.DataFrame(itertools.product(range(5), repeat=6), columns=[f"e{i}" for i in range(6)])
    size, noise = frame.sum(axis=1), np.random.default_rng(0).random(len(frame))
    return frame.assign(
        valid_acc_200ep=90 - 30 / (1 + size) - noise, params=100 * (1 + size), **{f"latency_ms_{device}": 1 + size}
    )
