"""Who may see what: the window, the barrier, arrival order."""

import itertools
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evonas.config import ScheduleConfig
from evonas.driver.reorder_buffer import Failed, ReorderBuffer
from evonas.driver.visibility import ORDERS, Window, lookaheads
from evonas.objectives import pareto
from evonas.objectives.objectives import Objectives
from evonas.records import Candidate, Evaluation, Fitness, RungReport, Status
from evonas.strategies import Report
from tests.synthetic import SPEC, config


def buffer(mode: str, **schedule: int) -> ReorderBuffer:
    settings = config(schedule={"mode": mode, **schedule})
    return ReorderBuffer(settings, Objectives(settings, SPEC))


def done(index: int, status: Status = Status.OK, rungs: int = 3) -> Evaluation:
    candidate = Candidate(index, (0,), (), "random", 0, 0)
    metrics = {"error": 0.5 - index / 1000, "params": float(index)}
    reached = tuple(RungReport(index, rung, metrics) for rung in range(rungs))
    return Evaluation(candidate, status, metrics, rungs=reached)


def test_each_rung_has_its_own_window() -> None:
    # epochs 1 and 3 of 9, keep 0.5: a candidate trains 1 + 0.5 x 2 + 0.25 x 6 = 3.5 epochs on average;
    # 4 x (1 + 0.75 e / 3.5) for e = 1, 3, 9 is 4.86, 6.57, 11.71.
    assert lookaheads(config()) == (4, 6, 11)


def test_a_window_grows_with_the_index_to_its_length() -> None:
    """Of a lookahead of 8, rungs have 9, 13 and 23: 8 x (1 + 0.75 e / 3.5). The first grows as max(4, j // 4) up to 8,
    the others by 13 / 9 and 23 / 9 of that."""
    grows = Window(config(schedule={"lookahead": 8, "grows": True}))
    fixed = Window(config(schedule={"lookahead": 8, "grows": False}))

    def lookahead(rule: Window, index: int) -> list[int]:
        return [index + 1 - rule.horizon(index, rung, 0) for rung in range(3)]

    assert [lookahead(grows, index) for index in (12, 20, 32, 90)] == [[4, 5, 10], [5, 7, 12], [8, 11, 20], [8, 11, 20]]
    assert lookahead(fixed, 90) == [9, 13, 23]


@given(st.integers(1, 40), st.lists(st.integers(1, 80), max_size=4, unique=True), st.floats(0.1, 1.0))
def test_what_a_growing_window_has_shown_it_never_hides(lookahead: int, rungs: list[int], promote: float) -> None:
    training = {"epochs": 81, "rungs": sorted(rungs), "promote": promote}
    rule = Window(config(training=training, schedule={"lookahead": lookahead, "grows": True}))
    for rung in range(len(rungs) + 1):
        seen = [rule.horizon(index, rung, 0) for index in range(400)]
        assert seen == sorted(seen)
        assert all(horizon <= index for index, horizon in enumerate(seen))


@pytest.mark.parametrize(
    ("schedule", "grows"),
    [({}, True), ({"lookahead": 24}, True), ({"lookahead": 25}, False), ({"mode": "async"}, False)],
)
def test_a_window_grows_by_default_where_few_workers_wait_for_it(schedule: dict[str, Any], grows: bool) -> None:
    assert config(schedule=schedule).schedule.grows is grows


def test_window_shows_a_candidate_exactly_those_that_are_far_enough_back() -> None:
    book = buffer("window")
    for index in range(30):
        book.add_evaluation(done(index))
    told: list[int] = []
    for index in range(30):
        view = book.view(index)
        told += [report.index for report in view.news if isinstance(report, Report) and report.fitness.rung == 0]
        assert told == list(range(max(0, index - 3)))  # lookahead 4: i <= j - 4
        assert view.visible == len(told)


def test_window_waits_for_a_straggler_and_no_longer() -> None:
    book = buffer("window")
    for index in (1, 2, 3, 4, 5, 6, 7, 8):
        book.add_evaluation(done(index))
    assert book.ready(3)  # sees nobody yet
    assert not book.ready(4)  # would see candidate 0
    book.add_report(RungReport(0, 0, {"error": 0.5, "params": 1.0}))
    assert book.ready(4), "rung 0 is all that candidate 4 sees of candidate 0"
    assert not book.ready(6), "rung 1 of candidate 0 is visible to candidate 6"
    book.add_evaluation(done(0))
    assert book.ready(12)


def test_generation_is_a_barrier() -> None:
    book = buffer("generation")
    for index in range(7):
        book.add_evaluation(done(index))
    assert all(book.ready(index) for index in range(8))
    assert not book.ready(8)
    book.add_evaluation(done(7))
    assert book.ready(15)
    assert not book.ready(16)


def test_async_shows_arrivals_in_their_order() -> None:
    book = buffer("async")
    for index in (2, 0, 1):
        book.add_evaluation(done(index, rungs=1, status=Status.STOPPED))
    assert [report.index for report in book.view(3).news] == [2, 0, 1]
    assert book.order == [2, 0, 1]


def test_a_recorded_candidate_sees_as_much_as_it_saw() -> None:
    book = buffer("async")
    for index in range(4):
        book.add_evaluation(done(index, rungs=1, status=Status.STOPPED))
    assert [report.index for report in book.view(4, visible=2).news] == [0, 1]
    assert [report.index for report in book.view(5, visible=3).news] == [2]


def test_a_failure_is_news_without_a_standing() -> None:
    book = buffer("async")
    book.add_evaluation(done(0, Status.FAILED_DIVERGED, rungs=0))
    assert book.view(1).news == (Failed(0),)
    assert book.final([0]) == []


def test_a_report_holds_the_very_metrics_that_were_reported_and_the_buffer_lets_go_of_them() -> None:
    """Not copies: 10,000 candidates times some rungs of them would be a driver's largest possession."""
    book = buffer("async")
    evaluation = done(0)
    book.add_evaluation(evaluation)
    news = book.view(1).news
    assert [report.fitness.rung for report in news if isinstance(report, Report)] == [0, 1, 2]
    for report, rung in zip(news, evaluation.rungs, strict=True):
        assert isinstance(report, Report)
        assert report.metrics is rung.metrics
    assert not any(book._metrics)


def test_an_infeasible_candidate_is_reported_with_its_costs() -> None:
    settings = config(limits=[{"metric": "params", "at_most": 10}], schedule={"mode": "async"})
    book = ReorderBuffer(settings, Objectives(settings, SPEC))
    candidate = Candidate(0, (0,), (), "random", 0, 0)
    book.add_evaluation(Evaluation(candidate, Status.INFEASIBLE, {"params": 15.0, "macs": 7.0}))
    assert book.view(1).news == (Report(0, Fitness(0, 0, (), 0.5), {"params": 15.0, "macs": 7.0}),)


def test_every_mode_of_the_config_has_its_order() -> None:
    assert set(ORDERS) == set(get_args(ScheduleConfig.model_fields["mode"].annotation))


def test_front_and_final_standings() -> None:
    book = buffer("async")
    book.add_evaluation(done(0))
    book.add_evaluation(done(1, Status.STOPPED, rungs=1))
    assert [s.index for s in book.fully_trained([0, 1])] == [0]
    assert [(s.index, s.rung) for s in book.final([0, 1])] == [(0, 2), (1, 0)]


@given(st.permutations(range(24)), st.sampled_from(["window", "generation"]))
def test_what_is_seen_does_not_depend_on_arrival(order: list[int], mode: str) -> None:
    shuffled, sorted_ = buffer(mode), buffer(mode)
    for index in range(24):
        sorted_.add_evaluation(done(index))
    arrivals = itertools.chain(order)
    for index in range(24):
        while not shuffled.ready(index):
            shuffled.add_evaluation(done(next(arrivals)))
        assert shuffled.view(index) == sorted_.view(index)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=30, max_size=30))
def test_the_front_that_is_seen_is_that_of_all_visible(points: list[tuple[int, int]]) -> None:
    book = buffer("window")
    for index, (error, params) in enumerate(points):
        metrics = {"error": float(error), "params": float(params)}
        candidate = Candidate(index, (0,), (), "random", 0, 0)
        rungs = [RungReport(index, rung, metrics) for rung in range(3)]
        book.add_evaluation(Evaluation(candidate, Status.OK, metrics, rungs=rungs))
    for index in range(30):
        visible = book.fully_trained(range(max(0, index - 10)))  # the window of the last rung is 11
        assert {s.index for s in book.view(index).front} == {s.index for s in pareto.front(visible)}


@pytest.mark.parametrize("mode", ["window", "generation", "async"])
def test_bars_keep_the_share(mode: str) -> None:
    book = buffer(mode)
    for index in range(24):
        book.add_evaluation(done(index))
    views = [book.view(index) for index in range(25)]
    assert len(views[24].cutoffs) == 2
    assert all(fitness.values for cutoff in views[24].cutoffs for fitness in cutoff)
