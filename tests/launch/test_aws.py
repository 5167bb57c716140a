"""`evonas cluster` on a simulated AWS, with the machines started by Ray's own code: what it leaves is counted."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import moto
import pytest
import yaml
from botocore.exceptions import ClientError
from moto.core import set_initial_no_auth_action_count
from ray.autoscaler._private.aws.config import bootstrap_aws
from ray.autoscaler._private.aws.node_provider import AWSNodeProvider
from ray.autoscaler._private.util import prepare_config

from evonas.clusters.aws.bucket import bucket
from evonas.clusters.aws.clients import client
from evonas.clusters.aws.permissions import refused
from evonas.errors import Halted, UserError
from evonas.launch.down import down
from evonas.launch.order import Order
from evonas.launch.ray_launcher import aws
from evonas.launch.ray_launcher.aws import Aws
from evonas.launch.state import read
from evonas.launch.status import status
from evonas.launch.up import up
from tests.clouds.test_aws import REGION, _launch, _tags
from tests.launch.stand_ins import stand_in, user  # noqa: F401 - a fixture

FOLDER = Path("cluster-aws")
Clients = Callable[[str, str], Any]
PARTS = ("key", "head", "worker")
"""Of what `ray up` and then the head do, in this order."""


@pytest.fixture
def clients(user: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:  # noqa: F811
    """Clients of a simulated account, each made once."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    stand_in(user, monkeypatch, ray="", ssh="", rsync="")
    with moto.mock_aws():
        yield cache(client)


def _order(config: str | None = None, **given: str) -> Order:
    """As a new line makes it; the simulated region has other machine images than a real one."""
    given = {"image": "me/evonas:9", "ami": "ami-03cf127a", **given}
    return Order("aws", "evonas cluster up aws", FOLDER, read(FOLDER), given, config, address="198.51.100.7/32")


def launcher(until: str, how: BaseException | None) -> Callable[..., None]:
    """`ray up` by its own code, as far as it comes."""

    def run(*words: str) -> None:
        assert words[:3] == ("ray", "up", "-y")
        config = bootstrap_aws(prepare_config(yaml.safe_load(Path(words[3]).read_text())))
        provider = AWSNodeProvider(config["provider"], config["cluster_name"])
        head = dict(config["available_node_types"]["head"]["node_config"])
        parts = {
            "head": lambda: provider.create_node(head, {"ray-node-type": "head", "ray-node-name": "head"}, 1),
            "worker": lambda: _launch(provider, config, {"spot_l4": 2}),
        }
        for part in PARTS[1 : PARTS.index(until) + 1]:
            parts[part]()
        if how:
            raise how

    return run


def counted(clients: Clients) -> dict[str, int]:
    """How much there is of what costs or lets somebody in."""
    ec2, iam = clients("ec2", REGION), clients("iam", REGION)
    found = [m for some in ec2.describe_instances()["Reservations"] for m in some["Instances"]]
    return {
        "instances": len([m for m in found if m["State"]["Name"] != "terminated"]),
        "keys": len(ec2.describe_key_pairs()["KeyPairs"]),
        "private keys": len([*(Path.home() / ".ssh").iterdir()]),
        "groups": len(ec2.describe_security_groups()["SecurityGroups"]),
        "volumes": len(ec2.describe_volumes()["Volumes"]),
        "roles": len([r for r in iam.list_roles()["Roles"] if "aws-service-role" not in r["Path"]]),
        "profiles": len(iam.list_instance_profiles()["InstanceProfiles"]),
    }


def _up_and_down(clients: Clients, until: str, how: BaseException | None, capsys: Any, monkeypatch: Any) -> int:
    """Up until something happens, and down; the exit status of up."""
    # All regions are asked in tests/clouds/test_aws.py, which takes a while.
    monkeypatch.setattr(aws.ending, "regions_of", lambda _: [REGION])
    clients("ec2", REGION).create_key_pair(KeyName="ray-autoscaler_us-west-2")
    before = counted(clients)
    order = _order()
    ended = 1
    with suppress(Halted):
        ended = up(order, Aws(order, clients, launcher(until, how)), sure=True)
    clients("ec2", REGION).create_volume(
        AvailabilityZone=f"{REGION}a", Size=1, TagSpecifications=_tags("volume", "evonas")
    )
    between = counted(clients)
    assert all(between[name] > before[name] for name in ("keys", "private keys", "groups", "volumes", "roles"))
    order = _order()
    for _ in range(2):
        assert down(order, Aws(order, clients), sure=True) == 0
        assert counted(clients) == before
    out, err = capsys.readouterr()
    assert "nothing is left" in out
    assert "evonas cluster down aws" in out + err
    assert "kept: bucket evonas-123456789012-us-west-2" in out
    return ended


def test_down_leaves_nothing_of_an_up_that_was_interrupted(
    clients: Clients, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _up_and_down(clients, "key", KeyboardInterrupt(), capsys, monkeypatch) == 130


@pytest.mark.slow
@pytest.mark.parametrize(
    ("until", "how", "ended"),
    [("head", KeyboardInterrupt(), 130), ("head", Halted("ray up ended"), 1), ("worker", None, 0)],
)
def test_down_leaves_nothing(
    clients: Clients,
    until: str,
    how: BaseException | None,
    ended: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert _up_and_down(clients, until, how, capsys, monkeypatch) == ended


@pytest.mark.slow
@pytest.mark.parametrize("action", ["CreateSecurityGroup", "CreateInstanceProfile", "DescribeInstanceTypes"])
def test_down_leaves_nothing_of_an_account_that_was_half_ready(
    clients: Clients, action: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws.ending, "regions_of", lambda _: [REGION])
    before, order = counted(clients), _order()

    def stop(model: Any, **_: Any) -> None:
        if model.name == action:
            raise KeyboardInterrupt

    for service in ("ec2", "iam"):
        clients(service, REGION).meta.events.register("before-call", stop)
    assert up(order, Aws(order, clients), sure=True) == 130
    for service in ("ec2", "iam"):
        clients(service, REGION).meta.events.unregister("before-call", stop)
    assert counted(clients) != before
    order = _order()
    assert down(order, Aws(order, clients), sure=True) == 0
    assert counted(clients) == before


@pytest.mark.slow
def test_the_same_line_goes_on_and_says_what_runs(clients: Clients, capsys: pytest.CaptureFixture[str]) -> None:
    order = _order()
    up(order, Aws(order, clients, launcher("head", KeyboardInterrupt())), sure=True)
    assert not read(FOLDER).started
    capsys.readouterr()
    started, order = list[tuple[str, ...]](), _order()
    assert status(order, Aws(order, clients)) == 0
    out = capsys.readouterr().out
    assert "1 x m7i.xlarge\n$0.24 an hour, $0.00 since these were started, with disks\n" in out
    assert "/run: " not in out  # there was no CONFIG, so there is no run
    assert up(order, Aws(order, clients, lambda *words: started.append(words)), sure=True) == 0
    assert len(started) == 1
    order = _order()
    assert up(order, Aws(order, clients, lambda *words: started.append(words))) == 0  # `started`: nothing is asked
    assert len(started) == 1  # `ray up` would start Ray anew under the search
    copy = FOLDER / "my-aws.yaml"
    copy.write_text(copy.read_text() + "# mine\n")
    order = _order()
    up(order, Aws(order, clients, lambda *words: started.append(words)))
    assert copy.read_text().endswith("# mine\n")
    assert "was changed by hand and is taken as it is" in capsys.readouterr().out


@pytest.mark.slow
def test_a_bucket_is_made_where_there_is_none(clients: Clients) -> None:
    s3 = clients("s3", REGION)
    assert bucket(s3, "mine", "123456789012", REGION)
    assert not bucket(s3, "mine", "123456789012", REGION)


def test_somebody_elses_bucket_is_not_used() -> None:
    """moto has no other owners."""

    def head(Bucket: str, ExpectedBucketOwner: str) -> None:  # noqa: N803 - AWS's words
        if ExpectedBucketOwner != "2":
            raise ClientError({"Error": {"Code": "403"}}, "HeadBucket")

    s3 = SimpleNamespace(head_bucket=head)
    assert not bucket(s3, "mine", "2", REGION)
    with pytest.raises(UserError, match="bucket mine is not yours"):
        bucket(s3, "mine", "1", REGION)


@pytest.mark.slow
def test_what_credentials_may_not_do_is_said_before_the_head_costs(clients: Clients, capsys: Any) -> None:
    order = _order()
    up(order, Aws(order, clients, lambda *_: None), sure=True)
    config = yaml.safe_load((FOLDER / "my-aws.yaml").read_text())
    iam = clients("iam", REGION)
    iam.create_user(UserName="me")
    allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:Create*", "Resource": "*"}]}
    iam.put_user_policy(UserName="me", PolicyName="me", PolicyDocument=json.dumps(allowed))
    key = iam.create_access_key(UserName="me")["AccessKey"]
    ec2 = boto3.client(
        "ec2", REGION, aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"]
    )
    assert refused(clients("ec2", REGION), config) == []
    checked = set_initial_no_auth_action_count(0)(lambda: refused(ec2, config))
    assert checked() == ["ec2:RunInstances: these credentials may not"]
