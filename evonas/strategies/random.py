"""Random search without repeats: the baseline that every strategy has to beat."""

from evonas.records import Genome
from evonas.seeding import stream
from evonas.strategies.novelty import Novelty
from evonas.strategies.strategy import Problem, Proposal, Report, Selection, Strategy
from evonas.strategies.survival import NSGA2Selection


class Random(Strategy):
    """Random search without repeats.

    It has no population; recorded is the one that NSGA-II would keep of it, as large as a generation.

    Args:
        problem: what is searched.
    """

    def __init__(self, problem: Problem) -> None:
        self._seed, self._generation = problem.seed, problem.generation
        self._novelty = Novelty(problem.space)

    def ask(self, index: int) -> Proposal:
        return Proposal(self._novelty.sample(stream(self._seed, "breed", index)), (), "random")

    def register(self, index: int, genome: Genome) -> None:
        self._novelty.add(genome)

    def tell(self, report: Report) -> None:
        pass

    def tell_failed(self, index: int) -> None:
        pass

    def selection(self) -> Selection:
        return NSGA2Selection(self._generation)
