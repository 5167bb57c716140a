"""The parts of the benchmark of search quality: its metric by hand, its own table, and what counts as trained."""

from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def quality(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A part of the benchmark by name."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return lambda name: import_module(f"quality.{name}")


def test_a_share_is_that_of_the_front_within_ten_points_of_the_best(quality: Any) -> None:
    """The front of the useful ones is (0.1, 5) and (0.2, 1), at (0, 1) and (1, 0) when normalised; with 1.1 as the
    reference their hypervolume is 2 x 1.1 x 0.1 - 0.1 x 0.1 = 0.21. The network at chance counts for nothing."""
    metric = quality("metric").Metric.of(np.array([(0.1, 5.0), (0.2, 1.0), (0.2, 3.0), (0.9, 0.5)]))
    assert metric.whole == pytest.approx(0.21)
    found = np.array([(0.9, 0.5), (0.2, 1.0), (0.1, 5.0)])
    assert [metric.share(found[:n]) for n in range(4)] == pytest.approx([0, 0, 100 * 0.11 / 0.21, 100])
    assert [metric.needed(found, share) for share in (40, 53, 99)] == [2, 3, 3]
    assert metric.needed(found[:2], 99) == np.inf


def test_the_interval_is_students(quality: Any) -> None:
    """Of 1, 2, 3: a standard error of 1 / sqrt(3), and t of 4.3027 with two degrees of freedom."""
    assert quality("metric").mean_and_interval(np.array([1.0, 2.0, 3.0])) == pytest.approx((2, 4.3027 / 3**0.5), 1e-4)


def test_repeats_and_what_is_over_the_limit_are_not_trained(quality: Any) -> None:
    space = quality("chain").Chain()
    small, hidden, large, other = (
        (0, 0, 3, 0, *(0,) * 8),
        (0, 0, 3, 0, 1, 1, *(0,) * 6),  # the same network: its second block is none
        (2, 0, 1, 1, *(0,) * 8),
        (1, 0, 3, 0, *(0,) * 8),
    )
    values = {small: (0.5, 1.0), large: (0.1, 9.0), other: (0.4, 2.0)}
    problem = quality("problems").Problem("", "", space, ("error", "latency_ms[board]"), values, limit=5.0)

    def search(problem: Any, trainer: Any, seed: int) -> None:
        assert [trainer(genome) for genome in (small, hidden, large, other)][2] == (0.1, 9.0)
        trainer(small)
        raise AssertionError("two networks are trained: that is enough")

    assert quality("peers").trained_by(search, problem, 0, 2).tolist() == [[0.5, 1.0], [0.4, 2.0]]


def test_the_chains_are_what_they_were(quality: Any) -> None:
    """Drawn by a fixed seed, so that figures of different days compare."""
    values = quality("chain").chain_values()
    assert len(values) == quality("chain").Chain().size() == 56_160
    points = np.array([*values.values()])
    assert points.mean(0) == pytest.approx([0.18383859669271996, 15.438525641025569, 38981.1217948718], rel=1e-9)
    everything = points[:, :2]
    assert quality("metric").Metric.of(everything).whole == pytest.approx(1.107982955624091, rel=1e-9)


def test_a_search_goes_on_until_enough_is_trained(quality: Any) -> None:
    limited = next(p for p in quality("problems").problems(None) if p.limit is not None)
    points = quality("searches").trained_by({}, limited, 0, 30)
    assert len(points) == 30
    assert (points[:, 1] <= limited.limit).all()
    assert len(np.unique(points, axis=0)) == 30


def test_a_mutant_keeps_the_inactive_genes_of_its_parent(quality: Any) -> None:
    """Else a peer would have the first value of each gene there, a good one where the good values are written first."""
    problem, peers = next(iter(quality("problems").problems(None))), quality("peers")
    changes = 0
    for seed in range(20):
        proposed: list[tuple[int, ...]] = []

        class Recorder(peers.Trainer):  # type: ignore[name-defined, misc]
            def __call__(self, genome: tuple[int, ...]) -> Any:
                proposed.append(genome)  # noqa: B023
                return super().__call__(genome)

        with pytest.raises(peers.Enough):
            peers.pareto_evolution(problem, Recorder(problem, 2), seed, founders=1)
        changes += sum(a != b for a, b in zip(*proposed[:2], strict=True))
    assert 10 <= changes <= 30, "one gene of a child changes on average"


def test_twins_are_told_apart_by_their_networks(quality: Any) -> None:
    """Two cells that differ in an edge nothing reaches are one network, and each has a row in the table."""
    problem = next(iter(quality("problems").problems(quality("problems").made_up("raspi4"), ["raspi4"])))
    peers, identity = quality("peers"), problem.space.identity
    trained = []
    for twins in (True, False):
        trainer = peers.Trainer(problem, 60)
        with pytest.raises(peers.Enough):
            peers.pareto_evolution(problem, trainer, 1, twins=twins)
        trained.append([*map(identity, trainer.trained)])
    assert [len(networks) for networks in trained] == [60, 60]
    assert len({*trained[0]}) < len({*trained[1]}) == 60


def test_twins_have_their_mean_or_one_of_them_counts(quality: Any) -> None:
    """Of two rows of one chain, whose second block is none in both, and one of another."""
    problems, space = quality("problems"), quality("chain").Chain()
    one, twin, other = (0, 0, 3, 0, *(0,) * 8), (0, 0, 3, 0, 1, 1, *(0,) * 6), (1, 0, 3, 0, *(0,) * 8)
    values = {one: (0.5, 1.0), twin: (0.3, 3.0), other: (0.4, 2.0)}
    averaged = problems.averaged(values, space)
    assert [averaged[genome] for genome in (one, twin, other)] == [pytest.approx((0.4, 2.0))] * 3
    problem = problems.Problem("", "", space, ("error", "latency_ms[board]"), values, limit=2.5)
    found = {tuple(map(tuple, problems.one_each(problem, seed).tolist())) for seed in range(10)}
    assert {frozenset(rows) for rows in found} == {frozenset({(0.5, 1.0), (0.4, 2.0)}), frozenset({(0.4, 2.0)})}


def test_what_is_computed_of_a_network_is_computed_once_and_kept(quality: Any, tmp_path: Path) -> None:
    """Nothing goes on from the second node, so that what leads to it is of no account."""
    asked = []

    def compute(genome: tuple[int, ...]) -> dict[str, float]:
        asked.append(genome)
        return {"params": float(genome[3])}

    kept = quality("untrained").Kept(tmp_path / "rows", compute)
    again = [kept(genome)["params"] for genome in ((2, 0, 0, 3, 0, 0), (1, 0, 0, 3, 0, 0), (0, 0, 0, 2, 0, 0))]
    assert (again, asked) == ([3, 3, 2], [(0, 0, 0, 3, 0, 0), (0, 0, 0, 2, 0, 0)])
    assert quality("untrained").Kept(tmp_path / "rows", lambda genome: {})((4, 0, 0, 3, 0, 0)) == {"params": 3}


def test_the_best_stand_in_before_training_finds_more_than_a_drawn_number_or_none(quality: Any) -> None:
    problem = next(iter(quality("problems").problems(None)))
    stand_ins, trained = quality("stand_ins"), quality("searches").trained
    metric, sections = quality("metric").Metric.of(problem.points()), stand_ins.before("supernet")
    shares = []
    for known in (stand_ins.own_error(problem), stand_ins.drawn(problem)):
        born, points = zip(*islice(trained(sections, problem, 0, 2000, known), 60), strict=True)
        assert born[-1] >= 2 * len(points), "more are built than trained"
        shares.append(metric.share(np.array(points)))
    alone = metric.share(quality("searches").trained_by({}, problem, 0, 60))
    assert shares[0] > max(alone, shares[1]), shares
