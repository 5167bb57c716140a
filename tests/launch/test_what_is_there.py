"""What is said of machines that run: of this user's, where a line has failed, and of others in the same account."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evonas.cli import main
from evonas.clusters.aws import clients as clients_of_aws
from evonas.clusters.aws.network import security_group
from evonas.clusters.aws.role import has_role, instance_profile
from evonas.clusters.shipped import shipped
from evonas.clusters.template import fill
from evonas.errors import UserError
from evonas.launch.down import down
from evonas.launch.launch_files.guards import check_dashboard
from evonas.launch.ray_launcher import aws, google
from evonas.launch.ray_launcher.aws import Aws
from evonas.launch.state import change
from evonas.launch.status import status
from tests.clouds.test_aws import REGION, THERE, _tags
from tests.launch.stand_ins import user  # noqa: F401 - a fixture
from tests.launch.test_aws import FOLDER, _order, clients  # noqa: F401 - a fixture
from tests.launch.ups import Ups, on  # noqa: F401 - a fixture

Clients = Callable[[str, str], Any]
THEIRS = "eu-west-1"


def _fails(*_: Any, **__: Any) -> Any:
    raise UserError("no network")


@pytest.mark.parametrize("cloud", ["aws", "gcp"])
@pytest.mark.parametrize("answers", [True, False])
def test_a_line_that_fails_asks_the_cloud_what_runs_whatever_the_state_says(
    on: Callable[[str], Ups],  # noqa: F811
    cloud: str,
    answers: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ups, module = on(cloud), aws if cloud == "aws" else google
    assert ups.up() == 0
    change(ups.folder, started=False)  # as `ray up` leaves it that is interrupted
    monkeypatch.setattr(module, "check", _fails)
    if not answers:
        monkeypatch.setattr(module, "running", _fails)
    capsys.readouterr()
    assert ups.up() == 2
    said = "what is up stays up and costs. To" if answers else "something may run, which costs: nobody has said"
    err = capsys.readouterr().err
    assert said in err
    assert "nothing of it runs" not in err
    ups.line("down", "--yes")


@pytest.fixture
def shared(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> Clients:  # noqa: F811
    """An account in which this user has a cluster in one region, and a colleague in another."""
    monkeypatch.setattr(aws.ending, "regions_of", lambda _: [REGION, THEIRS])
    instance_profile(clients("iam", REGION), fill(shipped("aws-policy.json"), {"bucket": "b"}))
    for region in (REGION, THEIRS):
        ec2 = clients("ec2", region)
        security_group(ec2, THERE)
        ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, TagSpecifications=_tags("instance", "evonas"))
        pair = ec2.create_key_pair(KeyName="evonas")
        if region == REGION:
            (Path.home() / ".ssh/evonas.pem").write_text(pair["KeyMaterial"])
            (Path.home() / ".ssh/evonas.pem").chmod(0o600)
    return clients


@pytest.mark.parametrize("lost", [False, True])
def test_what_is_a_colleagues_in_another_region_stays_and_is_said_to(
    shared: Clients, lost: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if not lost:
        change(FOLDER, owns=(f"123456789012/{REGION}",), given={"region": REGION})
    assert down(_order(), Aws(_order(), shared), dry=True) == 0
    out = capsys.readouterr().out
    going, staying = ([line for line in out.splitlines() if line.startswith(how)] for how in ("would go", "would stay"))
    assert going
    assert [line for line in going if THEIRS in line or "role" in line] == []
    assert len([line for line in staying if f" in {THEIRS}, of others as far as is known" in line]) == 1 + lost
    assert f"would stay: role evonas-head, which machines in {THEIRS} need; it costs nothing" in staying
    asked = list[str]()
    assert down(_order(), Aws(_order(), shared), ask=lambda text: asked.append(text) or "y") == 0  # type: ignore[func-returns-value]
    assert len(asked) == 1
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line.startswith("to be") and THEIRS in line] == []
    assert "nothing is left in " in out
    assert "again: " not in out
    assert (aws.ending.machines(shared("ec2", REGION)), len(aws.ending.machines(shared("ec2", THEIRS)))) == ([], 1)
    assert has_role(shared("iam", REGION))
    change(FOLDER, owns=(), given={"region": REGION})
    again = down(_order(), Aws(_order(), shared), ask=lambda text: asked.append(text) or "y")  # type: ignore[func-returns-value]
    assert (again, len(asked)) == (0, 1)  # of nothing that is not touched


def test_what_runs_in_the_region_of_an_earlier_line_is_seen_from_another(shared: Clients) -> None:
    change(FOLDER, owns=(f"123456789012/{REGION}",), given={"region": REGION})
    lines = Aws(_order(region=THEIRS), shared).elsewhere()
    assert {line.rpartition(" in ")[2] for line in lines} == {REGION}


def test_what_may_be_this_users_is_no_end(shared: Clients, capsys: pytest.CaptureFixture[str]) -> None:
    """Where neither a folder nor a key says in which region this user's cluster was."""
    (Path.home() / ".ssh/evonas.pem").unlink()
    ec2 = shared("ec2", REGION)
    ec2.terminate_instances(InstanceIds=aws.ending.machines(ec2))
    ec2.delete_security_group(GroupId=aws.find_group(ec2))
    assert status(_order(), Aws(_order(), shared)) == 1
    assert down(_order(), Aws(_order(), shared), dry=True) == 1
    assert down(_order(), Aws(_order(), shared), sure=True) == 1
    out = capsys.readouterr().out
    assert f"if it is yours, it goes by evonas cluster down aws --region {THEIRS} --anyway\n" in out
    assert "nothing is left in any region of account 123456789012 but eu-west-1\n" in out


def test_regions_are_asked_once_and_by_clients_of_one_session(shared: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[str]()
    shared("ec2", THEIRS).meta.events.register("before-call.ec2", lambda model, **_: asked.append(model.name))
    assert down(_order(), Aws(_order(), shared), sure=True) == 0
    assert (asked.count("DescribeVolumes"), asked.count("DescribeInstances")) == (1, 1)
    sessions = list[int]()
    import boto3

    made = boto3.Session
    monkeypatch.setattr(boto3, "Session", lambda *words: sessions.append(1) or made(*words))  # type: ignore[func-returns-value]
    clients_of_aws._session.cache_clear()
    clients_of_aws._client.cache_clear()
    found = {id(clients_of_aws.client("ec2", region)) for region in (REGION, THEIRS, REGION)}
    assert (len(found), len(sessions)) == (2, 1)


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_a_dry_run_says_what_up_will_want(cloud: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cluster", "up", cloud, "c.yaml", "--dry-run"]) == 0
    *_, wanted = capsys.readouterr().out.partition("what `up` will want:\n")
    assert "  image: --image NAME/evonas:0.1.0, built of cluster/Dockerfile\n" in wanted
    assert main(["cluster", "up", cloud, "c.yaml", "--image", "me/evonas:9", "--dry-run"]) == 0
    *_, wanted = capsys.readouterr().out.partition("what `up` will want:\n")
    assert "image: " not in wanted


@pytest.mark.usefixtures("user")
def test_google_names_all_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["cluster", "status", "gcp"]) == 2
    err = capsys.readouterr().err
    assert "project: --project, or gcloud config set project; credentials of Google Cloud: " in err
    monkeypatch.setattr("evonas.launch.ray_launcher.libraries.find_spec", lambda _: None)
    for cloud, library in (("gcp", "gcsfs"), ("aws", "s3fs")):
        assert main(["cluster", "up", cloud]) == 2
        assert f"evonas: {library}: is not installed: pip install " in capsys.readouterr().err


@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_a_search_that_has_not_begun_is_said_to(
    on: Callable[[str], Ups],  # noqa: F811
    cloud: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ups = on(cloud)
    assert ups.up() == 0
    monkeypatch.setattr((aws.Aws if cloud == "aws" else google.Google), "run_folder", lambda _: str(tmp_path / "none"))
    assert ups.line("status") == 0
    assert "/none: the search has not begun: nothing is recorded there\n" in capsys.readouterr().out


@pytest.mark.parametrize("host", ["=0.0.0.0", " 0.0.0.0", "='0.0.0.0'", "=$(hostname -i)", " \\\n  ::"])
def test_a_dashboard_for_everybody_is_refused(host: str) -> None:
    with pytest.raises(UserError, match=r"my\.yaml: --dashboard-host is "):
        check_dashboard(["ray stop", f"ray start --dashboard-host{host} --head"], "my.yaml")
    check_dashboard(["ray start --dashboard-host=127.0.0.1", "--dashboard-host 'localhost'", "--dashboard-port=8"], "x")
