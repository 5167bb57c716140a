import statistics
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load

from evonas.errors import UserError
from evonas.evaluation import Evaluator, evaluate
from evonas.evaluation.training import loop as training
from evonas.evaluation.training.saved_state import copied
from evonas.evaluation.training.scoring import score
from evonas.latency_tables.blocks import blocks
from evonas.measuring.device_lock import DeviceLock
from evonas.objectives.early_stopping import is_stopped
from evonas.objectives.objectives import Objectives
from evonas.records import Deferred, Fitness, RungReport, Status
from tests.evaluation.small import ConvNets, Moods, bars_task, config, conv_net, evaluator, global_state, job, run

BEST = Fitness(0, 0, (0.0, 0.0))
BIG_AND_BAD = Fitness(0, 0, (2.0, 1e9))
CPU = {"cpu": {"max_seconds": 0.1}}
WITH_LATENCY: dict[str, Any] = {
    "objectives": [{"metric": "error"}, {"metric": "latency_ms", "target": "cpu"}],
    "targets": CPU,
}
MOODS = {value: i for i, value in enumerate(Moods.mood.values)}


@pytest.mark.parametrize(
    ("cutoff", "expected"),
    [
        ([], False),
        ([Fitness(1, 0, (0.2, 20.0))], False),  # equal
        ([Fitness(1, 0, (0.1, 30.0))], False),  # more accurate but larger
        ([Fitness(1, 0, (0.1, 20.0))], True),
        ([Fitness(1, 0, (0.3, 30.0)), Fitness(2, 0, (0.2, 19.0))], True),  # one is enough
        ([Fitness(1, 0, (0.1, 10.0), violation=0.5)], False),  # not feasible
    ],
)
def test_outside_is_constrained_domination_by_a_member(cutoff: Sequence[Fitness], expected: bool) -> None:
    assert is_stopped(Fitness(9, 0, (0.2, 20.0)), cutoff) is expected


def test_a_feasible_member_stops_whoever_violates_a_limit() -> None:
    assert is_stopped(Fitness(9, 0, (0.1, 10.0), violation=0.1), [Fitness(1, 0, (0.9, 90.0))])


def test_full_training_reports_each_rung_and_then_itself() -> None:
    evaluate = evaluator(of=config({"epochs": 4, "rungs": [1, 3]}))
    passed, last = run(evaluate, job(cutoffs=((BIG_AND_BAD,), ())))
    assert last.status is Status.OK, last.message
    assert [p.rung for p in passed] == [0, 1]
    assert [p.rung for p in last.rungs] == [0, 1, 2]
    assert last.rungs[:2] == tuple(passed)
    assert [epoch.epoch for epoch in last.curve] == [1, 2, 3, 4]
    for report, epoch in zip(last.rungs, (last.curve[0], last.curve[2], last.curve[3]), strict=True):
        assert report.index == 5
        assert report.metrics["error"] == epoch.valid_metric
        assert {"params", "macs", "train_memory_mb"} < set(report.metrics)
    assert last.metrics == last.rungs[-1].metrics
    assert last.measure_s > 0
    assert last.train_s > 0
    assert last.started_at <= last.finished_at
    assert {"host", "device", "torch", "python", "dtype", "threads"} <= set(last.conditions)


def test_a_dominated_candidate_stops_and_its_last_rung_is_in_the_row_alone() -> None:
    evaluate = evaluator(of=config({"epochs": 4, "rungs": [1, 2]}))
    passed, last = run(evaluate, job(cutoffs=((BIG_AND_BAD,), (BEST,))))
    assert last.status is Status.STOPPED
    assert [p.rung for p in passed] == [0]
    assert [p.rung for p in last.rungs] == [0, 1]
    assert len(last.curve) == 2
    assert last.metrics == last.rungs[-1].metrics
    assert last.weights is None


def test_a_candidate_over_a_cost_limit_is_never_trained() -> None:
    limits = [{"metric": "params", "at_most": 100}, {"metric": "macs", "at_least": 1}]
    _, last = run(evaluator(of=config(limits=limits)), job())
    assert last.status is Status.INFEASIBLE
    assert last.message == "params is 366, the limit 100"
    assert "error" not in last.metrics
    assert last.metrics["params"] == 366
    assert (last.curve, last.rungs, last.train_s) == ((), (), 0.0)


def test_a_limit_on_a_latency_counts_before_training() -> None:
    limits = [{"metric": "latency_ms", "target": "cpu", "at_most": 1e-6}]
    _, last = run(evaluator(of=config(limits=limits, targets=CPU)), job())
    assert last.status is Status.INFEASIBLE
    assert "latency_ms[cpu]" in last.message


def test_a_limit_on_what_is_trained_is_judged_elsewhere_but_earns_no_weights() -> None:
    _, last = run(evaluator(of=config(limits=[{"metric": "error", "at_most": -1}])), job())
    assert last.status is Status.OK
    assert last.weights is None


@pytest.mark.parametrize(
    ("mood", "status", "message"),
    [
        ("no number", Status.FAILED_DIVERGED, "not finite after epoch 1"),
        ("huge", Status.FAILED_OOM, "can't allocate memory"),
        ("memory", Status.FAILED_OOM, "MemoryError"),
        ("bug", Status.FAILED_ERROR, "KeyError: 'the line\\nand more of it' (small.py:"),
        ("raises", Status.FAILED_BUILD, "ValueError: width 3 does not divide by heads 2 (small.py:"),
        ("shape", Status.FAILED_BUILD, "Moods: two examples (1 x 8 x 8) gave (2, 64), not (2, 2)"),
        ("list", Status.FAILED_BUILD, "gave (2, 1, 8, 8), not (2, 2)"),
        ("frozen", Status.FAILED_BUILD, "without trainable parameters"),
        ("text", Status.FAILED_BUILD, "Moods.build returned 'a network', not an nn.Module"),
    ],
)
def test_a_failure_is_a_row(mood: str, status: Status, message: str) -> None:
    evaluate = evaluator(Moods())
    before = global_state()
    _, last = run(evaluate, job(MOODS[mood]))
    assert last.status is status
    assert message in last.message
    assert last.weights is None
    assert ("params" in last.metrics) is (status is not Status.FAILED_BUILD)
    assert global_state() == before
    _, good = run(evaluate, job(MOODS["good"]))
    assert good.status is Status.OK, "a failure must not touch the candidates after it"


def test_a_genome_of_another_space_is_a_failed_build() -> None:
    _, last = run(evaluator(), job(99))
    assert last.status is Status.FAILED_BUILD
    assert "index 99" in last.message


def test_a_failure_keeps_what_was_known() -> None:
    class LateTrouble(ConvNets):
        def build(self, arch, task):  # type: ignore[no-untyped-def]
            net = conv_net(arch.width, task)
            count = iter(range(100))
            net.register_forward_pre_hook(lambda module, x: _fail_after(next(count), 16))
            return net

    evaluate = evaluator(LateTrouble(), of=config({"epochs": 3, "rungs": [1, 2]}))
    passed, last = run(evaluate, job())
    assert last.status is Status.FAILED_ERROR
    assert last.metrics["params"] == 366
    assert [p.rung for p in last.rungs] == [p.rung for p in passed] == [0]
    assert len(last.curve) == 1


def _fail_after(calls: int, most: int) -> None:
    if calls >= most:
        raise RuntimeError("enough")


def test_weights_come_only_with_a_candidate_that_may_be_on_the_front() -> None:
    evaluate = evaluator()
    _, kept = run(evaluate, job(front=(BIG_AND_BAD, Fitness(1, 0, (0.0, 0.0), violation=1.0))))
    _, dropped = run(evaluate, job(front=(BEST,)))
    assert dropped.status is Status.OK
    assert dropped.weights is None
    assert kept.weights is not None
    network = conv_net(4, evaluate.task.spec)
    network.load_state_dict(load(kept.weights))
    network.eval()
    data = evaluate.data
    scores = score(network, data.valid, data, evaluate.task)
    assert scores.metrics["error"] == pytest.approx(kept.metrics["error"])
    assert scores.loss == pytest.approx(kept.curve[-1].valid_loss)


def test_weights_of_shared_and_transposed_tensors_have_memory_of_their_own() -> None:
    first, second = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)
    second.weight = first.weight
    net = torch.nn.Sequential(first, second)
    net.register_buffer("view", first.weight.detach().t())
    state = copied(net.state_dict())
    assert len({t.data_ptr() for t in state.values()}) == len(state)
    assert all(t.is_contiguous() for t in state.values())
    assert torch.equal(state["view"], state["1.weight"].t())


def test_what_was_reached_before_is_not_measured_or_reported_again() -> None:
    evaluate = evaluator(of=config({"epochs": 3, "rungs": [1, 2]}, **WITH_LATENCY))
    passed, whole = run(evaluate, job())
    costs = {"params": 366.0, "macs": 1.0, "latency_ms[cpu]": 123.0}
    reached = RungReport(5, 0, {**costs, "error": 0.75})
    again, last = run(evaluate, job(reached=(reached,), cutoffs=((BEST,), ())))
    assert [p.rung for p in again] == [1]
    assert last.rungs[0] == reached
    assert [p.rung for p in last.rungs] == [0, 1, 2]
    assert last.metrics["latency_ms[cpu]"] == 123.0
    assert last.latency_samples == {}
    assert last.curve == whole.curve
    assert again[0].metrics["error"] == passed[1].metrics["error"]


def test_a_second_attempt_that_fails_early_keeps_what_the_first_reported() -> None:
    reached = RungReport(5, 0, {"params": 366.0, "error": 0.5})
    _, last = run(evaluator(Moods(), of=config({"rungs": [1]})), job(MOODS["bug"], reached=(reached,)))
    assert last.status is Status.FAILED_ERROR
    assert last.rungs == (reached,)


def test_latency_is_in_the_row_with_its_samples_and_conditions() -> None:
    _, last = run(evaluator(of=config(**WITH_LATENCY)), job())
    assert last.status is Status.OK, last.message
    samples, metrics = last.latency_samples["cpu"], last.metrics
    assert len(samples) >= 11
    assert metrics["latency_raw_ms[cpu]"] == statistics.median(samples)
    assert 0 < metrics["latency_low_ms[cpu]"] <= metrics["latency_ms[cpu]"] <= metrics["latency_high_ms[cpu]"]
    assert metrics["examples_per_s[cpu]"] == pytest.approx(1000 / metrics["latency_ms[cpu]"])
    assert metrics["remeasured[cpu]"] == 0
    assert last.conditions["threads[cpu]"] == "1"
    assert last.conditions["batch[cpu]"] == "1"
    assert last.conditions["quiet[cpu]"] == "yes"
    assert float(last.conditions["quiet_reference_ms[cpu]"]) > 0


def test_every_column_that_the_schema_promises_is_filled() -> None:
    extras = [{"metric": m, "target": "cpu", "at_most": 1e9} for m in ("memory_mb", "size_mb")]
    of = config(**WITH_LATENCY, limits=extras)
    _, last = run(evaluator(of=of), job())
    assert set(last.metrics) == set(Objectives(of, bars_task().spec).metrics)
    assert last.metrics["size_mb[cpu]"] == pytest.approx(4 * 366 / 1e6, rel=0.2)  # float32, and BatchNorm's statistics
    assert last.metrics["memory_mb[cpu]"] > last.metrics["size_mb[cpu]"]


def test_a_network_is_measured_once_and_beside_nobody_without_a_front() -> None:
    evaluate = evaluator(of=config(**WITH_LATENCY))
    (_, first), (_, second) = run(evaluate, job()), run(evaluate, job(index=6))
    assert first.latency_samples == second.latency_samples
    assert "measured[cpu]" not in first.conditions
    assert second.conditions["measured[cpu]"] == "before"
    assert second.conditions["took_s[cpu]"] == first.conditions["took_s[cpu]"]
    assert 0 < float(first.conditions["took_s[cpu]"]) <= first.measure_s


def test_who_would_push_a_member_off_the_front_within_the_noise_is_measured_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    evaluate = evaluator(of=config(**WITH_LATENCY))
    _, alone = run(evaluate, job())
    ms = alone.metrics["latency_ms[cpu]"] * 1.001
    front = (evaluate.objectives.fitness(RungReport(3, 0, {**alone.metrics, "error": 1.0, "latency_ms[cpu]": ms})),)
    measured = []
    against = evaluate.targets.against

    def noted(name: str, network: Any, baseline: Any, ms: float, endpoints: Any) -> Any:
        found = against(name, network, baseline, ms, endpoints)
        measured.append((ms, ms if found.low <= ms <= found.high else found.ms))
        return found

    monkeypatch.setattr(evaluate.targets, "against", noted)
    _, last = run(evaluate, replace(job(front=front), genomes=((1,),)))
    assert last.metrics["remeasured[cpu]"] == 1
    assert last.conditions["against[cpu]"] == "3"
    assert len(last.latency_samples["cpu"]) > len(alone.latency_samples["cpu"])
    assert last.rungs[-1].metrics == last.metrics
    # beside what the member was recorded with, and as fast where the interval allows it, which is up to the machine
    assert measured == [(ms, last.metrics["latency_ms[cpu]"])]


def test_a_duel_that_fails_costs_nothing_but_the_duel(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate = evaluator(of=config(**WITH_LATENCY))
    _, alone = run(evaluate, job())
    front = (evaluate.objectives.fitness(RungReport(3, 0, {**alone.metrics, "error": 1.0})),)

    def fails(*args: object) -> None:
        raise MemoryError("two networks are one too many")

    monkeypatch.setattr(evaluate.targets, "against", fails)
    _, last = run(evaluate, replace(job(front=front), genomes=((1,),)))
    assert last.status is Status.OK
    assert last.metrics == alone.metrics
    assert last.message.startswith("not measured again: MemoryError: two networks are one too many")


@pytest.mark.parametrize(
    ("targets", "pauses"),
    [
        ({"cpu": {"quiet": False}}, False),
        ({"cpu": {}}, True),
        ({"cpu": {}, "unused": {"quiet": False}}, True),
        ({"cpu": {"address": "http://127.0.0.1:9", "quiet": False}}, True),
    ],
)
def test_training_makes_way_unless_its_targets_do_not_want_it(targets: dict[str, Any], pauses: bool) -> None:
    evaluate = evaluator(of=config(objectives=WITH_LATENCY["objectives"], targets=targets))
    with evaluate.device_lock.exclusive("cpu") as alone:
        assert alone is pauses


def test_a_check_measures_and_trains_nothing() -> None:
    limits = [{"metric": "params", "at_most": 1}]
    evaluate = evaluator(of=config(**WITH_LATENCY, limits=limits))
    _, last = run(evaluate, replace(job(), kind="measure"))
    assert last.status is Status.OK
    assert last.metrics["latency_ms[cpu]"] > 0
    assert last.curve == ()


def test_latencies_from_a_table_are_added_up_and_the_device_is_asked_in_a_check_alone() -> None:
    sections = {
        **WITH_LATENCY,
        "objectives": [{"metric": "error"}, {"metric": "latency_ms", "target": "cpu", "from": "t"}],
        "targets": {"cpu": {**WITH_LATENCY["targets"]["cpu"], "includes": "network"}},
    }
    of, task = config(**sections), bars_task()
    network = conv_net(4, task.spec)
    table = {block.key: 0.5 for block in blocks(network, task.spec.input)}
    evaluate = Evaluator(ConvNets(), task, of, Objectives(of, task.spec), tables={"cpu": table})
    _, last = run(evaluate, job())
    count = len(blocks(network, task.spec.input))
    assert last.metrics["latency_ms[cpu]"] == 0.5 * count
    assert last.metrics["examples_per_s[cpu]"] == 1000 / (0.5 * count)
    assert set(last.metrics) == set(evaluate.objectives.metrics)
    assert last.latency_samples == {}
    _, checked = run(evaluate, replace(job(), kind="measure"))
    assert checked.metrics["latency_ms[cpu]"] != last.metrics["latency_ms[cpu]"]
    assert len(checked.latency_samples["cpu"]) >= 11
    _, missing = run(evaluate, job(3))
    assert missing.status is Status.FAILED_ERROR
    assert "table" in missing.message


def test_a_target_that_is_away_postpones_the_candidate_unless_another_has_decided_it() -> None:
    targets = {"board": {"address": "http://127.0.0.1:9"}, **CPU}
    objectives = [{"metric": "error"}, {"metric": "latency_ms", "target": "board"}]
    of = config(objectives=objectives, targets=targets)
    *_, last = evaluator(of=of)(job())
    assert isinstance(last, Deferred)
    assert last.index == 5
    assert "board" in last.reason
    tight = config(
        objectives=objectives, targets=targets, limits=[{"metric": "latency_ms", "target": "cpu", "at_most": 1e-6}]
    )
    _, evaluated = run(evaluator(of=tight), job())
    assert evaluated.status is Status.INFEASIBLE


def test_training_pauses_for_a_measurement_and_the_row_says_so() -> None:
    evaluate = evaluator(of=config({"epochs": 2}))
    other = DeviceLock(["cpu"])
    started, done = threading.Event(), threading.Event()

    def measure() -> None:
        with other.exclusive("cpu"):
            started.set()
            done.wait(0.3)

    thread = threading.Thread(target=measure)
    thread.start()
    started.wait()
    _, last = run(evaluate, job())
    thread.join()
    assert last.status is Status.OK
    assert 0.1 < last.paused_s < 10


def test_targets_that_nothing_asks_for_are_not_measured() -> None:
    _, last = run(evaluator(of=config(targets=CPU)), job())
    assert last.latency_samples == {}


def test_the_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    first, same, other = (run(evaluator(), job(seed=seed))[1] for seed in (1, 1, 2))
    assert first.curve == same.curve
    assert first.weights == same.weights
    assert first.curve != other.curve


def test_the_process_is_left_as_it_was() -> None:
    evaluate = evaluator(of=config({"rungs": [1]}, **WITH_LATENCY))
    torch.manual_seed(3)
    before = global_state()
    for _ in evaluate(job()):
        assert global_state() == before


def test_an_augmentation_that_does_not_fit_is_the_users_error() -> None:
    with pytest.raises(UserError, match="augment: 9 pixels"):
        evaluator(of=config({"augment": {"cutout": 9}}))


def test_a_device_that_is_not_there_is_the_users_error() -> None:
    with pytest.raises(UserError, match=r"targets\.gpu\.device: there is no cuda:77 "):
        evaluator(
            of=config(objectives=[{"metric": "latency_ms", "target": "gpu"}], targets={"gpu": {"device": "cuda:77"}})
        )


def test_read_only_arrays_do_not_warn(recwarn: pytest.WarningsRecorder) -> None:
    task = bars_task()
    for split in (task.splits.train, task.splits.valid):
        split.x.setflags(write=False)
        split.y.setflags(write=False)
    _, last = run(evaluator(task=task), job())
    assert last.status is Status.OK
    assert not [w for w in recwarn if "writable" in str(w.message)]


def test_a_worker_that_starts_waits_for_who_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data are placed and devices set up: that is work of the machine like any other."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made: list[Evaluator] = []
    start = threading.Thread(target=lambda: made.append(evaluator()))
    with DeviceLock([]).exclusive("cpu") as alone:
        assert alone
        start.start()
        start.join(0.5)
        assert not made
    start.join(600)
    assert made


def test_memory_stays_while_a_network_trains_and_is_given_back_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(training, "keep_memory", lambda: said.append("kept"))
    monkeypatch.setattr(evaluate, "give_memory_back", lambda: said.append("given back"))
    run(evaluator(), job(1))
    assert "kept" in said
    assert said.index("given back") == len(said) - 1
