"""`up` on a cluster that was up before: a search that runs is not ended, and nothing is paid for unasked."""

import io
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
from tests.launch.ups import FILES, OPTIONS, Ups, on  # noqa: F401 - a fixture

Clients = Callable[[str, str], Any]


def _differences(out: str) -> list[str]:
    """The lines behind the one that says that the head has another file."""
    return [line.strip() for line in out.partition("takes effect after `down`:\n")[2].splitlines()]


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


@pytest.mark.parametrize("lost", [(), ("state.json",), ("state.json", "head")])
@pytest.mark.parametrize(
    ("cloud", "key", "small", "large", "usd"),
    [
        ("aws", "InstanceType", "m7i.xlarge", "m7i.8xlarge", "$0.24"),
        ("gcp", "machineType", "e2-standard-4", "e2-standard-16", "$0.15"),
    ],
)
def test_what_runs_is_said_and_counted_where_the_launch_file_has_changed(
    on: Callable[[str], Ups],  # noqa: F811
    cloud: str,
    key: str,
    small: str,
    large: str,
    usd: str,
    lost: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ups = on(cloud)
    copy = ups.folder / f"my-{cloud}.yaml"
    assert ups.up() == 0
    for name in lost:
        (ups.folder / name.replace("head", f"my-head-{cloud}.yaml")).unlink()
    for name in (key, "evonas-node-type"):
        assert f"{name}: {small}" in copy.read_text()
        copy.write_text(copy.read_text().replace(f"{name}: {small}", f"{name}: {large}"))
    capsys.readouterr()
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert ups.up("--image", "me/evonas:10", options=[word for word in OPTIONS[cloud][2:] if word != "--yes"]) == 0
    out = capsys.readouterr().out
    assert out.endswith("start it? [y/N] nothing was started\n")
    assert ("what was changed since takes effect after `down`" in out) == (len(lost) == 2)
    if len(lost) < 2:
        assert f"from the start: {usd} an hour (1 x {small} " in out
        assert _differences(out)[:3] == [
            "docker.image is me/evonas:9, not me/evonas:10",
            f"head.{key} is {small}, not {large}",
            f"head.labels.evonas-node-type is {small}, not {large}",
        ]
        assert "its image" not in out  # that of the edited file is as --image says


@pytest.mark.parametrize(
    ("cloud", "options", "expected"),
    [
        ("aws", ["--ami", "ami-1e749f67"], ["head.ImageId is ami-03cf127a, not ami-1e749f67 (4 other types alike)"]),
        (
            "gcp",
            ["--family", "common-cu131", "--zone", "us-central1-b"],
            [
                "head.disks.0.initializeParams.sourceImage is .../common-cu130-ubuntu-2204-nvidia-580, "
                "not .../common-cu131 (4 other types alike)",
                "provider.availability_zone is us-central1-a, not us-central1-b",
                "head.disks.0.initializeParams.diskType is ...us-central1-a/diskTypes/p..., "
                "not ...us-central1-b/diskTypes/p... (4 other types alike)",
            ],
        ),
    ],
)
def test_options_that_the_head_has_otherwise_are_named_once_and_lead_nobody_to_another_head(
    on: Callable[[str], Ups],  # noqa: F811
    cloud: str,
    options: list[str],
    expected: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    ups = on(cloud)
    assert ups.up("c.yaml") == 0
    capsys.readouterr()
    assert ups.up("c.yaml", *options, options=["--address", "198.51.100.7", "--yes"]) == 0
    assert _differences(capsys.readouterr().out)[: len(expected)] == expected
    assert ups.tunnel == ["ray", "dashboard", "--port", "8266", f"cluster-{cloud}/my-head-{cloud}.yaml"]


@pytest.mark.parametrize("cloud", list(FILES))
def test_a_launch_file_of_an_older_evonas_that_nobody_changed_is_written_anew(
    on: Callable[[str], Ups],  # noqa: F811
    cloud: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ups, name = on(cloud), FILES[cloud]
    assert ups.up() == 0
    for path in (ups.folder / name, ups.folder / name.removeprefix("my-")):
        path.write_text(f"{path.read_text()}# older\n")
    assert ups.up() == 0
    assert "was changed by hand" not in capsys.readouterr().out
    assert not (ups.folder / name).read_text().endswith("# older\n")
