"""Who is measured again beside whom, and what follows from it. Known answers, by hand."""

from collections.abc import Mapping

import pytest

from evonas.evaluation.paired_comparison import Incumbent, PairedComparison
from evonas.objectives.objectives import Objectives
from evonas.records import Candidate, Job, Measurement, RungReport
from tests.evaluation.small import bars_task, config

SPEC = bars_task(n=4).spec


def objectives(metric: str = "latency_ms", **limits: object) -> Objectives:
    return Objectives(
        config(
            objectives=[{"metric": "error"}, {"metric": metric, "target": "cpu"}],
            targets={"cpu": {}},
            **limits,
        ),
        SPEC,
    )


def metrics(error: float, ms: float, width: float = 0.02) -> dict[str, float]:
    return {
        "error": error,
        "latency_ms[cpu]": ms,
        "latency_low_ms[cpu]": ms * (1 - width),
        "latency_high_ms[cpu]": ms * (1 + width),
        "examples_per_s[cpu]": 1000 / ms,
    }


def comparison(*front: tuple[float, float], of: Objectives | None = None, again: int = 3) -> PairedComparison:
    of = of or objectives()
    fitnesses = tuple(of.fitness(RungReport(i, 2, metrics(*member))) for i, member in enumerate(front))
    genomes = tuple((i,) for i in range(len(front)))
    candidate = Candidate(9, (9,), (), "random", 0, 0)
    return PairedComparison(of, Job(candidate, front=fitnesses, genomes=genomes), {"cpu": again})


def measurement(ms: float, width: float) -> Measurement:
    return Measurement(ms, ms - width, ms + width, ms, ms, 1.0, 0.0, (ms,), True)


def met(own: Mapping[str, float], *front: tuple[float, float]) -> list[int]:
    """Which members of the front a candidate is measured beside, if nothing changes by it."""
    contest, found = comparison(*front), []
    while (incumbent := contest.next(own)) is not None:
        found.append(incumbent.index)
        contest.resolved(incumbent, measurement(own["latency_ms[cpu]"], 0.001), own)
    return found


@pytest.mark.parametrize(
    ("own", "front", "who"),
    [
        ((0.1, 1.00), [(0.2, 1.01)], [0]),  # it would push the member out, and may be the slower one
        ((0.2, 1.01), [(0.1, 1.00)], [0]),  # the member would keep it out, and may be the slower one
        ((0.1, 1.00), [(0.2, 1.10)], []),  # surely faster
        ((0.1, 1.01), [(0.2, 1.00)], []),  # a trade-off: nobody displaces anybody
        ((0.1, 1.00), [(0.2, 1.01), (0.3, 0.5), (0.4, 1.02), (0.5, 9.0)], [0, 2]),
        ((0.1, 1.00), [(0.2 + i / 10, 1.01) for i in range(6)], [0, 1, 2]),  # three at most
    ],
)
def test_only_who_would_displace_within_the_noise(
    own: tuple[float, float], front: list[tuple[float, float]], who: list[int]
) -> None:
    assert met(metrics(*own), *front) == who


def test_a_candidate_over_a_limit_displaces_nobody() -> None:
    of = objectives(limits=[{"metric": "latency_ms", "target": "cpu", "at_most": 0.5}])
    assert comparison((0.2, 1.01), of=of).next(metrics(0.1, 1.0)) is None


def test_no_budget_no_duel() -> None:
    assert comparison((0.2, 1.01), again=0).next(metrics(0.1, 1.0)) is None


def test_a_clear_answer_is_taken_relative_to_the_rival() -> None:
    contest = comparison((0.2, 1.01))
    own = metrics(0.1, 1.0)
    incumbent = contest.next(own)
    assert incumbent == Incumbent(0, (0,), "cpu", 1, 1.01)
    after = own | contest.resolved(incumbent, measurement(1.03, 0.005), metrics(0.1, 1.03))
    assert after["latency_ms[cpu]"] == 1.03
    assert after["remeasured[cpu]"] == 1
    assert contest.next(after) is None  # slower and more accurate: both stay
    assert contest.against("cpu") == "0"


def test_what_cannot_be_told_apart_is_equally_fast() -> None:
    contest = comparison((0.2, 1.01))
    own = metrics(0.1, 1.0)
    incumbent = contest.next(own)
    assert incumbent is not None
    after = own | contest.resolved(incumbent, measurement(1.012, 0.005), metrics(0.1, 1.012))
    assert after["latency_ms[cpu]"] == 1.01
    assert after["examples_per_s[cpu]"] == pytest.approx(1000 / 1.01)


def test_throughput_is_as_noisy_as_the_latency_it_comes_from() -> None:
    of = objectives("examples_per_s")
    fitness = of.fitness(RungReport(0, 0, metrics(0.1, 2.0, 0.1)))
    assert fitness.values == (0.1, -500.0)
    low, high = fitness.intervals[1]
    assert (low, high) == (pytest.approx(-500 / 0.9), pytest.approx(-500 / 1.1))
    incumbent = comparison((0.2, 1.01), of=of).next(metrics(0.1, 1.0))
    assert incumbent is not None
    assert incumbent.ms == pytest.approx(1.01)


def test_what_is_counted_has_no_noise() -> None:
    of = Objectives(config(), SPEC)
    assert of.fitness(RungReport(0, 0, {"error": 0.1, "params": 5.0})).intervals == ()
    assert not of.noisy
