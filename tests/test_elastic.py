"""Real raylets with made-up GPUs: shares of them, machines that come, workers that are let go when little is left."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

import evonas
from evonas.config import RuntimeConfig
from evonas.driver.loop import Search
from evonas.errors import Halted, UserError
from evonas.records import Candidate, Evaluation, Job, Status
from evonas.runtime import RayPool
from evonas.runtime.ray_pool import pool as pool_of_ray
from tests.synthetic import Toy
from tests.test_cluster import jobs_on
from tests.test_loop import content, run

JOIN_S = 10.0


def runtime(cluster: Cluster, **changes: Any) -> dict[str, Any]:
    return {"kind": "ray", "address": cluster.address, "cpus_per_worker": 0.25, **changes}


def test_shares_of_gpus_are_kept_and_rows_say_them(cluster: Cluster, tmp_path: Path) -> None:
    cluster.add_node(num_cpus=2, num_gpus=2)
    cluster.add_node(num_cpus=8)  # without a GPU: no worker belongs there
    busy: list[int] = []

    def watch(search: Search, evaluation: Evaluation | None) -> None:
        busy.append(search.runtime.busy)

    found = run(tmp_path / "run", watch, work={"delay": 0.05}, runtime=runtime(cluster, gpus_per_worker=0.5))
    assert max(busy) == 4
    assert {row["gpus"] for row in found.evaluations["conditions"]} == {"0.5"}
    assert {row["share"] for row in found.evaluations["conditions"] if "share" in row} == {"0.5"}


@pytest.mark.slow
def test_a_gpu_gets_more_candidates_while_it_gets_more_done(cluster: Cluster, tmp_path: Path) -> None:
    """The work sleeps, so that each worker more is a gain, until there are no processors left."""
    cluster.add_node(num_cpus=1, num_gpus=1)
    settings = runtime(cluster, gpus_per_worker="auto", cpus_per_worker=0.34)
    found = run(tmp_path / "run", work={"delay": 0.1}, budget={"evaluations": 40}, runtime=settings)
    shares = found.evaluations.sort_values("finished_at")["conditions"].map(lambda row: float(row["gpus"]))
    assert shares.iloc[0] == 1.0
    assert 0.5 in set(shares)
    assert found.verify().difference == ""


@pytest.mark.slow
def test_what_an_autoscaler_starts_is_used_at_once(cluster: Cluster, tmp_path: Path) -> None:
    """More workers are asked for than there is room for; a node that joins has work within seconds."""
    cluster.add_node(num_cpus=1)
    joined: list[Any] = []
    used: list[float] = []
    began = 0.0

    def watch(search: Search, evaluation: Evaluation | None) -> None:
        nonlocal began
        if search.evaluated >= 4 and not joined:
            assert search.runtime.workers == 3
            assert any("2 workers to come" in note for note in search.runtime.notes)
            joined.append(cluster.add_node(num_cpus=1))
            began = time.monotonic()
        if joined and not used and jobs_on(search.runtime, joined[0]):  # type: ignore[arg-type]
            used.append(time.monotonic() - began)

    settings = runtime(cluster, cpus_per_worker=1, max_workers=3)
    run(tmp_path / "run", watch, work={"delay": 0.1}, budget={"evaluations": 40}, runtime=settings)
    assert used
    assert used[0] < JOIN_S


def test_a_cluster_that_others_have_filled_is_waited_for_and_that_is_said(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pool_of_ray, "NEWS_S", 1.0)
    cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, logging_level="error")
    other: Any = ray.remote(num_cpus=1)(Other).remote()
    ray.get(other.ready.remote())

    dear = runtime(cluster, prices={"*": 3600})  # a node is a dollar a second
    for wait_usd in ("[1-9][0-9.]*", r"[0-9.]+ of it, earlier starts \$[1-9][0-9.]*"):
        with pytest.raises(Halted, match=rf"^the budget of \$5 is used up: .* worker cost \${wait_usd}(;| of it;)"):
            run(tmp_path / "poor", runtime=dear, budget={"evaluations": 8, "usd": 5})
    assert evonas.load(tmp_path / "poor", Toy()).status()["spent_usd"] > 5, "the wait is in the record"
    caplog.clear()

    class Leaving(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            ray.kill(other)

    leaving = Leaving()
    logging.getLogger("evonas").addHandler(leaving)
    try:
        found = run(tmp_path / "run", runtime=runtime(cluster), budget={"evaluations": 8})
    finally:
        logging.getLogger("evonas").removeHandler(leaving)
    assert len(found.evaluations) == 8
    (said,) = [record.getMessage() for record in caplog.records if record.name == "evonas"]
    assert said == (
        "no worker has started yet: each needs 0.25 CPUs and 0 GPUs, 0 and 0 are free in the cluster; "
        "waiting for it up to 30 minutes"
    )


class Other:
    def ready(self) -> bool:
        return True


def test_auto_alone_asks_an_empty_cluster_for_nothing(cluster: Cluster) -> None:
    cluster.add_node(num_cpus=0)
    with pytest.raises(UserError, match=r"runtime\.max_workers"):
        RayPool(lambda: nap, RuntimeConfig.model_validate(runtime(cluster)))


@pytest.mark.slow
def test_workers_that_nothing_is_left_for_are_let_go() -> None:
    pool = RayPool(lambda: nap, RuntimeConfig(workers=3, cpus_per_worker=0.5))
    try:
        until = time.monotonic() + 60
        while pool.free_slots < 6 and time.monotonic() < until:
            pool.wait(0.1)
        pool.submit(Job(Candidate(0, (0,), (), "random", 0, 0)))
        pool.drain()
        while pool.pending:
            pool.wait(0.2)
        assert pool.workers == len(pool.fleet.workers) == 1
        pool.submit(Job(Candidate(1, (0,), (), "check", 0, 0)))  # a last word is still possible
        while pool.pending:
            pool.wait(0.2)
    finally:
        pool.close()


def nap(job: Job) -> Iterator[Evaluation]:
    time.sleep(3)
    yield Evaluation(job.candidate, Status.OK)


@pytest.mark.slow
def test_a_gpu_that_crashes_its_jobs_is_set_aside_and_its_neighbours_go_on(cluster: Cluster, tmp_path: Path) -> None:
    """One worker a GPU, of which one is broken: no candidate is blamed, and the search is as on a whole machine."""
    cluster.add_node(num_cpus=2, num_gpus=3)
    notes: list[str] = []

    def watch(search: Search, evaluation: Evaluation | None) -> None:
        notes.extend(search.runtime.notes)

    work = {"delay": 0.02, "bad_gpu": "1"}
    found = run(tmp_path / "run", watch, work=work, runtime=runtime(cluster, gpus_per_worker=1, lease_s=600))
    assert content(found) == content(run(tmp_path / "serial"))
    assert any(note.startswith("GPU-1 on ") and "set aside" in note for note in notes)
    assert 3 <= (found.evaluations["attempts"] > 1).sum() < 20
