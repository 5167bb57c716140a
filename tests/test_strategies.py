"""The contract of every strategy, and what NSGA-II's survival must give."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evonas.objectives.levels import Levels
from evonas.records import Fitness, Genome
from evonas.spaces.genes import Arch, Choice, Integer, Optional
from evonas.spaces.space import Space
from evonas.strategies import NSGA2, STRATEGIES, Exhausted, Strategy, survivors
from evonas.strategies.survival import Ranking
from tests.synthetic import Toy

every = pytest.mark.parametrize("make", STRATEGIES.values(), ids=STRATEGIES)
Make = Callable[..., Strategy]


class Tiny(Space):
    width = Integer(1, 3)
    extra = Optional(Choice("a", "b"))

    def build(self, arch: Arch, task: object) -> None: ...


def fitness(index: int, genome: Genome) -> Fitness:
    return Fitness(index, 0, (float(sum(genome)), -float(max(genome)) + genome[0]))


def drive(strategy: Strategy, space: Space, count: int) -> list[tuple[Genome, tuple[int, ...], str]]:
    bred = []
    for index in range(count):
        proposal = strategy.ask(index)
        strategy.register(index, proposal.genome)
        strategy.tell(fitness(index, proposal.genome))
        bred.append((proposal.genome, proposal.parents, proposal.operator))
    return bred


@every
def test_every_genome_is_legal_and_new_in_the_whole_history(make: Make) -> None:
    space = Toy()
    genomes = [genome for genome, _, _ in drive(make(space, 1, 10), space, 300)]
    assert len({space.identity(genome) for genome in genomes}) == 300


@every
def test_what_is_bred_follows_from_the_seed(make: Make) -> None:
    space = Toy()
    assert drive(make(space, 7, 10), space, 60) == drive(make(space, 7, 10), space, 60)
    assert drive(make(space, 7, 10), space, 60) != drive(make(space, 8, 10), space, 60)


@every
def test_state_is_a_function_of_what_was_told(make: Make) -> None:
    """A strategy that never bred anything itself, told the same, goes on with the same children."""
    space = Toy()
    first, second = make(space, 7, 10), make(space, 7, 10)
    for index, (genome, _, _) in enumerate(drive(first, space, 40)):
        second.register(index, genome)
        second.tell(fitness(index, genome))
    assert first.ask(40) == second.ask(40)
    assert second.ask(40) == second.ask(40), "asking changes nothing"


@every
def test_a_small_space_is_searched_to_the_end(make: Make) -> None:
    space = Tiny()
    strategy = make(space, 0, 4)
    drive(strategy, space, space.size())
    with pytest.raises(Exhausted, match="all 9 different networks"):
        strategy.ask(9)


@every
def test_failed_candidates_are_never_parents(make: Make) -> None:
    space = Toy()
    strategy = make(space, 0, 6)
    drive(strategy, space, 30)
    for index in range(0, 30, 2):
        strategy.tell_failed(index)
    parents = {parent for index in range(30, 60) for parent in strategy.ask(index).parents}
    assert all(parent % 2 for parent in parents)


@every
def test_a_nearly_exhausted_space_goes_on_the_same_after_a_restart(make: Make) -> None:
    """One strategy asks all the way and counts out the space; the other is only told, and asked at the end."""

    class Square(Space):
        a, b = Integer(1, 30), Integer(1, 30)

        def build(self, arch: Arch, task: object) -> None: ...

    space = Square()
    asked, told = make(space, 2, 6), make(space, 2, 6)
    for index, (genome, _, _) in enumerate(drive(asked, space, 895)):
        told.register(index, genome)
        told.tell(fitness(index, genome))
    for index in range(895, 900):
        proposal = asked.ask(index)
        assert told.ask(index) == proposal
        asked.register(index, proposal.genome)
        told.register(index, proposal.genome)


def test_nsga2_founds_half_a_population_then_breeds() -> None:
    space = Toy()
    bred = drive(NSGA2(space, 0, 10), space, 40)
    assert all(operator == "random" and not parents for _, parents, operator in bred[:5])
    assert {operator for _, _, operator in bred[5:]} == {"mutation", "crossover+mutation"}


def test_an_ordered_gene_mutates_by_one_step() -> None:
    space = Toy()
    strategy = NSGA2(space, 0, 4, crossover=0.0, mutation=0.5)
    bred = drive(strategy, space, 60)
    ordered = [i for i, gene in enumerate(space.genes) if gene.ordered]
    for genome, parents, _ in bred[2:]:
        if parents:
            parent = np.array(bred[parents[0]][0])
            assert np.abs(np.array(genome) - parent)[ordered].max() <= 1


def test_nsga2_finds_the_front_of_a_known_problem() -> None:
    """Minimise the sum and maximise the last gene: the front is (0, ..., 0, k)."""

    class Line(Space):
        a, b, c, d = Integer(0, 9), Integer(0, 9), Integer(0, 9), Integer(0, 9)

        def build(self, arch: Arch, task: object) -> None: ...

    space = Line()
    strategy = NSGA2(space, 5, 20)
    found = set()
    for index in range(600):
        genome = strategy.ask(index).genome
        strategy.register(index, genome)
        strategy.tell(Fitness(index, 0, (float(sum(genome)), -float(genome[3]))))
        found.add(genome)
    assert {(0, 0, 0, k) for k in range(10)} <= found


def test_survivors_of_a_known_set() -> None:
    # Front 0: A(0,4) B(1,2) C(2,1) D(4,0); front 1: E(3,3). Crowding of B: (2-0)/4 + (4-1)/4 = 1.25; of C the same:
    # (4-1)/4 + (2-0)/4. The ends are infinite; of equals, the earlier born comes first.
    points = [(0, 4), (1, 2), (2, 1), (4, 0), (3, 3)]
    chosen = survivors([Fitness(i, 0, p) for i, p in enumerate(points)], 5)
    assert [s.index for s in chosen] == [0, 3, 1, 2, 4]
    assert [s.rank for s in chosen] == [0, 0, 0, 0, 1]
    assert chosen[2].crowding == pytest.approx(chosen[3].crowding)


def test_feasible_before_infeasible_before_nothing() -> None:
    fitnesses = [Fitness(0, 0, (0, 0), 0.5), Fitness(1, 0, (9, 9)), Fitness(2, 0, (), 0.1)]
    assert [s.index for s in survivors(fitnesses, 3)] == [1, 2, 0]
    assert survivors([], 3) == []


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=20), st.randoms())
def test_survivors_do_not_depend_on_the_order_of_telling(points: list, random) -> None:
    fitnesses = [Fitness(i, 0, tuple(map(float, p))) for i, p in enumerate(points)]
    shuffled = list(fitnesses)
    random.shuffle(shuffled)
    assert survivors(fitnesses, 6) == survivors(shuffled, 6)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from([0, 0, 0, 1, 2])), min_size=1, max_size=30)
)
def test_a_ranking_by_levels_is_the_order_of_the_survivors(values: list[tuple[int, int, int]]) -> None:
    fitnesses = [Fitness(i, 0, (float(a), float(b)), float(over)) for i, (a, b, over) in enumerate(values)]
    levels = Levels(lambda count: 7)
    for fitness in fitnesses:
        levels.add(fitness)
    ranking = Ranking(levels.needed, 7)
    assert [ranking[place] for place in range(len(ranking))] == [s.index for s in survivors(fitnesses, 7)]
