"""Every strategy keeps the contract, and gives what it must."""

import itertools
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evonas.config.options import options_model
from evonas.objectives.levels import Levels
from evonas.objectives.objectives import Objective
from evonas.records import Fitness, Genome
from evonas.spaces.genes import Arch, Choice, Integer, Optional
from evonas.spaces.space import Space
from evonas.strategies import (
    NSGA2,
    STRATEGIES,
    Bayes,
    Exhausted,
    LocalSearch,
    NSGA2Selection,
    Problem,
    RegularisedEvolution,
    Reinforce,
    Report,
    Strategy,
    mutate,
    neighbours,
    survivors,
    uniform_crossover,
)
from evonas.strategies.survival import Ranking
from evonas.testing import check_strategy
from tests.synthetic import Toy

Make = Callable[[Problem], Strategy]
SMALL = {"population": 6, "pool": 6, "networks": 16, "starts": 3}
"""Options for a short test, of those strategies that have them."""
COUNTS = {"Bayes": 40}
"""Candidates of a strategy that thinks for long; 200 of the others."""


def factory(kind: str) -> partial[Strategy]:
    known = options_model(STRATEGIES[kind]).model_fields
    return partial(STRATEGIES[kind], **{name: value for name, value in SMALL.items() if name in known})


KINDS = {make: kind for kind, make in STRATEGIES.items()}.values()
"""One name of each strategy; one has two."""
every = pytest.mark.parametrize("make", [factory(kind) for kind in KINDS], ids=KINDS)


class Tiny(Space):
    width = Integer(1, 3)
    extra = Optional(Choice("a", "b"))

    def build(self, arch: Arch, task: object) -> None: ...


def problem(space: Space, seed: int = 0) -> Problem:
    return Problem(space, seed, (Objective("sum", "", 1), Objective("spread", "", -1)), generation=8)


def report(index: int, genome: Genome) -> Report:
    values = (float(sum(genome)), -float(max(genome)) + genome[0])
    return Report(index, Fitness(index, 0, values), {"sum": values[0], "spread": -values[1], "params": 9.0})


def drive(strategy: Strategy, space: Space, count: int) -> list[tuple[Genome, tuple[int, ...], str]]:
    bred = []
    for index in range(count):
        proposal = strategy.ask(index)
        strategy.register(index, proposal.genome)
        strategy.tell(report(index, proposal.genome))
        bred.append((proposal.genome, proposal.parents, proposal.operator))
    return bred


@every
def test_a_strategy_keeps_its_contract(make: partial[Strategy]) -> None:
    check_strategy(make, candidates=COUNTS.get(make.func.__name__, 200))


@every
def test_another_seed_breeds_others(make: Make) -> None:
    space = Toy()
    assert drive(make(problem(space, 7)), space, 60) != drive(make(problem(space, 8)), space, 60)


@every
def test_the_end_of_a_space_says_so(make: Make) -> None:
    space = Tiny()
    strategy = make(problem(space))
    drive(strategy, space, space.size())
    with pytest.raises(Exhausted, match="all 9 different networks"):
        strategy.ask(9)


@every
def test_a_nearly_exhausted_space_goes_on_the_same_after_a_restart(make: Make) -> None:
    """One strategy asks all the way and counts out the space; the other is only told, and asked at the end."""

    class Square(Space):
        a, b = Integer(1, 30), Integer(1, 30)

        def build(self, arch: Arch, task: object) -> None: ...

    space = Square()
    asked, told = make(problem(space, 2)), make(problem(space, 2))
    for index, (genome, _, _) in enumerate(drive(asked, space, 895)):
        told.register(index, genome)
        told.tell(report(index, genome))
    for index in range(895, 900):
        proposal = asked.ask(index)
        assert told.ask(index) == proposal
        asked.register(index, proposal.genome)
        told.register(index, proposal.genome)


class Fixed:
    """Draws what it was given."""

    def __init__(self, *draws: Sequence[float] | int) -> None:
        self._draws = list(draws)

    def random(self, count: int) -> np.ndarray:
        drawn = np.array(self._draws.pop(0))
        assert len(drawn) == count
        return drawn

    def integers(self, low: int, high: int) -> int:
        return self._draws.pop(0)

    def choice(self, values: Sequence[int]) -> int:
        return self._draws.pop(0)


def test_uniform_crossover_takes_from_the_second_parent_below_one_half() -> None:
    child = uniform_crossover((1, 2, 3, 4), (5, 6, 7, 8), Fixed([0.49, 0.5, 0.9, 0.0]))
    assert child == (5, 2, 3, 8)
    assert all(type(value) is int for value in child)


def test_mutation_steps_ordered_genes_and_changes_others_to_another_value() -> None:
    class Mixed(Space):
        low, high, middle = Integer(1, 3), Integer(1, 3), Integer(1, 3)
        op = Choice("a", "b", "c")
        single = Choice("one")
        kept = Choice("a", "b")

        def build(self, arch: Arch, task: object) -> None: ...

    # low is at its first value and can only go up, high at its last and can only go down, middle goes down by the draw
    # of -1; op goes on by two of three values, from c to b; single has no other value; kept drew 0.3 and stays.
    space = Mixed()
    by_name = {"low": 0, "high": 2, "middle": 1, "op": 2, "single": 0, "kept": 1}
    names = [name for name, _ in space.leaves]
    genome = tuple(by_name[name] for name in names)
    draws = [0.3 if name == "kept" else 0.1 for name in names]
    child = mutate(space, genome, 0.2, Fixed(draws, -1, 2))
    assert dict(zip(names, child, strict=True)) == {"low": 1, "high": 1, "middle": 0, "op": 1, "single": 0, "kept": 1}


class TestRegularisedEvolution:
    """Candidates 0 to 5 with one error each; a tournament of 50 among 3 misses none of them."""

    ERRORS = (0.1, 0.5, 0.4, 0.3, 0.6, 0.2)

    def told(self, count: int) -> Strategy:
        space = Toy()
        strategy = RegularisedEvolution(problem(space), population=3, sample=50)
        for index, error in enumerate(self.ERRORS[:count]):
            strategy.register(index, strategy.ask(index).genome)
            strategy.tell(Report(index, Fitness(index, 0, (error,)), {"error": error}))
        return strategy

    @pytest.mark.parametrize(("count", "parent"), [(3, 0), (4, 3), (5, 3), (6, 5)])
    def test_the_best_of_the_living_is_the_parent_however_good_the_dead_are(self, count: int, parent: int) -> None:
        # Of 3 the best is 0; of 1 2 3 it is 3, though 0 was better; of 2 3 4 still 3; of 3 4 5 it is 5.
        strategy = self.told(count)
        assert {strategy.ask(index).parents for index in range(10, 20)} == {(parent,)}

    def test_until_the_population_is_full_candidates_are_random(self) -> None:
        assert self.told(2).ask(10).operator == "random"
        assert self.told(3).ask(10).operator == "mutation"

    def test_a_later_report_counts_and_makes_nobody_younger(self) -> None:
        strategy = self.told(4)
        strategy.tell(Report(1, Fitness(1, 2, (0.01,)), {"error": 0.01}))
        assert strategy.ask(10).parents == (1,)
        strategy.tell(Report(4, Fitness(4, 0, (0.9,)), {"error": 0.9}))
        assert strategy.ask(10).parents == (3,), "1 is too old now"

    def test_in_the_place_of_one_that_fails_is_the_youngest_before(self) -> None:
        strategy = self.told(4)
        strategy.tell_failed(3)
        assert strategy.ask(10).parents == (0,)

    def test_among_equals_the_tournament_takes_the_earlier_born(self) -> None:
        space = Toy()
        strategy = RegularisedEvolution(problem(space), population=3, sample=50)
        for index in range(4):
            strategy.register(index, strategy.ask(index).genome)
            strategy.tell(Report(index, Fitness(index, 0, (0.5, 0.5)), {}))
        assert strategy.ask(10).parents == (1,)

    def test_a_small_sample_lets_others_than_the_best_be_parents(self) -> None:
        space = Toy()
        strategy = RegularisedEvolution(problem(space), population=10, sample=1)
        drive(strategy, space, 10)
        assert len({strategy.ask(index).parents for index in range(10, 60)}) == 10

    def test_its_population_is_the_last_that_came_best_first(self) -> None:
        selection = RegularisedEvolution(problem(Toy()), population=3).selection()
        for index, error in enumerate(self.ERRORS):
            selection.add(Fitness(index, 0, (error,)))
        assert [(member.index, member.rank) for member in selection.members()] == [(5, 0), (3, 1), (4, 2)]


class Letters(Space):
    """Six unordered genes of five values: 15,625 genomes, as of the cell of NAS-Bench-201."""

    a, b, c, d, e, f = (Choice(*"vwxyz", ordered=False) for _ in range(6))

    def build(self, arch: Arch, task: object) -> None: ...


def told(strategy: Strategy, index: int, genome: Genome, *values: float, over: float = 0) -> None:
    strategy.register(index, genome)
    strategy.tell(Report(index, Fitness(index, 0, values, over), {}))


class TestLocalSearch:
    BEST = (1, 2, 3, 4, 0, 1)

    def error(self, genome: Genome) -> float:
        return float(sum(a != b for a, b in zip(genome, self.BEST, strict=True)))

    def test_it_climbs_and_ends_at_the_best_of_a_separable_error(self) -> None:
        """Of each genome 24 are beside it; at worst it asks for all of them at each of six steps."""
        strategy, found = LocalSearch(problem(Letters()), starts=1), []
        for index in range(150):
            proposal = strategy.ask(index)
            told(strategy, index, proposal.genome, self.error(proposal.genome))
            found.append(proposal)
            if proposal.genome == self.BEST:
                return
            if proposal.parents:
                assert self.error(found[proposal.parents[0]].genome) == min(self.error(p.genome) for p in found[:-1])
        pytest.fail("the best is not found")

    def test_a_climb_goes_on_from_an_improvement_and_not_from_what_is_worse(self) -> None:
        strategy = LocalSearch(problem(Letters()), starts=1)
        told(strategy, 0, (0, 0, 0, 0, 0, 0), 0.5)
        told(strategy, 1, (0, 0, 0, 0, 0, 1), 0.6)
        assert strategy.ask(2).parents == (0,)
        told(strategy, 2, (0, 0, 0, 0, 1, 0), 0.4)
        assert strategy.ask(3).parents == (2,)
        strategy.tell_failed(2)
        assert strategy.ask(3).parents == (0,)

    def test_where_all_climbs_have_ended_another_starts(self) -> None:
        strategy = LocalSearch(problem(Letters()), starts=1)
        start = (0, 0, 0, 0, 0, 0)
        for index, genome in enumerate([start, *neighbours(Letters(), start)]):
            told(strategy, index, genome, 0.9 if index else 0.5)
        assert strategy.ask(25).operator == "random"

    def test_of_several_objectives_those_on_the_front_are_climbed_from(self) -> None:
        strategy = LocalSearch(problem(Letters()), starts=1)
        told(strategy, 0, (0, 0, 0, 0, 0, 0), 1.0, 9.0)
        told(strategy, 1, (0, 0, 0, 0, 0, 1), 9.0, 1.0)
        told(strategy, 2, (0, 0, 0, 0, 0, 2), 9.0, 9.0)
        told(strategy, 3, (4, 4, 4, 4, 4, 4), 0.0, 0.0, over=1.0)
        steps = {strategy.ask(4).parents}
        around = neighbours(Letters(), (0, 0, 0, 0, 0, 0))
        for index, genome in enumerate([*around[:20], *around[22:]], start=4):
            told(strategy, index, genome, 9.0, 9.0)
            steps.add(strategy.ask(index + 1).parents)
        assert steps <= {(0,), (1,)}
        assert len(steps) == 2

    def test_the_neighbours_of_a_genome_are_one_step_away(self) -> None:
        class Mixed(Space):
            width, op = Integer(1, 4), Choice("a", "b", "c", ordered=False)

            def build(self, arch: Arch, task: object) -> None: ...

        assert neighbours(Mixed(), (0, 1)) == [(1, 1), (0, 0), (0, 2)]
        assert neighbours(Mixed(), (2, 0)) == [(1, 0), (3, 0), (2, 1), (2, 2)]


class TestReinforce:
    BEST = (1, 2, 3, 4, 0, 1)

    def learnt(self, count: int, seed: int = 0) -> Reinforce:
        """Reward: one for each gene that is as in the best genome."""
        strategy = Reinforce(Problem(Letters(), seed, (Objective("error", "", 1),), generation=8))
        for index in range(count):
            genome = strategy.ask(index).genome
            told(strategy, index, genome, float(sum(a != b for a, b in zip(genome, self.BEST, strict=True))))
        return strategy

    @pytest.mark.parametrize("seed", [0, 1])
    def test_a_separable_reward_is_learnt_within_300(self, seed: int) -> None:
        assert self.learnt(0).chance(self.BEST, np.ones(1)) == pytest.approx(5**-6)
        assert self.learnt(300, seed).chance(self.BEST, np.ones(1)) > 0.9

    def test_it_does_not_matter_when_something_was_told(self) -> None:
        early, late = self.learnt(0), self.learnt(0)
        genomes = [Letters().sample(np.random.default_rng(i)) for i in range(12)]
        for index, genome in enumerate(genomes):
            told(early, index, genome, float(sum(genome)))
            early.ask(index + 1)
            late.register(index, genome)
        early.tell_failed(5)
        for index in (7, 3, 11, 0, 1, 2, 4, 6, 8, 9, 10):
            late.tell(Report(index, Fitness(index, 0, (float(sum(genomes[index])),)), {}))
            late.ask(12)
        assert early.ask(12) == late.ask(12)
        np.testing.assert_array_equal(early.policy().tables, late.policy().tables)

    def test_weights_of_the_objectives_draw_along_a_front(self) -> None:
        """The first gene is good for one objective and bad for the other, the last the other way round."""
        strategy = Reinforce(problem(Letters()))
        for index in range(300):
            genome = strategy.ask(index).genome
            told(strategy, index, genome, float((genome[0] != 1) + (genome[5] == 2)), float(genome[5] != 2))
        one, other = (
            strategy.chance((1, 0, 0, 0, 0, 0), np.array(w)) / strategy.chance((1, 0, 0, 0, 0, 2), np.array(w))
            for w in ((1.0, 0.0), (0.0, 1.0))
        )
        assert one > 2
        assert other < 0.5

    def test_who_is_over_a_limit_is_behind_all_others(self) -> None:
        strategy = self.learnt(0)
        for index in range(60):
            genome = strategy.ask(index).genome
            over = genome[0] == 3
            strategy.register(index, genome)
            strategy.tell(Report(index, Fitness(index, 0, () if over else (1.0,), float(over)), {}))
        genes = (0, 1, 2, 4)
        assert strategy.chance((3, 0, 0, 0, 0, 0), np.ones(1)) < 0.5 * min(
            strategy.chance((gene, 0, 0, 0, 0, 0), np.ones(1)) for gene in genes
        )


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from([0, 0, 0, 1])), min_size=1, max_size=30)
)
def test_the_selection_of_nsga2_holds_the_survivors_of_all_that_were_added(values: list[tuple[int, int, int]]) -> None:
    fitnesses = [Fitness(i, 0, (float(a), float(b)), float(over)) for i, (a, b, over) in enumerate(values)]
    selection = NSGA2Selection(7)
    for count, fitness in enumerate(fitnesses, start=1):
        selection.add(fitness)
        assert selection.members() == survivors(fitnesses[:count], 7)


@pytest.mark.parametrize(("options", "first"), [({}, 3), ({"initial": 5}, 5)])
def test_nsga2_founds_a_third_of_a_population_then_breeds(options: dict[str, int], first: int) -> None:
    space = Toy()
    bred = drive(NSGA2(problem(space), population=10, **options), space, 40)
    assert all(operator == "random" and not parents for _, parents, operator in bred[:first])
    assert {operator for _, _, operator in bred[first:]} == {"mutation", "crossover+mutation"}


@pytest.mark.parametrize(("strategy", "options"), [(NSGA2, {"initial": 12}), (Bayes, {})])
def test_the_first_are_far_apart(strategy: type[Strategy], options: dict[str, int]) -> None:
    """Of 12 random genomes the nearest two share more genes than of 12 that were each the farthest of 50 draws."""
    space = Toy()

    def nearest(spread: int) -> int:
        first = drive(strategy(problem(space), **options, spread=spread), space, 12)
        genomes = [np.array(space.canonical(genome)) for genome, *_ in first]
        return min(int((a != b).sum()) for a, b in itertools.combinations(genomes, 2))

    assert nearest(50) > nearest(1)


def test_parents_are_any_of_the_front_or_winners_among_the_survivors() -> None:
    """Of a line of 30 and a worse one behind it: with two survivors, the parents of the paper are its two ends."""
    fitnesses = [Fitness(i, 0, (float(i), 30.0 - i)) for i in range(30)] + [Fitness(30, 0, (40.0, 40.0))]
    used: dict[str, set[int]] = {}
    for parents in ("front", "population"):
        space = Toy()
        strategy = NSGA2(problem(space), population=2, initial=1, parents=parents)
        for fitness in fitnesses:
            strategy.register(fitness.index, space.sample(np.random.default_rng(fitness.index)))
            strategy.tell(Report(fitness.index, fitness, {}))
        used[parents] = {parent for index in range(31, 200) for parent in strategy.ask(index).parents}
    assert used == {"front": {*range(30)}, "population": {0, 29}}


def test_an_ordered_gene_mutates_by_one_step() -> None:
    space = Toy()
    strategy = NSGA2(problem(space), population=4, crossover=0.0, mutation=0.5)
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
    strategy = NSGA2(problem(space, 5), population=20)
    found = set()
    for index in range(600):
        genome = strategy.ask(index).genome
        strategy.register(index, genome)
        strategy.tell(Report(index, Fitness(index, 0, (float(sum(genome)), -float(genome[3]))), {}))
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
