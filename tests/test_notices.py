"""A machine that is about to be taken away: what its cloud says, and a node of Ray that is drained by it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from evonas.clusters.attempt import attempt
from evonas.clusters.notices import watching
from evonas.clusters.notices.__main__ import main
from evonas.clusters.notices.metadata import MAINTENANCE_S, PREEMPTED_S, Aws, Google, Notice
from evonas.clusters.notices.raylets import Raylet, drain, raylets
from evonas.clusters.notices.watching import obey, watch
from evonas.config import RuntimeConfig
from evonas.records import Evaluation, Job, Status
from evonas.runtime import RayPool
from tests import away
from tests.away import job
from tests.clusters import started
from tests.metadata_services import service
from tests.test_cluster_files import launcher

ACTION = "/latest/meta-data/spot/instance-action"
INSTANCE = "/computeMetadata/v1/instance"
NODE = Raylet(1, "n1", "10.0.0.1:6379")


def announced(seconds: float) -> str:
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    return f'{{"action": "terminate", "time": "{at:%Y-%m-%dT%H:%M:%SZ}"}}'


def test_ec2_says_when_a_spot_machine_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # leads nowhere, as none leads to the service
    with service() as said:
        aws = Aws(said.url)
        assert aws.look() is None
        said.paths["/latest/meta-data/events/recommendations/rebalance"] = '{"noticeTime": "2026-11-28T10:00:00Z"}'
        assert aws.look() is None
        assert said.asked.count("/latest/api/token") == 1
        said.tokens.clear()  # it ran out
        with pytest.raises(OSError, match="401"):
            aws.look()
        said.paths[ACTION] = announced(120)
        notice = aws.look()
        assert notice is not None
        assert notice.why.startswith("EC2: terminate at 20")
        assert 100 < notice.seconds <= 120
        said.paths[ACTION] = announced(-5)
        assert (late := aws.look())
        assert late.seconds == 0


@pytest.mark.parametrize(
    ("preempted", "event", "found"),
    [
        ("FALSE", "NONE", None),
        ("FALSE", "MIGRATE_ON_HOST_MAINTENANCE", None),  # it moves and goes on
        ("TRUE", "NONE", Notice("Compute Engine: preempted", PREEMPTED_S)),
        (
            "FALSE",
            "TERMINATE_ON_HOST_MAINTENANCE",
            Notice("Compute Engine: TERMINATE_ON_HOST_MAINTENANCE", MAINTENANCE_S),
        ),
    ],
)
def test_compute_engine_says_that_a_machine_ends(preempted: str, event: str, found: Notice | None) -> None:
    paths = {f"{INSTANCE}/preempted": preempted, f"{INSTANCE}/maintenance-event": event}
    with service(google=True, paths=paths) as said:
        assert Google(said.url).look() == found


def test_a_service_that_does_not_answer_is_said_once_each_time() -> None:
    notice = Notice("x", 1.0)
    answers = iter([OSError("away"), OSError("away"), None, OSError("gone"), ValueError("no JSON"), notice])
    heard: list[str] = []

    class Service:
        def look(self) -> Notice | None:
            answer = next(answers)
            if isinstance(answer, Exception):
                raise answer
            return answer

    assert watch(Service(), 0.0, heard.append) is notice
    assert heard == [f"no notice can be heard: {why}; asked again every 0 s" for why in ("away", "gone")]


def test_a_node_is_drained_until_its_head_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that is not there yet when the notice comes, and a second one whose head agrees at once."""
    monkeypatch.setattr(watching, "AGAIN_S", 0.0)
    other = Raylet(2, "n2", NODE.head)
    looks, answers = iter([[], [NODE, other]]), {"n1": iter(["no head", ""]), "n2": iter([""])}
    monkeypatch.setattr(watching, "drain", lambda node, why, seconds: next(answers[node.node]))
    heard: list[str] = []
    assert obey(Notice("why", 60.0), lambda: next(looks, [NODE, other]), heard.append) == [other, NODE]
    assert heard == [
        "why; 60 s are left",
        "node n1 is not drained: no head",
        "node n2 is drained",
        "node n1 is drained",
    ]


def test_a_notice_in_vain_ends() -> None:
    assert obey(Notice("why", 0.0), list, lambda line: None) == []


def test_a_pod_whose_ray_has_ended_goes_at_once() -> None:
    assert main(["now", "--seconds", "6000", "--raylet", "1"]) == 0


@pytest.mark.parametrize(("exits", "status", "runs"), [("0", 0, 1), ("1", 1, 1), ("2", 0, 2), ("143", 143, 1)])
def test_a_try_of_a_job_fails_only_where_another_may_help(
    exits: str, status: int, runs: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    line = ["sh", "-c", f"echo run >> {tmp_path}/runs; exit {exits}"]
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        assert attempt(line, wait_s=0.0) == status
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
    assert (tmp_path / "runs").read_text().count("run") == runs
    assert ("not tried again" in capfd.readouterr().err) == (exits == "2")


def test_a_try_hands_on_that_it_shall_stop(tmp_path: Path) -> None:
    inner = "trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done"
    code = "import sys; from evonas.clusters.attempt import attempt; sys.exit(attempt(sys.argv[1:]))"
    line = [sys.executable, "-c", code, "sh", "-c", inner]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.terminate()
        assert process.wait() == 7


ASKED_FIRST = """
import signal, subprocess, sys
from evonas.clusters.attempt import attempt

begin, before = subprocess.Popen, signal.getsignal(signal.SIGTERM)

def asked_first(line):
    signal.raise_signal(signal.SIGTERM)
    return begin(line)

subprocess.Popen = asked_first
status = attempt(["sleep", "9"])
sys.exit(status if signal.getsignal(signal.SIGTERM) is before else 1)
"""


def test_a_try_that_shall_stop_before_it_has_begun_does() -> None:
    assert subprocess.run([sys.executable, "-c", ASKED_FIRST], check=False).returncode == 128 + signal.SIGTERM


def test_the_launch_files_start_one_watcher_a_machine(tmp_path: Path) -> None:
    """The line itself, with a stand-in for Python; Ray runs it whenever it sets a machine up."""
    (line,) = [each for each in launcher("aws.yaml")["worker_start_ray_commands"] if "notices" in each]
    (tmp_path / "python").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/said\nread end < {tmp_path}/hold\n')
    (tmp_path / "python").chmod(0o755)
    os.mkfifo(tmp_path / "hold")
    line = line.replace("/tmp/evonas-", f"{tmp_path}/evonas-")
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-c", line], env=environment, check=True)  # comes back, and it lives
    end = (tmp_path / "hold").open("w")  # waits until it has begun
    subprocess.run(["bash", "-c", line.replace("setsid --fork ", "! ")], env=environment, check=True)
    end.write("end\n")
    end.close()
    assert (tmp_path / "said").read_text() == "-m evonas.clusters.notices aws\n"


def nap(job: Job) -> Iterator[Evaluation]:
    time.sleep(1.0)
    yield Evaluation(job.candidate, Status.OK)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["aws", "google", "now"])
def test_a_node_that_is_announced_gets_no_more_work_and_ends(where: str) -> None:
    """By real raylets: what it does is done, the rest is done elsewhere, nobody is tried twice, and it leaves early."""
    cluster = started(num_cpus=0)
    going = cluster.add_node(num_cpus=1)
    process = going.all_processes["raylet"][0].process
    pool = RayPool(partial(away.made, nap), RuntimeConfig(address=cluster.address, workers=2, cpus_per_worker=1))
    try:
        (node,) = raylets([process.pid])
        assert (node.node, node.head) == (going.node_id, cluster.address)
        words: list[Any] = [where, "--raylet", process.pid]
        words += ["--seconds", 3000] if where == "now" else ["--every", 0.2]
        paths = {f"{INSTANCE}/preempted": "FALSE", f"{INSTANCE}/maintenance-event": "NONE"} if where == "google" else {}
        with service(google=where == "google", paths=paths) as said:
            words += [] if where == "now" else ["--metadata", said.url]
            for index in range(6):
                pool.submit(job(index))
            heard: list[Any] = []
            while not heard:  # it works there
                heard += pool.wait(0.2)
            watcher = subprocess.Popen(
                [sys.executable, "-m", "evonas.clusters.notices", *map(str, words)], stdout=subprocess.PIPE, text=True
            )
            cluster.add_node(num_cpus=1)
            said.paths[ACTION], said.paths[f"{INSTANCE}/preempted"] = announced(3000), "TRUE"
            end = time.monotonic() + 600
            while pool.pending or watcher.poll() is None or process.poll() is None:  # long before the machine goes
                assert time.monotonic() < end
                heard += pool.wait(0.2)
            told, _ = watcher.communicate()
        assert watcher.returncode == 0, told
        assert f"node {going.node_id} is drained" in told
        assert {(one.status, one.attempts) for one in heard} == {(Status.OK, 1)}
        assert sorted(one.candidate.index for one in heard) == list(range(6))
    finally:
        pool.close()
        cluster.shutdown()


@pytest.mark.slow
def test_a_head_that_is_away_is_said() -> None:
    assert drain(NODE, "why", 5.0)


@pytest.mark.parametrize("wrong", ["nan", "-1", "0", "inf", "often"])
def test_seconds_are_above_0(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["aws", f"--every={wrong}"])
    assert ended.value.code == 2
    assert f"takes seconds above 0, not {wrong}" in capsys.readouterr().err
