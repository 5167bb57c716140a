"""A cluster of real raylets, some of which freeze, vanish, are drained or join."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray
from ray.cluster_utils import Cluster

import evonas
from evonas.driver.loop import Search
from evonas.records import Evaluation
from evonas.runtime.ray_pool.pool import RayPool
from tests.clusters import kill, tree, words
from tests.test_loop import content, populations, run

WORK = {"failing": (5, 11)}
BUDGET = {"evaluations": 40}
LEASE_S = 3.0
SLOW = pytest.mark.slow


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> evonas.Run:
    return run(tmp_path_factory.mktemp("serial") / "run", work=WORK, budget=BUDGET)


def runtime(cluster: Cluster, **changes: Any) -> dict[str, Any]:
    return {"kind": "ray", "address": cluster.address, "lease_s": LEASE_S, **changes}


class Watch:
    """Acts once so many are evaluated and the victim has work, and notes when each candidate was evaluated."""

    def __init__(self, after: int, act: Any, victim: Any = None) -> None:
        self.after, self.act, self.victim = after, act, victim
        self.acted = 0.0
        self.evaluated: dict[int, float] = {}
        self.open: list[int] = []
        self.pool: Any = None

    def __call__(self, search: Search, evaluation: Evaluation | None) -> None:
        self.pool = search.runtime
        if evaluation:
            self.evaluated[evaluation.candidate.index] = time.monotonic()
        busy = self.victim is None or jobs_on(self.pool, self.victim)
        if search.evaluated >= self.after and busy and not self.acted:
            self.acted = time.monotonic()
            self.act(self)


def jobs_on(pool: RayPool, node: Any) -> list[int]:
    """The candidates that a node has now."""
    slots = [slot for slot in pool.fleet.workers if slot.node == node.node_id]
    return [attempt.job.candidate.index for slot in slots for attempt, _ in slot.jobs]


def test_a_frozen_node_costs_its_lease(cluster: Cluster, reference: evonas.Run, tmp_path: Path) -> None:
    """It answers nothing, and its connections stay open: Ray itself would wait for minutes."""
    frozen, _ = cluster.add_node(num_cpus=2), cluster.add_node(num_cpus=2)

    def freeze(watch: Watch) -> None:
        watch.open = jobs_on(watch.pool, frozen)
        for process in tree(frozen):
            process.suspend()

    watch = Watch(12, freeze, frozen)
    work = {**WORK, "delay": 0.05}
    found = run(tmp_path / "run", watch, work=work, budget=BUDGET, runtime=runtime(cluster, workers=4))
    assert content(found) == content(reference)
    assert populations(found) == populations(reference)
    assert watch.open
    assert max(watch.evaluated[index] for index in watch.open) - watch.acted > LEASE_S / 2
    assert frozen.node_id in watch.pool.fleet.nodes._silent, "it was the lease that ended the wait"
    assert found.evaluations.set_index("candidate").loc[watch.open, "attempts"].max() == 2


def test_a_killed_node_costs_an_attempt_and_nobody_is_blamed(
    cluster: Cluster, reference: evonas.Run, tmp_path: Path
) -> None:
    killed, _ = cluster.add_node(num_cpus=2), cluster.add_node(num_cpus=1)

    def end(watch: Watch) -> None:
        watch.open = jobs_on(watch.pool, killed)
        kill(killed)

    watch = Watch(10, end, killed)
    work = {**WORK, "delay": 0.03}
    found = run(tmp_path / "run", watch, work=work, budget=BUDGET, runtime=runtime(cluster))
    assert watch.open
    assert content(found) == content(reference)
    assert set(found.evaluations["status"]) == set(reference.evaluations["status"])


def test_a_drained_node_gets_no_new_jobs_and_one_that_joins_is_used(
    cluster: Cluster, reference: evonas.Run, tmp_path: Path
) -> None:
    from ray.core.generated.autoscaler_pb2 import DrainNodeReason

    drained = cluster.add_node(num_cpus=1)
    joined: list[Any] = []

    def drain(watch: Watch) -> None:
        joined.append(cluster.add_node(num_cpus=1))
        client = ray._private.worker.global_worker.gcs_client
        deadline = int((time.time() + 600) * 1000)
        reason = DrainNodeReason.DRAIN_NODE_REASON_PREEMPTION
        assert client.drain_node(drained.node_id, reason, "pre-empted", deadline)[0]

    seen: list[tuple[list[int], list[int]]] = []  # once the pool knows: the jobs on both, each time that one looks

    def watch(search: Search, evaluation: Evaluation | None) -> None:
        once(search, evaluation)
        if seen or (once.acted and once.pool.fleet.nodes.leaves(drained.node_id)):
            seen.append((jobs_on(once.pool, drained), jobs_on(once.pool, joined[0])))

    once = Watch(8, drain, drained)
    work = {**WORK, "delay": 0.02}
    found = run(tmp_path / "run", watch, work=work, budget=BUDGET, runtime=runtime(cluster))
    assert content(found) == content(reference)
    assert len(seen) > 5
    left = set(seen[0][0])
    assert len(left) <= 1, "only the one in work may end there"
    assert {job for on_drained, _ in seen for job in on_drained} == left
    assert not seen[-1][0]
    assert any(on_joined for _, on_joined in seen)


def test_a_node_that_crashes_its_jobs_is_set_aside(cluster: Cluster, reference: evonas.Run, tmp_path: Path) -> None:
    """Each job that comes to it kills its process, as on a machine whose GPU is broken."""
    bad = cluster.add_node(num_cpus=1, env_vars={"EVONAS_TEST_BROKEN": "1"})
    cluster.add_node(num_cpus=1)
    watch = Watch(39, lambda watch: None)
    work = {**WORK, "delay": 0.02, "broken": "EVONAS_TEST_BROKEN"}
    # as long as a job may wait for the other node's worker, which a busy machine is slow to start
    settings = runtime(cluster, pass_env=["EVONAS_TEST_BROKEN"], lease_s=600)
    found = run(tmp_path / "run", watch, work=work, budget=BUDGET, runtime=settings)
    assert content(found) == content(reference)
    assert watch.pool.fleet.nodes.aside
    assert not jobs_on(watch.pool, bad)
    again = (found.evaluations["attempts"] == 2).sum()
    assert 3 <= again < 20, again


@pytest.mark.slow
def test_a_late_result_is_dropped_and_counted(
    cluster: Cluster, reference: evonas.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker falls silent and comes back with its result after another was given the job."""
    frozen, _ = cluster.add_node(num_cpus=1), cluster.add_node(num_cpus=1)
    alive: list[Any] = []
    monkeypatch.setattr(ray, "kill", alive.append)  # as if that did not get through

    def freeze(watch: Watch) -> None:
        for process in tree(frozen):
            process.suspend()

    def watch(search: Search, evaluation: Evaluation | None) -> None:
        once(search, evaluation)
        if once.acted and frozen.node_id in once.pool.fleet.nodes._silent and not woken:
            woken.append(True)
            for process in tree(frozen):
                process.resume()
            until = time.monotonic() + 120
            while (
                not once.pool.late_results and time.monotonic() < until
            ):  # the rest of the search must not be over too soon
                once.pool.dispatcher.count_late_results()
                time.sleep(0.1)

    woken: list[bool] = []
    once = Watch(8, freeze, frozen)
    work = {**WORK, "delay": 0.05}
    found = run(tmp_path / "run", watch, work=work, budget=BUDGET, runtime=runtime(cluster, workers=2, lease_s=1.5))
    assert woken
    assert content(found) == content(reference)
    assert once.pool.late_results >= 1


@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize("kills", [1, pytest.param(10, marks=SLOW)])
def test_a_killed_driver_and_other_workers_each_time(
    kills: int, machine: Cluster, binaries: Path, reference: evonas.Run, tmp_path: Path
) -> None:
    """At every restart the number of workers is another; at most what was in work runs again."""
    folder, log = tmp_path / "run", tmp_path / "log"
    budget = BUDGET if kills == 1 else {"evaluations": 140}
    whole = reference if kills == 1 else run(tmp_path / "whole", work=WORK, budget=budget)
    settings = runtime(machine, cpus_per_worker=0.25)
    work = {**WORK, "delay": 0.05, "log": str(log)}
    known: dict[int, Any] = {}
    for number, workers in zip(range(kills), [1, 5, 8, 2] * 9, strict=False):
        with_them = {**settings, "workers": workers}
        program = (
            "from tests.test_loop import *; "
            f"run(Path({str(folder)!r}), work={work!r}, budget={budget!r}, runtime={with_them!r})"
        )
        process = subprocess.Popen([binaries / "run-code", program], stderr=subprocess.PIPE, start_new_session=True)
        before = len(known)
        more = before + 1 + (4 if kills > 1 else 12)
        while process.poll() is None and evaluated(folder) < more:
            time.sleep(0.1)
        assert process.poll() is None, process.stderr and process.stderr.read()
        process.send_signal(signal.SIGKILL)
        process.communicate()
        now = {row["candidate"]: row for row in evonas.load(folder).evaluations.to_dict("records")}
        assert before < len(now) < budget["evaluations"]
        for index, row in known.items():
            assert str(now[index]["rungs"]) == str(row["rungs"])
        known = now
        assert number < kills
    found = run(folder, work=work, budget=budget, runtime={**settings, "workers": 2})
    assert content(found) == content(whole)
    assert populations(found) == populations(whole)
    assert len(log.read_text().split()) - budget["evaluations"] <= kills * 2 * 8


def evaluated(folder: Path) -> int:
    return len(evonas.load(folder).evaluations) if (folder / "run.json").exists() else 0


@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize(
    "workers", [pytest.param(1, marks=SLOW), pytest.param(2, marks=SLOW), 5, pytest.param(8, marks=SLOW)]
)
def test_one_search_while_workers_are_killed_and_jobs_delayed(
    workers: int, reference: evonas.Run, tmp_path: Path
) -> None:
    """Actors, fork servers and the processes that they keep are shot at random."""
    shots = 0

    def shoot(search: Search, evaluation: Evaluation | None) -> None:
        nonlocal shots
        if evaluation and evaluation.candidate.index % 8 == 7:
            below = psutil.Process().children(recursive=True)
            ours = [p for p in below if any("evonas" in word or "WorkerActor" in word for word in words(p))]
            victims = [p for p in ours if not any("idle_agent" in word for word in words(p))]  # with it a raylet ends
            if victims:
                os.kill(victims[evaluation.candidate.index % len(victims)].pid, signal.SIGKILL)
                shots += 1

    settings = {"kind": "ray", "cpus_per_worker": 0.25, "workers": workers, "lease_s": LEASE_S}
    found = run(tmp_path / "run", shoot, work={**WORK, "delay": 0.03}, budget=BUDGET, runtime=settings)
    assert shots >= 4
    assert content(found) == content(reference)
    assert populations(found) == populations(reference)
    assert found.verify().difference == ""
