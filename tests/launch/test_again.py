"""`up` on a cluster that was up before: a search that runs is not ended, and nothing is paid for unasked."""

from collections.abc import Callable
from typing import Any

import pytest

from evonas.clusters.shipped import shipped
from evonas.launch.order import Order
from evonas.launch.ray_launcher import aws
from evonas.launch.ray_launcher.aws import Aws
from evonas.launch.ray_launcher.google import Google
from evonas.launch.state import change, read
from evonas.launch.up import up
from tests.clouds.test_aws import REGION
from tests.clouds.test_google import PROJECT, ZONE, Cloud, _named
from tests.launch.stand_ins import stand_in, user  # noqa: F401 - a fixture
from tests.launch.test_aws import FOLDER, _order, clients  # noqa: F401 - a fixture

Clients = Callable[[str, str], Any]


def _no(_: str) -> str:
    return "n"


def test_ray_is_not_started_anew_on_a_head_that_runs(clients: Clients) -> None:  # noqa: F811
    ec2, started = clients("ec2", REGION), list[tuple[str, ...]]()

    def launcher(*words: str) -> None:
        started.append(words)
        tags = [{"Key": "ray-cluster-name", "Value": "evonas"}, {"Key": "ray-node-type", "Value": "head"}]
        spec = [{"ResourceType": "instance", "Tags": tags}]
        ec2.run_instances(ImageId="ami-03cf127a", MinCount=1, MaxCount=1, TagSpecifications=spec)

    def again(**words: Any) -> None:
        order = _order()
        assert up(order, Aws(order, clients, launcher), **words) == 0

    again(sure=True)
    again(ask=_no)  # whether a tunnel opens makes no difference
    assert len(started) == 1
    ec2.terminate_instances(InstanceIds=aws.ending.machines(ec2))  # as after 48 hours
    assert read(FOLDER).started
    again(ask=_no)
    assert len(started) == 1  # paid machines are not started unasked
    again(sure=True)
    assert len(started) == 2


def test_a_config_that_asks_for_more_is_asked_for(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(Aws, "nodes", lambda _: ["1 x m7i.xlarge"])
    monkeypatch.setattr(Aws, "prepare", lambda _: [])
    monkeypatch.setattr(Aws, "start", lambda _: change(FOLDER, started=True))
    monkeypatch.setattr(Aws, "search", lambda _: 0)

    def asked(workers: int) -> int:
        questions, given = list[str](), {"image": "me/evonas:9"}
        order = Order("aws", "", FOLDER, read(FOLDER), given, "c.yaml", (f"runtime.workers={workers}",))
        up(order, Aws(order, clients), ask=lambda text: questions.append(text) or "y")  # type: ignore[func-returns-value]
        return len(questions)

    assert [asked(workers) for workers in (2, 2, 9, 9)] == [1, 0, 1, 0]


@pytest.mark.parametrize(("status", "lines"), [("RUNNING", 0), ("TERMINATED", 1)])
def test_google_says_whether_a_head_runs(
    user: Any,  # noqa: F811
    status: str,
    lines: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = stand_in(user, monkeypatch, ray="")
    labels = {"ray-cluster-name": "evonas", "ray-node-type": "head"}
    cloud = Cloud(instances=_named(head={"labels": labels, "zone": ZONE, "status": status}))
    order = Order("gcp", "", user / "cluster-gcp", change(user / "cluster-gcp", started=True), {"project": PROJECT})
    (order.folder / "my-gcp.yaml").write_text(shipped("gcp.yaml"))
    Google(order, lambda: cloud).start()
    assert len(told.lines("ray up")) == lines
    assert (order.folder / "my-head-gcp.yaml").exists() == bool(lines)  # which file it has now


@pytest.mark.parametrize("lost", [(), ("state.json",), ("state.json", "my-head-aws.yaml")])
def test_what_runs_is_said_and_counted_where_the_launch_file_has_changed(
    clients: Clients,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    lost: tuple[str, ...],
) -> None:
    ec2 = clients("ec2", REGION)

    def launcher(*_: str) -> None:
        tags = [{"Key": "ray-cluster-name", "Value": "evonas"}, {"Key": "ray-node-type", "Value": "head"}]
        spec = [{"ResourceType": "instance", "Tags": tags}]
        ec2.run_instances(ImageId="ami-03cf127a", MinCount=1, MaxCount=1, TagSpecifications=spec)

    order = _order()
    assert up(order, Aws(order, clients, launcher), sure=True) == 0
    for name in lost:
        (FOLDER / name).unlink()
    copy = FOLDER / "my-aws.yaml"
    copy.write_text(copy.read_text().replace("InstanceType: m7i.xlarge", "InstanceType: m7i.8xlarge"))
    copy.write_text(copy.read_text().replace("evonas-node-type: m7i.xlarge", "evonas-node-type: m7i.8xlarge"))
    capsys.readouterr()
    asked = list[str]()
    order = _order(image="me/evonas:10")
    assert up(order, Aws(order, clients, launcher), ask=lambda text: asked.append(text) or "n") == 0  # type: ignore[func-returns-value]
    out = capsys.readouterr().out
    assert asked
    assert ("what was changed since takes effect after `down`" in out) == (len(lost) == 2)
    if len(lost) < 2:
        assert "from the start: $0.24 an hour (1 x m7i.xlarge " in out
        said = next(line for line in out.splitlines() if "the head runs with" in line)
        assert said.split("`down`: ")[1].split("; ") == [
            "docker.image is me/evonas:9, not me/evonas:10",
            "head.InstanceType is m7i.xlarge, not m7i.8xlarge",
            "head.labels.evonas-node-type is m7i.xlarge, not m7i.8xlarge",
        ]
        assert "its image" not in out  # that of the edited file is as --image says
