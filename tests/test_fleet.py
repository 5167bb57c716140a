"""Which workers there are, decided from what their starts and nodes say: without a cluster."""

import time
from collections.abc import Collection, Sequence
from typing import Any

import pytest

from evonas.config import RuntimeConfig
from evonas.errors import Halted, UserError
from evonas.records import Candidate, Evaluation, RunKind, Status
from evonas.runtime.ray_pool.fleet import LACKING_S, LOST_ACTORS, LOST_STARTS, Fleet
from evonas.runtime.ray_pool.launcher import Fault, Start, StartError
from evonas.runtime.ray_pool.nodes import SHUNNED_S, ClusterNode
from evonas.runtime.retries import Place

A, B = (ClusterNode(id, f"host-{id}", {"CPU": 2.0, "GPU": 1.0}) for id in "ab")


class Launcher:
    """Starts nothing: each start answers what the test says, and is placed and ready otherwise."""

    def __init__(self, nodes: Sequence[ClusterNode]) -> None:
        self.alive = list(nodes)
        self.draining: list[str] = []
        self.faults: list[StartError] = []  # of the next starts
        self.rounds = 0  # so many times there are answers
        self.started: list[tuple[float, Collection[str]]] = []
        self.killed: list[Any] = []

    def start(self, gpus: float, avoided: Collection[str]) -> Start:
        self.started.append((gpus, avoided))
        return Start(f"worker {len(self.started)}", None)

    def settle(self, start: Start, node: str, share: float) -> None:
        start.node = node

    def answered(self, starts: Collection[Start], seconds: float) -> Sequence[Start]:
        self.rounds -= 1
        return list(starts) if self.rounds >= 0 else []

    def answer(self, start: Start) -> str:
        if self.faults and (start.node or self.faults[0].fault is Fault.LOST):  # only its process can refuse
            raise self.faults.pop(0)
        return "" if start.node else self.alive[len(self.started) % len(self.alive)].id

    def kill(self, actor: Any) -> None:
        self.killed.append(actor)

    def nodes(self) -> tuple[list[ClusterNode], list[str]]:
        return self.alive, self.draining


def fleet(launcher: Launcher, pending: int = 100, **changes: Any) -> Fleet:
    config = RuntimeConfig.model_validate({"kind": "ray", "cpus_per_worker": 1, **changes})
    made = Fleet(config, launcher, lambda: pending)  # type: ignore[arg-type]
    made.nodes.update(*launcher.nodes())
    made.scale()
    return made


def answers(made: Fleet, launcher: Launcher, rounds: int = 1) -> None:
    """The fleet hears of its starts so many times."""
    for _ in range(rounds):
        launcher.rounds = 1
        made.admit(0)


def settled(launcher: Launcher, **changes: Any) -> Fleet:
    """A fleet whose workers are all ready: placed first, then started."""
    made = fleet(launcher, **changes)
    answers(made, launcher, 2)
    return made


def evaluation() -> Evaluation:
    return Evaluation(Candidate(0, (0,), (), "random", 0, 0), Status.OK)


def test_as_many_workers_start_as_the_nodes_hold_and_get_jobs_once_they_are_ready() -> None:
    launcher = Launcher([A, B])
    made = fleet(launcher)
    assert (made.size, len(made.starting), made.able) == (4, 4, [])
    assert made.notes == ["4 workers to come"]
    answers(made, launcher)
    assert (made.able, len(made.starting)) == ([], 4)
    answers(made, launcher)
    assert (len(made.able), len(made.starting), made.notes) == (4, 0, [])


def test_more_workers_than_the_nodes_hold_are_asked_for_where_an_autoscaler_may_start_machines() -> None:
    launcher = Launcher([A])
    made = fleet(launcher, workers="auto", max_workers=7, address="10.0.0.1:6379")
    assert (made.size, len(launcher.started)) == (7, 7)


def test_a_worker_that_lands_on_an_avoided_node_is_ended_and_another_started() -> None:
    launcher = Launcher([A])
    made = fleet(launcher, workers=1)
    launcher.alive, launcher.draining = [A, B], ["a", "b"]
    made.nodes.update(*launcher.nodes())
    answers(made, launcher)
    assert launcher.killed == ["worker 1"]
    assert launcher.started == [(0, []), (0, ["a", "b"])]


def test_starts_that_wait_for_a_node_are_begun_anew_when_other_nodes_must_be_avoided() -> None:
    launcher = Launcher([A, B])
    made = fleet(launcher, workers=2)
    made.nodes.update([A, B], ["a"])
    made.scale()
    assert launcher.killed == ["worker 1", "worker 2"]
    assert [avoided for _, avoided in launcher.started] == [[], [], ["a"], ["a"]]


def test_workers_of_a_drained_or_dead_node_leave_and_those_with_jobs_may_end_them() -> None:
    made = settled(Launcher([A]), workers=2)
    one, other = made.workers
    one.jobs.append((None, None))  # type: ignore[arg-type]
    made.nodes.update([A], ["a"])
    assert made.leaving == [one, other]
    made.nodes.update([], ())
    assert made.leaving == [other], "what the other node says is heard, or it is silent"


def test_idle_workers_are_let_go_once_little_is_left() -> None:
    launcher = Launcher([A, B])
    made = settled(launcher, pending=1, workers=3)
    made.workers[1].jobs.append((None, None))  # type: ignore[arg-type]
    made.draining = True
    made.scale()
    assert [worker.actor for worker in made.workers] == ["worker 2"]
    assert sorted(launcher.killed) == ["worker 1", "worker 3"]
    assert made.size == 1


def test_a_few_jobs_at_the_end_are_no_reason_for_a_worker_more_and_many_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a front is measured to the end, after all but one were let go."""
    launcher, now = Launcher([A, B]), time.monotonic()
    monkeypatch.setattr("time.monotonic", lambda: now)
    made = settled(launcher, pending=1, workers=3)
    made.draining = True
    made.scale()
    made._pending = lambda: 2
    now += LACKING_S - 1
    made.scale()
    assert (len(made.workers), len(launcher.started)) == (1, 3)
    now += 2
    made.scale()
    assert (len(made.starting), len(launcher.started)) == (1, 4)
    made.kill(made.workers[0])
    made._pending = lambda: 3
    made.scale()
    assert len(launcher.started) == 6, "without a worker nothing is waited for"


def test_silent_workers_are_ended_with_those_that_start_on_their_nodes() -> None:
    launcher = Launcher([A])
    made = settled(launcher, workers=2)
    silent = made.workers[0]
    made.kill(made.workers[1])
    made.scale()
    answers(made, launcher)
    assert [start.node for start in made.starting] == [silent.node]
    made.give_up([silent])
    assert (made.workers, made.starting) == ([], [])
    assert silent.actor in launcher.killed


def test_a_node_that_refuses_more_workers_than_it_has_costs_those_alone() -> None:
    launcher = Launcher([A])
    made = settled(launcher, workers=2)
    made.kill(made.workers[0])
    made.scale()
    launcher.faults = [StartError(Fault.REFUSED, "no memory left")]
    answers(made, launcher, 2)
    assert (len(made.workers), made.size) == (1, 1)
    made.scale()
    assert not made.starting


def test_a_worker_that_could_not_start_is_tried_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """The factory refuses twice, as while a neighbour fills the GPU, and works then."""
    launcher = Launcher([A])
    made = settled(launcher, workers=2)
    made.kill(made.workers[0])
    now = time.monotonic()
    monkeypatch.setattr("time.monotonic", lambda: now)
    for _ in range(2):
        launcher.faults = [StartError(Fault.REFUSED, "CUDA out of memory")]
        made.scale()
        answers(made, launcher, 2)
        assert (len(made.workers), made.size) == (1, 1)
        assert made.notes == ["a worker could not start, which is tried again: CUDA out of memory"]
        now += SHUNNED_S - 1
        made.scale()
        assert not made.starting
        now += 1
    assert made.size == 2
    made.scale()
    answers(made, launcher, 2)
    assert (len(made.workers), made.notes) == (2, [])


def test_where_the_last_node_refuses_the_search_does_not_start_or_halts() -> None:
    launcher = Launcher([A])
    launcher.faults = [StartError(Fault.REFUSED, "targets.gpu: no such device")]
    made = fleet(launcher, workers=1)
    with pytest.raises(UserError, match=r"^runtime: a worker could not start: targets\.gpu: no such device$"):
        answers(made, launcher, 2)
    made = settled(launcher, workers=1)
    made.kill(made.workers[0])
    made.scale()
    launcher.faults = [StartError(Fault.REFUSED, "the GPU has gone")]
    with pytest.raises(Halted, match="the GPU has gone"):
        answers(made, launcher, 2)


def test_a_worker_that_is_shot_while_it_starts_is_no_reason_to_give_up_its_node() -> None:
    launcher = Launcher([A])
    launcher.faults = [StartError(Fault.KILLED, "it was shot") for _ in range(LOST_STARTS - 1)]
    made = fleet(launcher, workers=1)
    answers(made, launcher, 2 * LOST_STARTS)
    assert len(made.workers) == 1
    assert len(launcher.killed) == LOST_STARTS - 1
    launcher.faults = [StartError(Fault.KILLED, "it was shot") for _ in range(LOST_STARTS - 1)]
    made.kill(made.workers[0])
    made.scale()
    answers(made, launcher, 2 * LOST_STARTS)
    assert len(made.workers) == 1, "one that starts in between makes the count begin anew"
    launcher.faults = [StartError(Fault.KILLED, "it was shot") for _ in range(LOST_STARTS)]
    with pytest.raises(UserError, match="it was shot"):
        answers(fleet(launcher, workers=1), launcher, 2 * LOST_STARTS)


def test_actors_that_are_lost_again_and_again_say_so_but_only_before_the_first_worker() -> None:
    launcher = Launcher([A])
    lost = [StartError(Fault.LOST, "ModuleNotFoundError: evonas") for _ in range(LOST_ACTORS)]
    launcher.faults = list(lost)
    with pytest.raises(UserError, match=f"{LOST_ACTORS} workers in a row could not start: ModuleNotFoundError: evonas"):
        answers(fleet(launcher, workers=1), launcher, LOST_ACTORS)
    made = settled(launcher, workers=1)
    made.kill(made.workers[0])
    launcher.faults = list(lost)
    made.scale()
    answers(made, launcher, LOST_ACTORS + 2)
    assert len(made.workers) == 1


def test_a_completed_job_says_its_share_of_a_gpu_and_clears_its_node() -> None:
    made = settled(Launcher([A, B]), workers=2, gpus_per_worker=0.5)
    worker = made.workers[0]
    other = "b" if worker.node == "a" else "a"
    for _ in range(3):
        found = made.completed(worker, [Place(other)], evaluation())
        assert found.conditions["gpus"] == "0.5"
    assert made.nodes.aside == [f"host-{other}"]


def test_a_worker_of_another_kind_than_the_run_is_refused_and_said(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Mixed(Launcher):
        def answer(self, start: Start) -> str:
            if not start.node:
                return "ab"[int(str(start.actor)[-1]) % 2]
            model = {"a": "NVIDIA L4", "b": "Tesla T4"}[start.node]
            start.kind = RunKind({"gpu": {"device": model}}, "bfloat16")
            return ""

    launcher = Mixed([A, B])
    made = settled(launcher, workers=4)
    kinds = {worker.node for worker in made.workers}
    assert len(kinds) == 1
    assert len(made.workers) == 2
    assert len(launcher.killed) == 2
    assert "this run on" in caplog.text
    assert not {node.id for node in made.nodes.usable} - kinds
    assert made.agreed.precision == "bfloat16"
    monkeypatch.setattr(time, "monotonic", lambda: 10.0**9)
    assert not {node.id for node in made.nodes.usable} - kinds  # it will not become another kind
    assert any(note.startswith("a worker could not start: ") for note in made.notes)
