"""A strategy of one's own: hill climbing from the candidate with the least of the first objective."""

from evonas.records import Genome
from evonas.seeding import stream
from evonas.strategies import STRATEGIES, NSGA2Selection, Problem, Proposal, Report, Strategy, mutate
from evonas.strategies.novelty import Novelty


class Climbing(Strategy):
    """Mutates the best candidate known.

    Args:
        problem: what is searched.
        random: candidates that are drawn before.
        rate: the share of genes that a mutation changes.
    """

    def __init__(self, problem: Problem, *, random: int = 4, rate: float = 0.2) -> None:
        self.problem, self.random, self.rate = problem, random, rate
        self.novelty = Novelty(problem.space)
        self.genomes: dict[int, Genome] = {}
        self.reached: dict[int, float] = {}

    def ask(self, index: int) -> Proposal:
        rng = stream(self.problem.seed, "climb", index)
        if index >= self.random and self.reached:
            best = min(self.reached, key=lambda known: (self.reached[known], known))
            own = self.genomes[best]
            child = self.novelty.first_new(lambda: mutate(self.problem.space, own, self.rate, rng), tries=100)
            if child:
                return Proposal(child, (best,), "climb")
        return Proposal(self.novelty.sample(rng), (), "random")

    def register(self, index: int, genome: Genome) -> None:
        self.genomes[index] = genome
        self.novelty.add(genome)

    def tell(self, report: Report) -> None:
        self.reached.pop(report.index, None)
        if report.fitness.values and not report.fitness.violation:
            self.reached[report.index] = report.fitness.values[0]

    def tell_failed(self, index: int) -> None:
        self.reached.pop(index, None)

    def selection(self) -> NSGA2Selection:
        return NSGA2Selection(self.problem.generation)


STRATEGIES["climbing"] = Climbing
