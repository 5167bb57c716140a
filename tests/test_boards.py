"""Targets that are away for a while, and nodes of a cluster that measure for the others. Real raylets."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import ray
from ray._raylet import (
    GCS_AUTOSCALER_CLUSTER_CONFIG_KEY,
    GCS_AUTOSCALER_STATE_NAMESPACE,
    GcsClient,
)
from ray.autoscaler.v2.sdk import get_cluster_resource_state
from ray.cluster_utils import Cluster
from ray.core.generated import autoscaler_pb2

from evonas.config import RuntimeConfig
from evonas.errors import Halted, UserError
from evonas.final import servers as servers_of_final
from evonas.final.servers import device_servers
from evonas.measuring.remote.client import Remote
from evonas.records import Deferred, Endpoint, Evaluation, RungReport, Status
from evonas.runtime import RUNTIMES, Message, RayPool, Remotes, Runtime, retries
from evonas.runtime.ray_pool import pool as pool_of_ray
from evonas.runtime.ray_pool.cluster import look
from evonas.runtime.ray_pool.device_servers import DeviceServers, _DeviceServer
from evonas.runtime.ray_pool.dispatcher import Dispatcher
from evonas.runtime.ray_pool.nodes import ClusterNode
from tests import away
from tests.away import Away, job
from tests.clusters import kill, started
from tests.evaluation.small import config

KINDS = pytest.mark.parametrize("kind", ["serial", "ray"])
FIXED = Remotes(endpoints={"phone": Endpoint("http://10.0.0.7:8077", "secret")})
PHONE = Remotes(resources={"phone": "pixel"}, serve=away.serve)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Its only node for workers has resources that most tests do not measure with."""
    quick = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 2}
    found = started(num_cpus=2, resources={"tablet": 1, "npu": 2}, _system_config=quick)
    yield found
    found.shutdown()


@pytest.fixture
def opened(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Opens runtimes, which are closed behind the test. Deferred jobs wait a tenth of the time."""
    monkeypatch.setattr(retries, "FIRST_DELAY_S", 0.2)
    monkeypatch.setattr(retries, "LONGEST_DELAY_S", 1.0)
    runtimes: list[Runtime] = []

    def open(kind: str, work: Any, remotes: Remotes = FIXED, **changes: Any) -> Runtime:
        settings = {"address": cluster.address, "workers": 1, "cpus_per_worker": 0.5, **changes}
        config = RuntimeConfig(kind=kind, **settings)
        runtimes.append(RUNTIMES[kind](partial(away.made, work), config, [], remotes))
        return runtimes[-1]

    yield open
    for runtime in runtimes:
        runtime.close()


def hear(runtime: Runtime, until: Callable[[list[Message]], bool], seconds: float = 600.0) -> list[Message]:
    heard: list[Message] = []
    end = time.monotonic() + seconds
    while not until(heard):
        assert time.monotonic() < end, (heard, runtime.notes)
        heard += runtime.wait(0.2)
    return heard


def evaluations(heard: list[Message]) -> list[Evaluation]:
    return [message for message in heard if isinstance(message, Evaluation)]


@KINDS
def test_a_job_that_was_postponed_twice_ends_once_and_keeps_what_it_reported(
    kind: str, opened: Callable[..., Runtime], tmp_path: Path
) -> None:
    runtime = opened(kind, Away(tmp_path, {0: 2}))
    notes: set[str] = set()

    def watch(heard: list[Message]) -> bool:
        notes.update(runtime.notes)
        assert runtime.pending == (0 if evaluations(heard) else 1)
        return not runtime.pending

    runtime.submit(job(0))
    first, last = hear(runtime, watch)
    assert isinstance(first, RungReport)
    assert isinstance(last, Evaluation)
    assert (last.status, last.attempts, last.metrics["tries"]) == (Status.OK, 1, 3)
    assert last.rungs == (first,)
    assert last.conditions == {"phone": "http://10.0.0.7:8077"}
    assert last.queued_s > 0.5
    assert f"1 candidate waits: {away.AWAY}" in notes
    assert not runtime.notes
    assert not runtime.wait(0)


@KINDS
def test_a_target_that_stays_away_halts_the_search(kind: str, opened: Callable[..., Runtime], tmp_path: Path) -> None:
    runtime = opened(kind, Away(tmp_path, {0: 1000}), unavailable_minutes=0.7 / 60)
    runtime.submit(job(0))
    begin = time.monotonic()
    with pytest.raises(
        Halted, match=rf"^{away.AWAY}, for 0\.0116667 minutes \(runtime\.unavailable_minutes\); what was evaluated"
    ):
        hear(runtime, lambda heard: bool(evaluations(heard)))
    assert time.monotonic() - begin >= 0.7


def test_serial_waits_no_longer_than_it_is_told_to(opened: Callable[..., Runtime], tmp_path: Path) -> None:
    serial = opened("serial", Away(tmp_path, {0: 1}))
    serial.submit(job(0))
    assert [type(message) for message in serial.wait(1)] == [RungReport]
    assert serial.wait(1) == ()
    assert (serial.pending, serial.free_slots, serial.busy) == (1, 0, 0)
    assert serial.wait(0) == ()
    assert (tmp_path / "0").read_text() == "tried\n"
    assert [type(message) for message in serial.wait(1)] == [Evaluation]


def test_while_one_waits_others_are_decided_and_the_room_is_bounded(
    opened: Callable[..., Runtime], tmp_path: Path
) -> None:
    pool = opened("ray", Away(tmp_path, {0: 1000}))
    pool.submit(job(0))
    hear(pool, lambda heard: any("waits" in note for note in pool.notes))
    for index in range(1, 6):
        assert (pool.pending, pool.free_slots) == (1, 1)
        pool.submit(job(index))
        assert pool.free_slots == 0
        (last,) = evaluations(hear(pool, lambda heard: bool(evaluations(heard))))
        assert last.candidate.index == index
    hear(pool, lambda heard: (tmp_path / "0").read_text().count("tried") > 2)


def test_a_board_is_hired_and_one_that_is_lost_comes_back_with_another_node(
    cluster: Cluster, opened: Callable[..., RayPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cluster is told that one is wanted, by which an autoscaler starts machines, and the start waits for it."""
    monkeypatch.setattr(pool_of_ray, "NEWS_S", 0.0)
    nodes: list[Any] = []

    class Autoscaler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "'pixel'" in record.getMessage() and not nodes:
                end = time.monotonic() + 300
                while not wants_a_pixel(cluster):
                    assert time.monotonic() < end
                    time.sleep(0.05)
                nodes.append(cluster.add_node(num_cpus=0, resources={"pixel": 1}))

    autoscaler = Autoscaler()
    logging.getLogger("evonas").addHandler(autoscaler)
    try:
        pool = opened("ray", away.by_board, PHONE)
    finally:
        logging.getLogger("evonas").removeHandler(autoscaler)
    (first,) = nodes
    pool.submit(job(0))
    (one,) = evaluations(hear(pool, lambda heard: not pool.pending))
    assert one.conditions["board"].endswith("asked for /secret")
    assert pool.notes == []

    killed = pool._device_servers.endpoints()["phone"]
    vanish(cluster, first)
    hear(pool, lambda heard: away_notes(pool) == ["target phone is away (no node has the resource pixel)"])
    assert not pool._device_servers.endpoints()
    hear(pool, lambda heard: wants_a_pixel(cluster))
    pool.submit(job(1))
    hear(pool, lambda heard: f"1 candidate waits: {away.AWAY}" in pool.notes)

    second = cluster.add_node(num_cpus=0, resources={"pixel": 1})
    (two,) = evaluations(hear(pool, lambda heard: not pool.pending))
    assert pool._device_servers.endpoints()["phone"] != killed
    assert (two.attempts, two.conditions["board"] == one.conditions["board"]) == (1, False)
    assert away_notes(pool) == []
    hear(pool, lambda heard: not wants_a_pixel(cluster))
    cluster.remove_node(second)


def wants_a_pixel(cluster: Cluster) -> bool:
    asked = get_cluster_resource_state(GcsClient(address=cluster.address)).pending_resource_requests
    return any(dict(one.request.resources_bundle) == {"pixel": 1.0} for one in asked)


def test_several_boards_of_a_resource_are_used_in_turn(cluster: Cluster, tmp_path: Path) -> None:
    """One that cannot measure while others can is said."""
    two = [cluster.add_node(num_cpus=0, resources={"watch": 1, "wrist": 1}) for _ in range(2)]
    ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
    try:
        boards = DeviceServers(Remotes(resources={"wrist": "watch"}, serve=away.serve))
        boards.open(look()[0])
        boards.heard({"device[wrist]": "one kind"})
        patrol(boards, lambda: len({boards.endpoints().get("wrist") for _ in range(4)} - {None}) == 2)
        urls = [boards.endpoints()["wrist"].url for _ in range(4)]
        assert (urls[0], urls[1]) == (urls[2], urls[3]) != (urls[1], urls[0])
        assert boards.notes == []
        other = DeviceServers(Remotes(resources={"arm": "wrist"}, serve=partial(away.serve_but_the_first, tmp_path)))
        other.open(look()[0])
        patrol(other, lambda: bool(other.endpoints()) and bool(other.notes))
        assert "the device server with the resource wrist cannot measure: targets.phone: no phone at" in other.notes[0]
        other.close()
        vanish(cluster, two[0])
        patrol(boards, lambda: len({boards.endpoints()["wrist"] for _ in range(4)}) == 1)
        assert boards.notes == []
        boards.close()
    finally:
        ray.shutdown()
        cluster.remove_node(two[1])


def test_boards_of_another_kind_than_the_first_are_left_out() -> None:
    boards = DeviceServers(Remotes(resources={"gpu": "latency"}))
    boards._servers["latency"] = {url: _DeviceServer(None, None, Endpoint(url)) for url in ("a", "b", "c")}
    assert {boards.endpoints()["gpu"] for _ in range(6)} == {Endpoint("a")}
    boards.heard({"device": "cpu", "device[other]": "x"})
    boards.heard({"device[gpu]": "NVIDIA L4", "quiet[gpu]": "yes"})
    boards.heard({"device[gpu]": "Tesla T4"})
    assert {boards.endpoints()["gpu"].url for _ in range(6)} == {"a", "b", "c"}
    assert boards.endpoints()["gpu"].kind == {"device": "NVIDIA L4"}
    boards.unlike("b", "targets.gpu: b measures on Tesla T4, this run on NVIDIA L4")
    assert {boards.endpoints()["gpu"].url for _ in range(6)} == {"a", "c"}
    assert boards.notes == ["targets.gpu: b measures on Tesla T4, this run on NVIDIA L4"]
    for url in "ac":
        boards.unlike(url, "why")
    assert boards.endpoints() == {}
    assert boards.notes[0].startswith("target gpu is away (")


def test_the_servers_hear_of_a_board_of_another_kind() -> None:
    heard: list[tuple[str, str]] = []

    class Retries:
        def postponed(self, attempt: object, reason: str) -> None: ...

    class Worker:
        def done(self) -> None: ...

    dispatcher = Dispatcher(None, Retries(), dict, 1.0, lambda *said: heard.append(said))  # type: ignore[arg-type]
    for last in (Deferred(1, "away"), Deferred(1, "why", unlike="http://b")):
        assert dispatcher._on_message(Worker(), None, last) == []  # type: ignore[arg-type]
    assert heard == [("http://b", "why")]


def away_notes(pool: Runtime) -> list[str]:
    return [note for note in pool.notes if "is away (" in note]


def vanish(cluster: Cluster, node: Any) -> None:
    kill(node)
    cluster.remove_node(node)


def test_targets_with_one_resource_share_a_board(cluster: Cluster) -> None:
    """Also: a board is replaced when its process has died, or its node is not seen any more even if it lives."""
    ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
    try:
        remotes = Remotes(FIXED.endpoints, {"quick": "tablet", "exact": "tablet", "other": "npu"}, away.serve)
        boards = DeviceServers(remotes)
        boards.open(look()[0])
        assert {*boards.endpoints()} == {"phone"}
        assert boards.notes[0] == "target quick is away (its device server starts, or the resource tablet is in use)"
        assert len(boards.notes) == 3
        before = up(boards, 4)
        assert before["quick"] == before["exact"] != before["other"]
        assert boards.notes == []
        boards.health_check([])
        assert {*boards.endpoints()} == {"phone"}
        assert boards.notes[0] == "target quick is away (no node has the resource tablet)"
        after = up(boards, 4)
        assert before["quick"] != after["quick"]
        [server] = boards._servers["npu"].values()
        ray.kill(server.actor)
        patrol(boards, lambda: "other" not in boards.endpoints())
        assert up(boards, 4)["other"] != after["other"]
        boards.close()
    finally:
        ray.shutdown()


def up(boards: DeviceServers, count: int) -> Mapping[str, Endpoint]:
    patrol(boards, lambda: len(boards.endpoints()) == count)
    return boards.endpoints()


def patrol(boards: DeviceServers, until: Callable[[], bool]) -> None:
    end = time.monotonic() + 600
    while not until():
        assert time.monotonic() < end, boards.notes
        boards.health_check(look()[0])
        time.sleep(0.05)


def test_a_board_that_cannot_measure_says_why(cluster: Cluster, opened: Callable[..., Runtime], tmp_path: Path) -> None:
    served = Remotes(resources={"phone": "tablet"}, serve=away.serve_nothing)
    with pytest.raises(UserError, match=r"the resource tablet cannot measure: targets\.phone: no phone at [\d.]+$"):
        hear(opened("ray", Away(tmp_path), served), lambda heard: False)  # at the start already, or while it runs


CROWDED = r"the resource {} cannot measure: targets\.phone\.threads: 4096 are more than the \d+ cores? that a process"


def test_more_threads_than_the_node_of_a_target_has_cores_are_refused_at_the_start(
    opened: Callable[..., Runtime], tmp_path: Path
) -> None:
    crowded = Remotes(resources={"phone": "tablet"}, serve=away.serve, threads={"phone": 4096, "other": 1})
    with pytest.raises(UserError, match=CROWDED.format("tablet") + r" .*; give at most \d+, or measure on a machine "):
        opened("ray", Away(tmp_path), crowded)
    assert not ray.is_initialized()


def test_a_node_that_comes_later_with_fewer_cores_than_threads_is_refused_once_it_is_there(cluster: Cluster) -> None:
    ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
    crowded = Remotes(resources={"phone": "late"}, serve=away.serve, threads={"phone": 4096})
    boards, later = DeviceServers(crowded, hires=True), None
    try:
        boards.open(look()[0])
        assert not boards.starting
        later = cluster.add_node(num_cpus=0, resources={"late": 1})
        with pytest.raises(UserError, match=CROWDED.format("late")):
            patrol(boards, lambda: False)
    finally:
        boards.close()
        ray.shutdown()
        if later:
            cluster.remove_node(later)


NOWHERE = r"^targets\.phone\.resource: no node of the Ray cluster has the custom resource 'pixel'; there are: "


def test_a_resource_that_nobody_can_start_is_refused_at_once() -> None:
    with pytest.raises(UserError, match=NOWHERE + "none$"):
        DeviceServers(PHONE).open([])


@pytest.mark.slow
def test_a_resource_on_a_ray_of_ones_own_is_refused_at_once(opened: Callable[..., Runtime], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=NOWHERE + "none$"):
        opened("ray", Away(tmp_path), PHONE, address="local")
    assert not ray.is_initialized()


def test_a_resource_that_never_comes(
    opened: Callable[..., Runtime], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pool_of_ray, "NEWS_S", 0.0)
    monkeypatch.setattr(pool_of_ray, "CLUSTER_START_S", 0.5)
    monkeypatch.setattr(RayPool, "_await_first_worker", lambda *_: None)  # which has as much time
    with pytest.raises(UserError, match=NOWHERE + r"npu, tablet; none came in 0\.5 s"):
        opened("ray", Away(tmp_path), PHONE)
    assert "'pixel'; there are: npu, tablet; waiting for it up to 0.00833333 minutes" in caplog.text
    assert not ray.is_initialized()


def test_a_resource_that_no_machine_of_the_autoscaler_has_is_refused_at_once(
    cluster: Cluster, opened: Callable[..., Runtime], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_of_ray, "CLUSTER_START_S", 0.5)  # or it says that none came
    kind = autoscaler_pb2.NodeGroupConfig(name="measure", resources={"CPU": 4, "latency_l4": 1}, max_count=2)
    where = (GCS_AUTOSCALER_CLUSTER_CONFIG_KEY.encode(), GCS_AUTOSCALER_STATE_NAMESPACE.encode())
    gcs = GcsClient(address=cluster.address)
    said = autoscaler_pb2.ClusterConfig(node_group_configs=[kind]).SerializeToString()
    gcs.internal_kv_put(where[0], said, True, where[1])
    try:
        with pytest.raises(UserError, match=NOWHERE + r"npu, tablet; of the .* can start, some have: latency_l4$"):
            opened("ray", Away(tmp_path), PHONE)
    finally:
        gcs.internal_kv_del(where[0], False, where[1])


def test_a_resource_needs_ray(opened: Callable[..., Runtime], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^targets\.phone\.resource needs runtime\.kind: ray$"):
        opened("serial", Away(tmp_path), PHONE)


def test_a_network_that_is_finished_is_measured_on_nodes_with_the_resource(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a server of evonas, from the Ray of the final trainings; without Ray, and without such a node, it is said."""
    targets = {"far": {"resource": "tablet", "max_seconds": 0.02}}
    own = config(objectives=[{"metric": "error"}, {"metric": "latency_ms", "target": "far"}], targets=targets)
    nowhere = own.model_copy(update={"targets": {"far": own.targets["far"].model_copy(update={"resource": "moon"})}})
    told: list[str] = []
    with device_servers(own, told.append) as found:
        assert not found
    ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
    try:
        with device_servers(own, told.append) as found:
            assert "torch" in Remote("far", own.targets["far"]).about(found["far"])["backends"]
        assert told == []
        with device_servers(nowhere, told.append) as found:
            assert not found
        assert "no node of the Ray cluster has the custom resource 'moon'" in told[0]
        monkeypatch.setattr(servers_of_final, "HIRE_S", 0.5)
        with device_servers(nowhere, told.append, hires=True) as found:
            assert not found
        assert told == [told[0]] * 2
    finally:
        ray.shutdown()


def test_a_node_with_less_than_a_server_takes_is_named() -> None:
    with pytest.raises(UserError, match=r"there are: pixel \(board-1 has 0\.5; a server takes 1\)$"):
        DeviceServers(PHONE).open([ClusterNode("a", "board-1", {"pixel": 0.5, "CPU": 4.0})])
