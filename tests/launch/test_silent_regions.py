"""Regions of AWS that may not be asked, or are down: they keep nothing else from being seen and ended, and are said."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from evonas.clusters.aws.ending import machines
from evonas.clusters.aws.role import has_role, instance_profile
from evonas.clusters.shipped import shipped
from evonas.clusters.template import fill
from evonas.errors import Halted, UserError
from evonas.launch.down import down
from evonas.launch.ray_launcher import aws, google
from evonas.launch.ray_launcher.aws import Aws
from evonas.launch.ray_launcher.aws_before import check_role
from evonas.launch.state import change
from evonas.launch.status import status
from tests.clouds.test_aws import REGION, _tags
from tests.clouds.test_google import Collection, Refused
from tests.launch.stand_ins import user  # noqa: F401 - a fixture
from tests.launch.test_aws import FOLDER, _order, clients  # noqa: F401 - a fixture
from tests.launch.ups import Ups, on  # noqa: F401 - a fixture

AWAY = "eu-west-1"
ACCOUNT = "123456789012"
DENIED = ClientError({"Error": {"Code": "UnauthorizedOperation", "Message": "explicit deny"}}, "DescribeInstances")
DOWN = ConnectTimeoutError(endpoint_url="https://ec2.eu-west-1.amazonaws.com/")


class Account:
    """Two regions, each with a machine of a cluster of this user's name, and the role.

    Args:
        client: of the simulated account.
    """

    def __init__(self, client: Callable[[str, str], Any]) -> None:
        self.client = cache(client)
        instance_profile(self.client("iam", REGION), fill(shipped("aws-policy.json"), {"bucket": "b"}))
        for region in (REGION, AWAY):
            self.client("ec2", region).run_instances(
                ImageId="ami-1", MinCount=1, MaxCount=1, TagSpecifications=_tags("instance", "evonas")
            )

    def silence(self, service: str, region: str, action: str, why: Exception) -> None:
        """Has one action of a region fail from now on."""

        def fail(**_: Any) -> None:
            raise why

        self.client(service, region).meta.events.register(f"before-call.{service}.{action}", fail, action)

    def hear(self, region: str, action: str) -> None:
        """Has an action of EC2 answer again."""
        self.client("ec2", region).meta.events.unregister(f"before-call.ec2.{action}", unique_id=action)

    def end_away(self) -> None:
        """Ends what is in the other region."""
        ec2 = self.client("ec2", AWAY)
        ec2.terminate_instances(InstanceIds=machines(ec2))

    def machines(self) -> list[int]:
        """How many there are, by region."""
        return [len(machines(self.client("ec2", region))) for region in (REGION, AWAY)]


@pytest.fixture
def account(clients: Callable[[str, str], Any], monkeypatch: pytest.MonkeyPatch) -> Account:  # noqa: F811
    monkeypatch.setattr(aws.ending, "regions_of", lambda _: [REGION, AWAY])
    change(FOLDER, owns=(f"{ACCOUNT}/{REGION}",), given={"region": REGION})
    return Account(clients)


@pytest.mark.parametrize(("why", "word"), [(DENIED, "UnauthorizedOperation"), (DOWN, "Connect timeout")])
@pytest.mark.parametrize("how", [{}, {"region": REGION}, {"anyway": True}])
def test_down_ends_what_is_the_folders_and_names_the_region_that_did_not_answer(
    account: Account, why: Exception, word: str, how: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    account.silence("ec2", AWAY, "DescribeInstances", why)
    place = {name: value for name, value in how.items() if name == "region"}
    order = replace(_order(**place), anyway="anyway" in how)
    assert down(order, Aws(order, account.client), dry=True) == 1
    assert "would go: machine i-" in capsys.readouterr().out
    assert down(order, Aws(order, account.client), sure=True) == 1
    out = capsys.readouterr().out
    assert (
        f"\nnothing is left in {REGION} of account {ACCOUNT}\n{AWAY} of account {ACCOUNT} did not answer ({word}" in out
    )
    assert (
        f"\nkept: role evonas-head, which machines may need in {AWAY}, which did not answer; it costs nothing\n" in out
    )
    assert has_role(account.client("iam", REGION))
    assert machines(account.client("ec2", REGION)) == []


def test_down_needs_no_list_of_regions(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def denied(_: Any) -> list[str]:
        raise DENIED

    monkeypatch.setattr(aws.ending, "regions_of", denied)
    assert down(_order(), Aws(_order(), account.client), sure=True) == 1
    out = capsys.readouterr().out
    assert f"\nother regions of account {ACCOUNT} did not answer (UnauthorizedOperation): whether" in out
    assert account.machines() == [0, 1]


def test_a_region_of_the_folder_that_is_down_keeps_no_other_and_is_asked_about(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is also that in which everything else of the account is asked."""
    change(FOLDER, owns=tuple(f"{ACCOUNT}/{region}" for region in (REGION, AWAY)))
    account.silence("sts", REGION, "GetCallerIdentity", DOWN)
    account.silence("ec2", REGION, "DescribeVolumes", DOWN)
    order, asked = _order(), list[str]()
    assert down(order, Aws(order, account.client), ask=lambda text: asked.append(text) or "n") == 0  # type: ignore[func-returns-value]
    assert f"to be taken down: what else may be in {REGION}, which did not answer (Connect t" in capsys.readouterr().out
    assert down(order, Aws(order, account.client), sure=True) == 1
    assert f"\nnot ended: {REGION}: Connect timeout" in capsys.readouterr().out
    assert (len(asked), account.machines()) == (1, [0, 0])


def test_what_does_not_answer_and_is_not_known_as_own_is_left_alone(account: Account) -> None:
    account.silence("ec2", AWAY, "DescribeVolumes", DOWN)
    order = _order(region=AWAY)
    with pytest.raises(UserError, match=r" --anyway takes it down$"):
        down(order, Aws(order, account.client), sure=True)
    account.silence("ec2", AWAY, "DescribeKeyPairs", DOWN)
    with pytest.raises(UserError, match=f"^{AWAY}: Connect timeout"):
        down(order, Aws(order, account.client), sure=True)
    assert account.machines() == [1, 1]


@pytest.mark.parametrize("silent", [REGION, AWAY])
def test_status_says_what_runs_elsewhere_and_which_region_did_not_answer(
    account: Account, silent: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change(FOLDER, owns=tuple(f"{ACCOUNT}/{region}" for region in (REGION, AWAY)))
    account.silence("ec2", silent, "DescribeInstances", DENIED)
    assert status(_order(), Aws(_order(), account.client)) == 1
    out = capsys.readouterr().out
    assert "1 x m1.small" in out
    assert f"\n{silent}: An error occurred (UnauthorizedOperation)" in out
    (gone,) = {REGION, AWAY} - {silent}
    account.client("ec2", gone).terminate_instances(InstanceIds=machines(account.client("ec2", gone)))
    assert status(_order(), Aws(_order(), account.client)) == 1
    assert "nothing runs" not in capsys.readouterr().out


def test_up_takes_the_role_from_no_region_that_did_not_answer(account: Account) -> None:
    """The head there could use its bucket no more."""
    account.client("ec2", REGION).terminate_instances(InstanceIds=machines(account.client("ec2", REGION)))
    account.silence("ec2", AWAY, "DescribeInstances", DENIED)
    with pytest.raises(UserError, match=rf"is for bucket b, and whether a head uses it in {AWAY} nobody has answered"):
        check_role(account.client, REGION, "mine", is_said=True)
    check_role(account.client, REGION, "b", is_said=True)
    check_role(account.client, REGION, "mine", is_said=True, anyway=True)


def test_an_account_of_google_that_may_not_be_asked_keeps_no_machine(
    on: Callable[[str], Ups],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ups = on("gcp")
    assert ups.up() == 0

    def denied(_: str) -> bool:
        raise UserError("gcloud iam: PERMISSION_DENIED")

    monkeypatch.setattr(google.gcloud, "has_account", denied)
    assert ups.line("down", "--yes") == 1
    assert ups.machines() == []
    out = capsys.readouterr().out
    assert "\naccount evonas-head in project my-project, if any: Google did not answer (gcloud iam: PERM" in out
    assert "\nnot ended: account evonas-head: gcloud iam: PERMISSION_DENIED\nkept: bucket " in out
    assert Path(ups.folder / "state.json").exists()


@pytest.mark.parametrize("listing", ["firewalls", "networks", "disks"])
def test_a_listing_of_google_that_is_denied_keeps_no_machine_and_is_said(
    on: Callable[[str], Ups],  # noqa: F811
    listing: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is there stays this user's as long as nobody has said that nothing is."""
    ups = on("gcp")
    assert ups.up() == 0
    ups.compute.things["networks"]["evonas"] = {"name": "evonas"}

    def denied(self: Collection, **words: str) -> Any:
        if self.kind == listing:
            raise Refused(f"{listing} denied")
        return real[words.keys() >= {"filter"}](self, **words)

    real = [Collection.list, Collection.aggregatedList]
    with monkeypatch.context() as meanwhile:
        for name in ("list", "aggregatedList"):
            meanwhile.setattr(Collection, name, denied)
        for words in (["--dry-run"], ["--yes"], ["--yes"]):
            capsys.readouterr()
            assert ups.line("down", *words) == 1
            out = capsys.readouterr().out
            assert f" in project my-project, if any: Google did not answer ({listing} denied), and nobody has" in out
            assert "nothing is left" not in out
        assert ups.machines() == []
        assert ("evonas" in ups.compute.things["networks"]) is (listing == "networks")
    capsys.readouterr()
    assert ups.line("down", "--yes") == 0
    assert "nothing is left in project my-project" in capsys.readouterr().out


def test_where_compute_engine_is_off_nothing_is_there(
    on: Callable[[str], Ups],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An `up` that may not switch it on, as without a bill, has started nothing."""
    ups = on("gcp")

    def off(*_: Any, **__: Any) -> Any:
        raise Refused("Compute Engine API has not been used in project my-project before or it is disabled")

    def halted(*words: str) -> None:
        raise Halted(words[1])

    for name in ("list", "aggregatedList", "delete"):
        monkeypatch.setattr(Collection, name, lambda *_, **__: SimpleNamespace(execute=off))
    gcloud, begin = ups.folder.parent / "bin/gcloud", 'case "$name $*" in\n'
    iam = '*"service-accounts list"*) { echo "IAM API has not been used in project x"; echo reason; exit 1; } >&2 ;;\n'
    gcloud.write_text(gcloud.read_text().replace(begin, begin + iam))
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(google.programs, "run", halted)
        assert ups.up() != 0
    assert "nothing of it runs. To go on: " in capsys.readouterr().err
    for line in (["status"], ["down", "--dry-run"], ["down", "--yes"]):
        assert ups.line(*line, "--project", "my-project") == 0
        assert re.search("nothing (runs|is there|is left) in project my-project", capsys.readouterr().out)
