"""Users of a shared account have clusters of one name: nobody takes or opens another's."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from evonas.clusters.aws.network import admitted, security_group
from evonas.clusters.aws.role import buckets, instance_profile
from evonas.clusters.shipped import shipped
from evonas.clusters.template import fill
from evonas.errors import UserError
from evonas.launch.down import down
from evonas.launch.places import in_each
from evonas.launch.ray_launcher import aws
from evonas.launch.ray_launcher.aws import Aws
from evonas.launch.state import change, read
from evonas.launch.status import status
from evonas.launch.up import up
from tests.clouds.test_aws import REGION, THERE, _tags
from tests.launch.stand_ins import user  # noqa: F401 - a fixture
from tests.launch.test_aws import FOLDER, _order, clients, counted  # noqa: F401 - a fixture

Clients = Callable[[str, str], Any]


@pytest.fixture
def others(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> Clients:  # noqa: F811
    """An account in which somebody else has a cluster."""
    monkeypatch.setattr(aws.ending, "regions_of", lambda _: [REGION])
    ec2 = clients("ec2", REGION)
    (Path.home() / "its.pem").write_text(ec2.create_key_pair(KeyName="evonas")["KeyMaterial"])
    (Path.home() / "its.pem").chmod(0o600)
    security_group(ec2, THERE)
    ec2.run_instances(ImageId="ami-03cf127a", MinCount=1, MaxCount=1, TagSpecifications=_tags("instance", "evonas"))
    return clients


def test_anothers_cluster_is_neither_taken_down_nor_taken_over(
    others: Clients, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = others("ec2", "eu-west-1").create_key_pair(KeyName="evonas")["KeyMaterial"]  # has the same name
    (Path.home() / ".ssh/evonas.pem").write_text(mine)
    (Path.home() / ".ssh/evonas.pem").chmod(0o600)
    before, order = counted(others), _order()
    for dry in (False, True):
        with pytest.raises(UserError, match=r"^machine i-\w+ in us-west-2: neither .* --anyway takes it down$"):
            down(order, Aws(order, others), sure=True, dry=dry)
    started = list[Any]()
    with pytest.raises(UserError, match=r"^machine i-\w+ in us-west-2 is of a cluster that neither"):
        up(order, Aws(order, others, lambda *words: started.append(words)), sure=True)
    assert status(order, Aws(order, others)) == 0
    out, err = capsys.readouterr()
    assert "To go on" not in err  # it would be refused again
    assert ("would stay: machine i-" in out, "would go" in out) == (True, False)
    assert "somebody else's: neither cluster-aws nor a key of this machine says that you started it" in out
    assert "to take it down: " not in out
    others("ec2", REGION).terminate_instances(
        InstanceIds=[aws.ending.machines(others("ec2", REGION))[0]]
    )  # the door is left, and opened for him alone
    with pytest.raises(UserError, match=r"which lets 203\.0\.113\.9/32 in"):
        up(order, Aws(order, others), sure=True)
    assert counted(others) == {**before, "instances": 0, "volumes": 0}
    group = aws.find_group(others("ec2", REGION))
    assert group
    assert admitted(others("ec2", REGION), group) == [THERE]
    assert started == []


def test_machines_with_anothers_key_pair_are_anothers_whatever_the_state_says(
    clients: Clients,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Folder and key pair are of a cluster whose machines have ended."""
    monkeypatch.setattr(aws.ending, "regions_of", lambda _: [REGION])
    ec2, order = clients("ec2", REGION), _order()
    pem = Path.home() / ".ssh/evonas.pem"
    pem.write_text(ec2.create_key_pair(KeyName="evonas")["KeyMaterial"])
    pem.chmod(0o600)
    ec2.create_key_pair(KeyName="evonas_key-1")  # as Ray names the next one
    tags = _tags("instance", "evonas")
    ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, TagSpecifications=tags, KeyName="evonas_key-1")
    for owned in ((f"123456789012/{REGION}",), ()):
        change(FOLDER, owns=owned, given={"region": REGION})
        with pytest.raises(UserError, match=r"^machine i-\w+ in us-west-2: neither .* --anyway takes it down$"):
            down(order, Aws(order, clients), sure=True)
        assert status(order, Aws(order, clients)) == 0
        assert "somebody else's: " in capsys.readouterr().out
    (Path.home() / ".ssh/evonas_key-1.pem").write_text(pem.read_text())  # which is no half of it
    assert not Aws(order, clients).is_own()
    pem.unlink()  # and which of the two was this user's, the folder alone knows
    change(FOLDER, owns=(f"123456789012/{REGION}",))
    assert Aws(order, clients).is_own()


@pytest.mark.parametrize(
    ("action", "owned"), [("s3.CreateBucket", False), ("iam.CreateRole", False), ("ec2.CreateSecurityGroup", True)]
)
def test_an_up_that_has_made_nothing_owns_nothing(
    action: str,
    owned: bool,
    clients: Clients,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(aws.ending, "regions_of", lambda _: [REGION])

    def denied(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, action)

    clients(action.split(".")[0], REGION).meta.events.register(f"before-call.{action}", denied)
    with pytest.raises(UserError, match="AccessDenied"):
        up(_order(), Aws(_order(), clients), sure=True)
    assert read(FOLDER).owns == (f"123456789012/{REGION}",) * owned  # by the role, which is made before the group


def test_down_asks_and_its_dry_run_touches_nothing(others: Clients, capsys: pytest.CaptureFixture[str]) -> None:
    (Path.home() / "its.pem").rename(Path.home() / ".ssh/evonas.pem")
    before, order = counted(others), _order()
    assert down(order, Aws(order, others), dry=True) == 0
    assert "would go: machine i-" in capsys.readouterr().out
    assert down(order, Aws(order, others), ask=lambda _: "n") == 0
    assert "nothing was taken down" in capsys.readouterr().out
    assert counted(others) == before
    assert not order.folder.exists()
    assert down(order, Aws(order, others), ask=lambda _: "y") == 0
    assert aws.ending.machines(others("ec2", REGION)) == []


def test_down_takes_all_regions_that_the_state_knows_and_names_the_line_for_others(
    clients: Clients,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    regions = [REGION, "eu-west-1", "eu-west-2"]
    for place in regions:
        tags, ec2 = _tags("instance", "evonas"), clients("ec2", place)
        ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, TagSpecifications=tags)
        ec2.describe_regions = lambda: {"Regions": [{"RegionName": region} for region in regions]}
    owns = tuple(f"123456789012/{region}" for region in regions[:2])
    change(FOLDER, owns=(*owns, "210987654321/eu-west-2"), given={"region": "eu-west-1"})
    order = _order()
    assert status(order, Aws(order, clients)) == 0
    out = capsys.readouterr().out
    assert "1 x m1.small in us-west-2\n" in out
    assert "a cluster in eu-west-2 of account 210987654321 may run: it was started from here" in out
    assert len(Aws(order, clients).left()) == 2
    assert down(order, Aws(order, clients), sure=True) == 1
    assert [len(aws.ending.machines(clients("ec2", region))) for region in regions] == [0, 0, 1]
    assert read(FOLDER).owns == ("210987654321/eu-west-2",)
    (line,) = [line for line in Aws(_order(), clients).kept() if line.startswith("machine ")]
    assert line.endswith(" here; if it is yours, it goes by evonas cluster down aws --region eu-west-2 --anyway")


@pytest.mark.slow
def test_an_account_has_its_role_once(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """Its head in another region would end no worker without it, and write no record in another bucket."""
    places, tags, ec2 = [REGION, "eu-west-1"], _tags("instance", "evonas"), clients("ec2", REGION)
    monkeypatch.setattr(aws.ending, "regions_of", lambda _: places)
    there = clients("ec2", "eu-west-1").run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, TagSpecifications=tags)
    iam = clients("iam", REGION)
    instance_profile(iam, fill(shipped("aws-policy.json"), {"bucket": "its"}))
    order = _order(bucket="mine")
    with pytest.raises(UserError, match=r"eu-west-1 is of a cluster whose head may use bucket its .*: --bucket its,"):
        up(order, Aws(order, clients), sure=True)
    order, ended = replace(_order(region=REGION), anyway=True), list[int]()
    ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, TagSpecifications=tags)

    def one_more(**_: Any) -> None:
        if not ended:  # as the head may have asked for one just before
            ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, TagSpecifications=tags)
        ended.append(1)

    ec2.meta.events.register("after-call.ec2.TerminateInstances", one_more)
    Aws(order, clients).down()
    assert (len(ended), aws.ending.machines(ec2), buckets(iam)) == (2, [], ["its"])
    clients("ec2", "eu-west-1").terminate_instances(InstanceIds=[there["Instances"][0]["InstanceId"]])
    Aws(order, clients).down()
    assert buckets(iam) == []


def test_a_place_that_fails_keeps_no_other_from_its_end() -> None:
    done = list[str]()

    def act(place: str) -> None:
        done.append(place)
        if place != "c":
            raise UserError("no")

    with pytest.raises(UserError, match=r"^a: no; b: no$"):
        in_each("abc", act)
    assert done == ["a", "b", "c"]


def test_up_closes_the_door_for_its_own_old_address_alone(others: Clients) -> None:
    ec2 = others("ec2", REGION)
    security_group(ec2, "192.0.2.1/32", gone=[])
    group = security_group(ec2, "192.0.2.2/32", gone=["192.0.2.1/32"])
    assert sorted(admitted(ec2, group)) == ["192.0.2.2/32", THERE]
