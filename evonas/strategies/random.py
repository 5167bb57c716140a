"""Random search without repeats: the baseline that every strategy has to beat."""

from evonas.records import Fitness, Genome
from evonas.seeding import stream
from evonas.spaces.space import Space
from evonas.strategies.novelty import Novelty
from evonas.strategies.strategy import Proposal


class Random:
    def __init__(self, space: Space, seed: int, population: int) -> None:
        self._seed = seed
        self._novelty = Novelty(space)

    def ask(self, index: int) -> Proposal:
        return Proposal(self._novelty.sample(stream(self._seed, "breed", index)), (), "random")

    def register(self, index: int, genome: Genome) -> None:
        self._novelty.add(genome)

    def tell(self, fitness: Fitness) -> None:
        pass

    def tell_failed(self, index: int) -> None:
        pass
