"""Real Ray, real processes: the same search for any number of workers, whatever happens to them."""

import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import ray

import evonas
from evonas.components import Components
from evonas.errors import UserError
from evonas.evaluation import Evaluator
from evonas.objectives.objectives import Objectives
from evonas.records import Candidate, Evaluation, Job
from evonas.runtime import RayPool
from evonas.start import PreparedSearch, execute
from evonas.store import open_folder
from tests.away import made
from tests.evaluation.small import bars_task
from tests.evaluation.small import config as small_config
from tests.misbehaving import CHANGES, Misdeeds
from tests.synthetic import config, prepared
from tests.test_loop import Stop, content, populations, quiet, run, stopping_after
from tests.works import first_waits, refusing

RAY = {"kind": "ray", "cpus_per_worker": 0.5}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return run(tmp_path_factory.mktemp("serial") / "run", work={"failing": (5, 11)})


@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_one_search_for_any_number_of_workers(workers: int, reference: Any, tmp_path: Path) -> None:
    found = run(tmp_path / "run", runtime={**RAY, "workers": workers}, work={"failing": (5, 11), "delay": 0.01})
    assert content(found) == content(reference)
    assert populations(found) == populations(reference)


@pytest.mark.usefixtures("local_ray")
@pytest.mark.slow
def test_one_search_across_an_interruption_and_another_number_of_workers(reference: Any, tmp_path: Path) -> None:
    work = {"failing": (5, 11), "delay": 0.02}
    with pytest.raises(Stop):
        run(tmp_path / "run", stopping_after(17), runtime={**RAY, "workers": 4}, work=work)
    found = run(tmp_path / "run", runtime={**RAY, "workers": 2}, work=work)
    assert content(found) == content(reference)
    assert populations(found) == populations(reference)
    assert found.verify().difference == ""


@pytest.mark.usefixtures("local_ray")
def test_async_on_ray_replays(tmp_path: Path) -> None:
    found = run(tmp_path / "run", schedule={"mode": "async"}, runtime={**RAY, "workers": 3}, work={"delay": 0.01})
    assert found.evaluations.sort_values("position")["candidate"].tolist() != list(range(40))
    assert found.verify().difference == ""


@pytest.mark.usefixtures("local_ray")
def test_a_killed_worker_costs_an_attempt_and_not_the_run(reference: Any, tmp_path: Path) -> None:
    work = {"failing": (5, 11), "killing": (3, 20), "marks": str(tmp_path)}
    found = run(tmp_path / "run", runtime={**RAY, "workers": 2}, work=work)
    assert content(found) == content(reference)
    attempts = found.evaluations.set_index("candidate")["attempts"]
    assert attempts[[3, 20]].tolist() == [2, 2]
    assert attempts.drop([3, 20]).eq(1).all(), "a job that waited behind a crash is not blamed"


@pytest.mark.usefixtures("local_ray")
def test_workers_that_find_no_room_are_done_without(reference: Any, tmp_path: Path) -> None:
    """Also: a Ray that the caller has started is used, and left running."""
    found = run(tmp_path / "run", runtime={"workers": 5, "cpus_per_worker": 1}, work={"failing": (5, 11)})
    assert ray.is_initialized()
    assert content(found) == content(reference)


@pytest.mark.usefixtures("local_ray")
def test_a_job_that_waits_behind_a_long_one_goes_to_a_worker_that_has_none(tmp_path: Path) -> None:
    """The long one takes until the others have ended."""
    others_ended = tmp_path / "ended"
    pool = RayPool(
        partial(made, partial(first_waits, str(others_ended))), config(runtime={**RAY, "workers": 2}).runtime
    )
    try:
        while pool.free_slots < 4:
            pool.wait(0.1)
        for index in range(4):
            pool.submit(Job(Candidate(index, (0,), (), "random", 0, 0)))
        order: list[int] = []
        until = time.monotonic() + 120
        while pool.pending:
            order += [m.candidate.index for m in pool.wait(0.5) if isinstance(m, Evaluation)]
            if len(order) == 3 or time.monotonic() > until:
                others_ended.touch()
    finally:
        pool.close()
    assert sorted(order) == [0, 1, 2, 3]
    assert order[-1] == 0
    assert pool.late_results == 0


def test_no_cluster_at_the_address(tmp_path: Path) -> None:
    start = prepared(tmp_path / "run", config(runtime={"kind": "ray", "address": "127.0.0.1:1"}))
    with pytest.raises(UserError, match=r"no Ray cluster at '127\.0\.0\.1:1'"):
        execute(start, watch=quiet)


def test_a_worker_that_cannot_start_says_why() -> None:
    with pytest.raises(UserError, match=r"targets\.gpu: there is no cuda:7"):
        RayPool(refusing, config(runtime={**RAY, "workers": 1}).runtime)
    assert not ray.is_initialized(), "a failed start leaves nothing behind"


@pytest.mark.usefixtures("local_ray")
def test_every_misdeed_is_a_row_and_the_search_goes_on(tmp_path: Path) -> None:
    """Real training in real workers; the whole space of misbehaviour, each network once."""
    task = bars_task()
    settings = small_config(
        {"epochs": 2, "rungs": [1]},
        strategy={"population": 8},
        budget={"evaluations": 1000, "same_failure": 1},
        runtime={"workers": 2, "cpus_per_worker": 0.5, "deadline_minutes": 3 / 60, "memory_mb_per_worker": 400},
    )
    space, objectives = Misdeeds(tmp_path), Objectives(settings, task.spec)
    factory = partial(Evaluator, space, task, settings, objectives)
    start = PreparedSearch(Components(settings, space, task.spec, objectives, factory), open_folder(tmp_path / "run"))
    ended = execute(start, watch=quiet)
    assert ended == f"all {space.size()} different networks of the space were evaluated"
    whole = evonas.load(tmp_path / "run", space)
    rows = whole.evaluations
    every = {json.loads(arch)["deed"]: status for arch, status in zip(rows["arch"], rows["status"], strict=True)}
    assert CHANGES.keys() < every.keys()
    found = {deed: status for deed, status in every.items() if deed not in CHANGES}  # those are in test_global_state
    ok = {"none", "half a gpu", "child", "session", "daemon", "double", "thread", "zombie"}
    assert {deed for deed, status in found.items() if status in ("ok", "stopped")} == ok
    assert {deed: status.removeprefix("failed:") for deed, status in found.items() if deed not in ok} == {
        "build": "build",
        "pins": "oom",
        "build segfault": "crash",
        "text": "error",
        "nan": "diverged",
        "loops": "timeout",
        "blocks": "timeout",
        "eats": "oom",
        "no gpu": "oom",
        "exits": "error",
        "stubborn": "error",
        "quits": "crash",
        "is killed": "crash",
        "segfault": "crash",
        "cuda": "crash",
    }
    assert not rows[~rows["status"].isin(["ok", "stopped"])]["message"].eq("").any()
    logs = {json.loads(arch)["deed"]: whole.log(i) for i, arch in zip(rows["candidate"], rows["arch"], strict=True)}
    assert "Fatal Python error: Segmentation fault" in logs["segfault"]
    assert " in loop\n" in logs["loops"], "where it was at its deadline"
    assert logs["build"].endswith("ValueError: no such network")
    assert logs["exits"].endswith("SystemExit: 3")
    assert (logs["none"], logs["nan"]) == ("", "")
