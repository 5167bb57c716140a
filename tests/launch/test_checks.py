"""What an account may not do or have stops `up` before the head costs."""

import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from evonas.cli import main
from evonas.clusters.aws import ending
from evonas.clusters.quota import Quota
from evonas.errors import UserError
from evonas.launch import ray_search
from evonas.launch.order import Order
from evonas.launch.ray_launcher import aws, google
from evonas.launch.ray_launcher.aws import Aws
from evonas.launch.state import State
from evonas.launch.tokens import token_file
from evonas.launch.up import up
from tests.clouds.test_aws import REGION, _tags
from tests.launch.stand_ins import stand_in, user  # noqa: F401 - a fixture
from tests.launch.test_aws import _order, clients  # noqa: F401 - a fixture
from tests.launch.test_programs import GCLOUD, KEYGEN

Clients = Callable[[str, str], Any]
NONE = Quota("vCPUs", 64, 4, 0.0, "more: ask")


@pytest.mark.parametrize(
    ("where", "answer", "expected"),
    [
        ("evonas.clusters.aws.prepare.quotas", [NONE], "no machine would come"),
        ("evonas.launch.ray_launcher.aws.refused", ["ec2:RunInstances: these credentials may not"], "ec2:RunInstances"),
    ],
)
def test_aws_starts_nothing_that_could_not_come(
    clients: Clients,  # noqa: F811
    where: str,
    answer: list[Any],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(where, lambda *_: answer)
    order, started = _order(), list[Any]()
    with pytest.raises(UserError, match=expected):
        up(order, Aws(order, clients, lambda *words: started.append(words)), sure=True)
    assert started == []


def test_google_starts_nothing_that_could_not_come(
    user: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = stand_in(user, monkeypatch, gcloud=GCLOUD, ray="", ssh="", rsync="", ssh_keygen=KEYGEN)
    credentials = user / "home/.config/gcloud/application_default_credentials.json"
    credentials.parent.mkdir(parents=True)
    credentials.touch()
    monkeypatch.setattr(google, "absent", lambda **_: [])
    monkeypatch.setattr(google, "quotas", lambda *_: [NONE])
    for name in ("running", "stopped"):
        monkeypatch.setattr(google, name, lambda *_: [])
    monkeypatch.setattr(google.ending, "machines", lambda *_: [])
    monkeypatch.setattr(google.ending, "head_zone", lambda *_: None)
    monkeypatch.setattr(google.Google.__init__, "__defaults__", (object,))
    line = ["cluster", "up", "gcp", "--image", "me/evonas:9", "--address", "198.51.100.7", "--yes"]
    assert main(line) == 2
    err = capsys.readouterr().err
    assert "no machine would come" in err
    assert "nothing of it runs. To go on: " in err
    assert told.lines("ray up") == []


def test_the_line_that_stops_a_search_brings_its_tunnel_and_its_token(
    user: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The tunnel of `up` is closed when it is read, and the token is in no environment."""
    monkeypatch.setattr(ray_search, "tunnel", lambda *_: nullcontext("http://127.0.0.1:8270"))
    said = list[str]()

    def submit(*_: Any, stopping: Callable[[str], str], **__: Any) -> int:
        said.append(stopping("RAY_AUTH_MODE=token ray job stop j --address http://127.0.0.1:8270"))
        return 0

    monkeypatch.setattr(ray_search, "submit", submit)
    order = Order("aws", "", user / "f", State(), {}, "c.yaml")
    assert ray_search.run_search(order, lambda port: ["ray", "dashboard", "--port", str(port), "my file"], "r", 4) == 0
    (line,) = said
    assert line.startswith("open the tunnel again, `ray dashboard --port 8270 'my file'`, and meanwhile: ")
    assert f"RAY_AUTH_TOKEN_PATH={token_file()} RAY_AUTH_MODE=token ray job stop j" in line


def test_what_is_left_is_looked_for_in_every_region(clients: Clients) -> None:  # noqa: F811
    there = clients("ec2", "eu-west-1")
    there.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, TagSpecifications=_tags("instance", "evonas"))
    regions = [{"RegionName": name} for name in (REGION, "eu-west-1")]
    clients("ec2", REGION).describe_regions = lambda: {"Regions": regions}
    asked = set[tuple[str, bool]]()

    def client(service: str, region: str) -> Any:
        asked.add((region, threading.current_thread() is threading.main_thread()))
        return clients(service, region)

    (line,) = ending.left(client, REGION)
    assert line.endswith(" in eu-west-1")
    assert asked == {(REGION, True), (REGION, False), ("eu-west-1", False)}  # side by side
    assert aws.ending is ending
