"""What cannot be ended: it keeps nothing else, and `down` says it with what stays, why and how to go on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from evonas.clusters.aws import ending
from evonas.clusters.aws.ending import machines
from evonas.clusters.aws.keys import own_key_pairs
from evonas.clusters.aws.network import find_group, security_group
from evonas.clusters.aws.role import has_role
from evonas.launch.down import down
from evonas.launch.ray_launcher import google
from evonas.launch.ray_launcher.aws import Aws
from tests.clouds.test_aws import REGION, THERE, _tags
from tests.clouds.test_google import Collection, Refused
from tests.launch.stand_ins import user  # noqa: F401 - a fixture
from tests.launch.test_aws import _order, clients  # noqa: F401 - a fixture
from tests.launch.test_silent_regions import ACCOUNT, AWAY, DENIED, Account, account  # noqa: F401 - a fixture
from tests.launch.ups import Ups, on  # noqa: F401 - a fixture

GROUP, KEY = "security group", "key pair"


@pytest.fixture
def whole(account: Account) -> Account:  # noqa: F811
    """With group, key pair and a second machine."""
    ec2 = account.client("ec2", REGION)
    security_group(ec2, THERE)
    pem = Path.home() / ".ssh/evonas.pem"
    pem.write_text(ec2.create_key_pair(KeyName="evonas")["KeyMaterial"])
    pem.chmod(0o600)
    ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, TagSpecifications=_tags("instance", "evonas"))
    return account


def _down(of: Account, dry: bool = False) -> int:
    return down(_order(), Aws(_order(), of.client), sure=True, dry=dry)


def test_a_protected_machine_keeps_no_other_and_is_named(whole: Account, capsys: pytest.CaptureFixture[str]) -> None:
    ec2 = whole.client("ec2", REGION)
    protected, _ = machines(ec2)
    ec2.modify_instance_attribute(InstanceId=protected, DisableApiTermination={"Value": True})
    assert _down(whole) == 1
    out = capsys.readouterr().out
    assert f"\nstill there: machine {protected} in {REGION}\nstill there: {GROUP} " in out
    assert f"\nnot ended: {REGION}: An error occurred (OperationNotPermitted)" in out
    assert "\nkept: " in out.partition("\nnot ended: ")[2]
    assert out.endswith("\nagain: evonas cluster down aws\n")
    assert whole.machines()[0] == 1
    assert own_key_pairs(ec2) == ["evonas"]
    ec2.modify_instance_attribute(InstanceId=protected, DisableApiTermination={"Value": False})
    assert _down(whole) == 0
    assert (whole.machines()[0], find_group(ec2), own_key_pairs(ec2)) == (0, None, [])


@pytest.mark.parametrize(
    ("action", "stays"),
    [
        ("TerminateInstances", {GROUP, KEY}),
        ("DescribeVolumes", set[str]()),
        ("DescribeSecurityGroups", {GROUP}),
        ("DeleteSecurityGroup", {GROUP}),
        ("DescribeKeyPairs", {KEY}),
        ("DeleteKeyPair", {KEY}),
    ],
)
def test_one_right_that_is_missing_keeps_what_needs_it_alone(
    whole: Account, action: str, stays: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1, as something of this user's stays."""
    ec2 = whole.client("ec2", REGION)
    whole.silence("ec2", REGION, action, DENIED)
    assert _down(whole) == 1
    out = capsys.readouterr().out
    assert f"\nnot ended: {REGION}: An error occurred (UnauthorizedOperation)" in out
    assert out.endswith("\nagain: evonas cluster down aws\n")
    assert "nothing is left" not in out
    whole.hear(REGION, action)
    there = {GROUP: find_group(ec2), KEY: own_key_pairs(ec2)}
    assert {name for name, found in there.items() if found} == stays
    assert whole.machines()[0] == (2 if action == "TerminateInstances" else 0)


def test_a_dry_run_promises_nothing_of_a_region_that_does_not_answer(
    whole: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    whole.silence("ec2", REGION, "DescribeInstances", DENIED)
    said = f"\nwhat else may be in {REGION}, which did not answer (UnauthorizedOperation): nobody has said whether it c"
    for dry in (True, False):
        assert _down(whole, dry) == 1
        assert said in capsys.readouterr().out
    whole.client("ec2", REGION).meta.events.unregister(
        "before-call.ec2.DescribeInstances", unique_id="DescribeInstances"
    )
    assert whole.machines()[0] == 2
    assert own_key_pairs(whole.client("ec2", REGION)) == ["evonas"]


def test_a_role_that_may_not_be_asked_for_is_said_with_what_went(
    whole: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    whole.end_away()
    whole.silence("iam", REGION, "GetRole", ClientError({"Error": {"Code": "AccessDenied"}}, "GetRole"))
    for dry in (True, False):
        assert _down(whole, dry) == 1
        out = capsys.readouterr().out
        assert "IAM did not answer (AccessDenied): whether role evonas-head is there, which costs nothing," in out
        assert "\n\n" not in out
    assert f"\nnothing is left in {REGION} of account {ACCOUNT}\nIAM did not answer" in out


@pytest.mark.parametrize("kind", ["instances", "firewalls"])
def test_what_google_refuses_to_delete_keeps_nothing_else(
    on: Callable[[str], Ups],  # noqa: F811
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The head's account stays as long as a machine, which may be the head."""
    ups, real = on("gcp"), Collection._deleted
    assert ups.up() == 0
    ups.compute.things["firewalls"] |= {name: {"name": name} for name in google.ending.FIREWALLS}
    ups.compute.things["networks"]["evonas"] = {"name": "evonas"}

    def deleted(self: Collection, name: str) -> Any:
        if self.kind == kind and name in ("head", "evonas-ssh"):
            raise Refused("deletionProtection")
        return real(self, name)

    monkeypatch.setattr(Collection, "_deleted", deleted)
    capsys.readouterr()
    assert ups.line("down", "--yes") == 1
    out = capsys.readouterr().out
    assert "\nnot ended: project my-project: deletionProtection\nkept: " in out
    assert out.endswith("\nagain: evonas cluster down gcp\n")
    assert google.gcloud.has_account("my-project") is (kind == "instances")
    assert ups.compute.deleted == ([] if kind == "instances" else ["head", "evonas-inside", "evonas"])


@pytest.mark.parametrize("silent", ["regions", "region"])
def test_a_role_that_a_silent_region_kept_is_named_until_anyway_takes_it(
    whole: Account, silent: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing that `down` has left says whose it is."""
    whole.end_away()

    def denied(_: Any) -> list[str]:
        raise DENIED

    with monkeypatch.context() as meanwhile:
        if silent == "regions":
            meanwhile.setattr(ending, "regions_of", denied)
        else:
            whole.silence("ec2", AWAY, "DescribeInstances", DENIED)
        assert _down(whole) == 1
    whole.hear(AWAY, "DescribeInstances")
    said = "role evonas-head, which no machine needs and which costs nothing: if no `up` of others is about to need it,"
    for dry, word in ((True, "would stay"), (False, "kept")):
        capsys.readouterr()
        assert _down(whole, dry) == 0
        assert f"\n{word}: {said} evonas cluster down aws --anyway takes it\n" in capsys.readouterr().out
    anyway = replace(_order(), anyway=True)
    assert down(anyway, Aws(anyway, whole.client), sure=True) == 0
    assert not has_role(whole.client("iam", REGION))
    capsys.readouterr()
    assert _down(whole) == 0
    assert "role" not in capsys.readouterr().out


@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_a_token_stays_only_where_there_is_one(
    on: Callable[[str], Ups],  # noqa: F811
    cloud: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ups = on(cloud)
    ups.line("down", "--dry-run")
    assert "~/.evonas-cluster" not in capsys.readouterr().out
    assert ups.up() == 0
    ups.line("down", "--dry-run")
    assert "would stay: ~/.evonas-cluster: the token" in capsys.readouterr().out


@pytest.mark.parametrize(("said", "status"), [("PERMISSION_DENIED", 1), ("role, and condition not found!", 0)])
def test_an_account_whose_rights_may_not_be_taken_stays_and_is_named(
    on: Callable[[str], Ups],  # noqa: F811
    said: str,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is this user's as long as it stays."""
    ups, ask = on("gcp"), google.programs.ask
    assert ups.up() == 0

    def denied(*words: str, text: str | None = None) -> tuple[int, str]:
        return (1, said) if "remove-iam-policy-binding" in words else ask(*words, text=text)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(google.programs, "ask", denied)
        for _ in range(2):
            capsys.readouterr()
            assert ups.line("down", "--yes") == status
            out = capsys.readouterr().out
            assert ("still there: account evonas-head" in out) is bool(status)
            assert (f": {said}\nkept: " in out) is bool(status)
    assert ups.line("down", "--yes") == 0
    assert not google.gcloud.has_account("my-project")
