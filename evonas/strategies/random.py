"""Random search without repeats: the baseline that every strategy has to beat."""

from evonas.records import Genome, Standing
from evonas.seeding import stream
from evonas.spaces.space import Space
from evonas.strategies.novelty import Novelty
from evonas.strategies.strategy import Proposal


class Random:
    def __init__(self, space: Space, seed: int, population: int) -> None:
        self._seed = seed
        self._novelty = Novelty(space)

    def ask(self, index: int) -> Proposal:
        return Proposal(self._novelty.sample(stream(self._seed, "breed", index)), (), "founder")

    def born(self, index: int, genome: Genome) -> None:
        self._novelty.add(genome)

    def tell(self, standing: Standing) -> None:
        pass

    def withdraw(self, index: int) -> None:
        pass
