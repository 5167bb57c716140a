"""The contract of a strategy: see `evonas.strategies.strategy.Strategy`."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from evonas.objectives.objectives import Objective
from evonas.records import Fitness, Genome, TaskSpec
from evonas.seeding import stream
from evonas.spaces.genes import Arch, Choice, Integer, Optional, Repeat
from evonas.spaces.space import Space
from evonas.strategies import Exhausted, Problem, Proposal, Report, Selection, Strategy
from evonas.testing.checks import attempt, require

if TYPE_CHECKING:
    from torch import nn

Make = Callable[[Problem], Strategy]
OBJECTIVES = (Objective("sum", "", 1), Objective("spread", "", -1))


class Large(Space):
    """With genes that are ordered or not, and some that others switch off; no network is built."""

    stem = Choice("a", "b", "c")
    blocks = Repeat(Integer(1, 4), width=Integer(1, 8), op=Choice("conv", "pool", "skip"))

    def build(self, arch: Arch, task: TaskSpec) -> "nn.Module":
        raise NotImplementedError


class Small(Space):
    """Nine networks, twelve genomes."""

    width = Integer(1, 3)
    extra = Optional(Choice("a", "b"))

    def build(self, arch: Arch, task: TaskSpec) -> "nn.Module":
        raise NotImplementedError


def check_strategy(make: Make, candidates: int = 120, seed: int = 0) -> None:
    """Make sure that a strategy keeps its contract, in a search by two made-up objectives.

    Args:
        make: a constructor; a strategy with options as `functools.partial(MyStrategy, population=6)`.
        candidates: of each search; some times as many as the strategy's population.
        seed: of the problem.

    Raises:
        AssertionError: it does not; says where.
    """
    space = Large()
    problem = Problem(space, seed, OBJECTIVES, generation=8)
    with attempt("the strategy"):
        _check_genomes(space, _driven(make(problem), candidates))
        _check_replay(make, problem, candidates)
        _check_failures(make(problem), candidates)
        _check_limits(make(problem), candidates)
        _check_selection(make(problem), candidates)
        _check_end(make, seed)


def _report(index: int, genome: Genome) -> Report:
    values = (float(sum(genome)), -float(max(genome)) + genome[0])
    return Report(index, Fitness(index, 0, values), {"sum": values[0], "spread": -values[1], "params": 9.0})


def _driven(strategy: Strategy, count: int) -> list[Proposal]:
    """Each candidate is told of before the next one is asked for."""
    found = []
    for index in range(count):
        proposal = strategy.ask(index)
        strategy.register(index, proposal.genome)
        strategy.tell(_report(index, proposal.genome))
        found.append(proposal)
    return found


def _check_genomes(space: Space, proposals: Sequence[Proposal]) -> None:
    columns = {objective.key for objective in OBJECTIVES}
    seen: dict[str, int] = {}
    for index, proposal in enumerate(proposals):
        genome = proposal.genome
        right = isinstance(genome, tuple) and {*map(type, genome)} <= {int}
        require(right, f"candidate {index}: the genome is {genome!r}, not a tuple of ints")
        name = space.identity(genome)  # a genome of another space is a ValueError
        require(
            name not in seen, f"candidate {index} is the network of candidate {seen.get(name)} again; ask for new ones"
        )
        seen[name] = index
        born = all(0 <= parent < index for parent in proposal.parents)
        require(born, f"candidate {index} has the parents {proposal.parents}, who are not born")
        word = isinstance(proposal.operator, str) and bool(proposal.operator)
        require(word, f"candidate {index}: operator is {proposal.operator!r}, not a word")
        known = {*columns, *(f"{column}.std" for column in columns)}
        more = set(proposal.predicted) - known
        require(not more, f"candidate {index}: predicted names {sorted(more)}; objectives are {sorted(columns)}")
        finite = all(math.isfinite(value) for value in proposal.predicted.values())
        require(finite, f"candidate {index}: a prediction is not finite")


def _check_replay(make: Make, problem: Problem, count: int) -> None:
    """Asking changes nothing, and one that is only told goes on as the one that was asked."""
    asked, told = make(problem), make(problem)
    for index, proposal in enumerate(_driven(asked, count)):
        told.register(index, proposal.genome)
        told.tell(_report(index, proposal.genome))
    first = asked.ask(count)
    again = "asked for the same candidate twice, it gives two genomes: draw from stream(seed, purpose, index)"
    require(asked.ask(count).genome == first.genome, again)
    text = "one that is told what another was told proposes something else, so that no search could be resumed"
    require(_same(told.ask(count), first), text)
    require(_same(_driven(make(problem), count)[-1], _driven(make(problem), count)[-1]), "the same problem differs")
    once = make(problem)
    for index, proposal in enumerate(_driven(make(problem), count)):
        once.register(index, proposal.genome)
    for index in range(count):
        for strategy in (asked, once):
            strategy.tell(_report(index, problem.space.sample(stream(0, "told", index))))
    late = "a later report of a candidate does not replace the one before"
    require(_same(asked.ask(count), once.ask(count)), late)


def _same(a: Proposal, b: Proposal) -> bool:
    return (a.genome, a.parents, a.operator) == (b.genome, b.parents, b.operator)


def _check_failures(strategy: Strategy, count: int) -> None:
    """Before anything is told of a candidate, and after."""
    strategy.register(0, strategy.ask(0).genome)
    strategy.tell_failed(0)
    for index in range(1, count):
        genome = strategy.ask(index).genome
        strategy.register(index, genome)
        strategy.tell(_report(index, genome))
    for index in range(0, count, 2):
        strategy.tell_failed(index)
    for index in range(count, count + 30):
        failed = [parent for parent in strategy.ask(index).parents if parent % 2 == 0]
        require(not failed, f"candidate {index} is bred of {failed}, which failed")


def _check_limits(strategy: Strategy, count: int) -> None:
    """Candidates over a limit on their costs have no values."""
    for index in range(count):
        genome = strategy.ask(index).genome
        strategy.register(index, genome)
        over = Report(index, Fitness(index, 0, (), 0.5), {"params": 9.0})
        with attempt("a report without values, of a candidate that is over a limit,"):
            strategy.tell(over if index % 2 else _report(index, genome))
            strategy.ask(index + 1)


def _check_selection(strategy: Strategy, count: int) -> None:
    """A function of what was added to it: not of what the strategy was told, nor of another selection."""
    early = strategy.selection()
    fitnesses = [_report(index, proposal.genome).fitness for index, proposal in enumerate(_driven(strategy, count))]
    late = strategy.selection()
    require(late.members() == [], "selection() is not empty at first; it holds what was added to it alone")
    for number, fitness in enumerate(fitnesses, start=1):
        early.add(fitness)
        _check_members(early, number)
    require(late.members() == [], "two of selection() share their members")
    for fitness in fitnesses:
        late.add(fitness)
    require(late.members() == early.members(), "two of selection() that were given the same differ")


def _check_members(selection: Selection, added: int) -> None:
    members = selection.members()
    indices = [member.index for member in members]
    require(bool(members) and len(set(indices)) == len(indices), "selection: it holds none, or a candidate twice")
    require(all(index < added for index in indices), "selection: a member was never added")
    ranks = [member.rank for member in members]
    require(ranks == sorted(ranks), f"selection: members come best first, not by the ranks {ranks}")


def _check_end(make: Make, seed: int) -> None:
    """A small space is searched to its end, and not beyond."""
    space = Small()
    strategy = make(Problem(space, seed, OBJECTIVES, generation=8))
    networks = space.size()
    try:
        _driven(strategy, networks)
    except Exhausted as error:
        raise AssertionError(f"it is exhausted before all {networks} networks of a space were proposed") from error
    try:
        proposal = strategy.ask(networks)
    except Exhausted:
        return
    raise AssertionError(f"all {networks} networks were proposed, and it proposes {proposal.genome}; raise Exhausted")
