"""Which networks of a space are trained together in a step."""

from collections.abc import Callable, Iterator
from typing import Literal, get_args

import numpy as np

from evonas.records import Genome
from evonas.seeding import stream
from evonas.spaces.genes import Choice
from evonas.spaces.space import Space

RANDOM = 2
"""Networks of a step of `sandwich` besides the largest and the smallest."""

SamplingName = Literal["sandwich", "fair", "uniform"]
Sampling = Callable[[Space, int], Iterator[list[Genome]]]
"""(space, seed) -> the networks of one step after the other."""


def sampling_for(space: Space) -> SamplingName:
    """What suits a space: `sandwich` where most genes are ordered, else `fair`."""
    searched = [leaf for _, leaf in space.leaves if len(leaf.values) > 1]
    ordered = sum(_ordered(leaf) for leaf in searched)
    return "sandwich" if 2 * ordered > len(searched) else "fair"


def uniform(space: Space, seed: int) -> Iterator[list[Genome]]:
    """One random network (Guo et al. 2020)."""
    step = 0
    while True:
        yield [space.sample(stream(seed, "supernet", step))]
        step += 1


def fair(space: Space, seed: int) -> Iterator[list[Genome]]:
    """As many networks as an unordered gene has values, at most: each value of it is in one of them (Chu et al. 2021).

    A gene with fewer values goes on with them in another order, so that each is trained as often as the others.
    """
    leaves = [leaf for _, leaf in space.leaves]
    count = max([len(leaf.values) for leaf in leaves if not _ordered(leaf)] or [len(leaf.values) for leaf in leaves])
    orders = [_in_turns(len(leaf.values), seed, gene) for gene, leaf in enumerate(leaves)]
    while True:
        yield [tuple(next(order) for order in orders) for _ in range(count)]


def sandwich(space: Space, seed: int) -> Iterator[list[Genome]]:
    """The largest, the smallest and two random ones (Yu & Huang 2019). Unordered genes are random in all of them."""
    step = 0
    while True:
        rng = stream(seed, "supernet", step)
        drawn = [space.sample(rng) for _ in range(2 + RANDOM)]
        yield [_at_end(space, drawn[0], largest=True), _at_end(space, drawn[1], largest=False), *drawn[2:]]
        step += 1


SAMPLINGS: dict[SamplingName, Sampling] = {"sandwich": sandwich, "fair": fair, "uniform": uniform}
assert set(SAMPLINGS) == set(get_args(SamplingName))


def _ordered(leaf: Choice) -> bool:
    """Whether one end of its values is the larger one: whether something is there, too."""
    return leaf.ordered or set(leaf.values) == {False, True}


def _at_end(space: Space, genome: Genome, *, largest: bool) -> Genome:
    found = list(genome)
    for place, (_, leaf) in enumerate(space.leaves):
        if _ordered(leaf):
            numbers = [value if isinstance(value, int | float) else at for at, value in enumerate(leaf.values)]
            found[place] = int(np.argmax(numbers) if largest else np.argmin(numbers))
    return tuple(found)


def _in_turns(values: int, seed: int, gene: int) -> Iterator[int]:
    """All values in a random order, then in another."""
    rng = stream(seed, "supernet", gene)
    while True:
        yield from rng.permutation(values).tolist()
