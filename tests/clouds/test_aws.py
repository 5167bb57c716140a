"""What a cluster needs of an account of AWS, made and taken away on a simulated one, and machines by Ray's own code."""

import json
import logging
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import moto
import pytest
import yaml
from botocore.exceptions import ClientError
from moto.core import set_initial_no_auth_action_count
from ray.autoscaler._private.aws.config import bootstrap_aws
from ray.autoscaler._private.aws.node_provider import AWSNodeProvider
from ray.autoscaler._private.util import prepare_config
from ray.autoscaler.v2.instance_manager.node_provider import NodeProviderAdapter

from evonas.clusters.aws import ending, network
from evonas.clusters.aws.clients import client
from evonas.clusters.aws.images import NAMES, newest_image
from evonas.clusters.aws.prepare import prepare
from evonas.clusters.aws.quotas import NAMES as VCPUS
from evonas.clusters.aws.quotas import ON_DEMAND, SPOT, quotas
from evonas.clusters.aws.running import running
from evonas.clusters.needed import Need, needed
from evonas.clusters.running import GROUP
from evonas.clusters.template import fill
from evonas.errors import UserError
from evonas.launch.costs import bill
from evonas.prices import Prices
from tests.clouds.test_plans import autoscaling
from tests.clouds.test_template import script
from tests.test_cluster_files import CLUSTER, launcher

HERE, THERE = "198.51.100.7/32", "203.0.113.9/32"
REGION = "us-west-2"


@pytest.fixture
def clients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Any]]:
    """Clients of a simulated account, each made once, and a home of their own for keys."""
    for name, value in {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / ".ssh").mkdir()
    (tmp_path / "cluster").mkdir()
    for name in ("aws.yaml", "aws-policy.json"):
        (tmp_path / "cluster" / name).write_text((CLUSTER / name).read_text())
    with moto.mock_aws():
        yield cache(client)


def _prepared(clients: Callable[[str, str], Any], folder: Path) -> Any:
    """As README.md does it; the simulated region has other images than a real one."""
    given = {"image": "NAME/evonas:0.1.0", "bucket": "my-bucket", "ami": "ami-03cf127a"}
    return prepare(clients, folder / "cluster/aws.yaml", folder / "cluster/aws-policy.json", given, HERE)


def test_an_account_is_made_ready_twice_and_left_as_it_was(clients: Callable[[str, str], Any], tmp_path: Path) -> None:
    ec2, iam = clients("ec2", REGION), clients("iam", REGION)
    first = _prepared(clients, tmp_path)
    assert _prepared(clients, tmp_path) == first
    assert "CHANGE-ME" not in first.copy.read_text()
    (profile,) = iam.list_instance_profiles()["InstanceProfiles"]
    assert (profile["InstanceProfileName"], [r["RoleName"] for r in profile["Roles"]]) == (
        "evonas-head",
        ["evonas-head"],
    )
    assert iam.list_attached_role_policies(RoleName="evonas-head")["AttachedPolicies"] == []
    policy = iam.get_role_policy(RoleName="evonas-head", PolicyName="evonas-head")["PolicyDocument"]
    assert policy["Statement"][-1]["Resource"] == "arn:aws:s3:::my-bucket/*"
    group = first.values["group"]
    assert _ssh_from(ec2, group) == [HERE]
    assert network.admit(ec2, group, THERE) == [HERE]
    assert network.admit(ec2, group, THERE) == []
    assert _ssh_from(ec2, group) == [THERE]
    ec2.describe_regions = lambda: {"Regions": [{"RegionName": REGION}]}
    halves = dict[str, str]()
    for name in ("evonas", "evonas_key-1", "ray-autoscaler_us-west-2"):  # the first one is a colleague's
        halves[name] = ec2.create_key_pair(KeyName=name)["KeyMaterial"]
    mine = tmp_path / ".ssh" / "evonas_key-1.pem"
    mine.write_text(halves[mine.stem])
    mine.chmod(0o600)
    ec2.create_volume(AvailabilityZone="us-west-2a", Size=1, TagSpecifications=_tags("volume", "evonas"))
    ec2.create_volume(AvailabilityZone="us-west-2a", Size=1, TagSpecifications=_tags("volume", "another"))
    ec2.run_instances(
        ImageId=first.values["ami"], MinCount=1, MaxCount=1, TagSpecifications=_tags("instance", "evonas")
    )
    assert [line.split(" ")[0] for line in ending.left(clients, REGION, regions=[REGION])] == (
        ["machine", "disk", "security", "key", "role"]
    )
    ending.take_down(clients, REGION)
    assert ending.left(clients, REGION, regions=[REGION]) == []
    assert {p["KeyName"] for p in ec2.describe_key_pairs()["KeyPairs"]} == {"evonas", "ray-autoscaler_us-west-2"}
    assert [v["Tags"][0]["Value"] for v in ec2.describe_volumes()["Volumes"] if v.get("Tags")] == ["another"]
    assert list((tmp_path / ".ssh").iterdir()) == []
    ending.take_down(clients, REGION)


def test_a_group_is_deleted_when_no_machine_in_it_shuts_down_any_more(
    clients: Callable[[str, str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As EC2 does it, and moto does not: a machine that is ended takes its time, and its group is in use so long."""
    ec2, ending_now = clients("ec2", REGION), list[str]()
    ec2.describe_regions = lambda: {"Regions": [{"RegionName": REGION}]}
    image = _prepared(clients, tmp_path).values["ami"]
    ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, TagSpecifications=_tags("instance", "evonas"))
    ended, deleted, waited = ec2.terminate_instances, ec2.delete_security_group, list[str]()

    def wait(InstanceIds: list[str]) -> None:  # noqa: N803 - AWS's words
        assert set(InstanceIds) == set(ending_now)
        ended(InstanceIds=InstanceIds)
        ending_now.clear()

    def delete(GroupId: str) -> Any:  # noqa: N803 - AWS's words
        if ending_now:
            raise ClientError({"Error": {"Code": "DependencyViolation"}}, "DeleteSecurityGroup")
        return deleted(GroupId=GroupId)

    def end(InstanceIds: list[str]) -> None:  # noqa: N803 - AWS's words
        ending_now.extend(InstanceIds)

    def waiter(name: str) -> Any:
        waited.append(name)
        return SimpleNamespace(wait=wait)

    monkeypatch.setattr(ec2, "terminate_instances", end)
    monkeypatch.setattr(ec2, "delete_security_group", delete)
    monkeypatch.setattr(ec2, "get_waiter", waiter)
    ending.take_down(clients, REGION)
    assert waited == ["instance_terminated"]
    assert ending.left(clients, REGION, regions=[REGION]) == []


def test_a_price_can_be_of_a_group() -> None:
    tags = [{"Key": GROUP, "Value": "mine"}]
    machine = {"InstanceType": "x9", "InstanceLifecycle": "spot", "LaunchTime": None, "Tags": tags}
    pages = SimpleNamespace(paginate=lambda **_: [{"Reservations": [{"Instances": [machine]}]}])
    found = running(lambda *_: SimpleNamespace(get_paginator=lambda _: pages), REGION)
    assert bill.lines(found, Prices({"mine": 2.0})) == ["1 x x9.spot", "$2.00 an hour, without disks"]


def _ssh_from(ec2: Any, group: str) -> list[str]:
    rules = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    return [entry["CidrIp"] for rule in rules if rule.get("FromPort") == 22 for entry in rule["IpRanges"]]


def _tags(kind: str, cluster: str) -> list[Any]:
    return [{"ResourceType": kind, "Tags": [{"Key": "ray-cluster-name", "Value": cluster}]}]


def _told(answers: dict[str, float]) -> Any:
    """`service-quotas`, of which moto knows those of networks alone."""

    class Refused(Exception):
        response: ClassVar = {"Error": {"Code": "NoSuchResourceException"}}

    def get(ServiceCode: str, QuotaCode: str) -> Any:  # noqa: N803 - AWS's words
        if QuotaCode not in answers:
            raise Refused
        return {"Quota": {"Value": answers[QuotaCode]}}

    return SimpleNamespace(get_service_quota=get)


def _machines() -> Any:
    """Sizes of the machines of aws.yaml, as EC2 says them."""
    cpus = {"m7i.xlarge": 4, "g6.xlarge": 4, "g5.xlarge": 4, "g6e.4xlarge": 16}

    def describe(InstanceTypes: list[str]) -> Any:  # noqa: N803 - AWS's words
        kinds = [{"InstanceType": name, "VCpuInfo": {"DefaultVCpus": cpus[name]}} for name in InstanceTypes]
        return {
            "InstanceTypes": [
                k | ({"GpuInfo": {"Gpus": [{}]}} if name[0] == "g" else {})
                for k, name in zip(kinds, InstanceTypes, strict=True)
            ]
        }

    return SimpleNamespace(describe_instance_types=describe)


@pytest.mark.parametrize(
    ("granted", "marks"),
    [
        ({ON_DEMAND: 8.0, SPOT: 64.0}, "✓✓"),
        ({ON_DEMAND: 4.0, SPOT: 0.0}, "·✗"),  # a new account
        ({SPOT: 32.0}, "··"),
    ],
)
def test_an_account_that_may_have_no_gpu_is_told_before_the_head_costs(granted: dict[str, float], marks: str) -> None:
    lines = [quota.line() for quota in quotas(_told(granted), _machines(), launcher("aws.yaml"), REGION)]
    assert "".join(line[0] for line in lines) == marks
    assert "8 are wanted" in lines[0]
    assert "64 are wanted" in lines[1]
    if marks == "·✗":
        assert f"--region {REGION} --quota-code {SPOT} --desired-value 64" in lines[1]


@pytest.mark.parametrize(
    ("spot", "more", "status"), [(64.0, [], 0), (8.0, [], 0), (0.0, [], 2), (0.0, ["--anyway"], 0)]
)
def test_prepare_says_the_quotas_and_goes_no_further_where_no_machine_would_come(
    clients: Callable[[str, str], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    spot: float,
    more: list[str],
    status: int,
) -> None:
    told, cloud = _told({ON_DEMAND: 8.0, SPOT: spot}), script("cloud")
    monkeypatch.setattr(cloud, "HERE", tmp_path / "cluster")
    monkeypatch.setattr(cloud, "client", lambda name, *r: told if name == "service-quotas" else clients(name, *r))
    line = [
        "aws",
        "prepare",
        "image=NAME/evonas:0.1.0",
        "bucket=b-1",
        "ami=ami-03cf127a",
        "--address",
        "1.2.3.4",
        *more,
    ]
    monkeypatch.setattr("sys.argv", ["cloud.py", *line])
    assert cloud.main() == status
    out, err = capsys.readouterr()
    assert [words[2:].partition(":")[0] for words in out.splitlines()[:2]] == [VCPUS[ON_DEMAND], VCPUS[SPOT]]
    assert out.splitlines()[1][0] == {64.0: "✓", 8.0: "·", 0.0: "✗"}[spot]
    assert (f"ray up -y {tmp_path}" in out) == (status == 0)
    assert ("would never come" in err) == (status != 0)


@pytest.mark.parametrize(
    ("need", "wanted"),
    [
        (Need(16, 4, 1, frozenset()), {SPOT: 64}),
        (Need(3, 4, 1, frozenset()), {SPOT: 12}),
        (Need(3, 4, 1, frozenset({"latency_l4"})), {ON_DEMAND: 8, SPOT: 12}),
        (Need(16, 1, 0.25, frozenset()), {SPOT: 16}),  # four on each of four
        (Need(3, 8, 1, frozenset()), {SPOT: 48}),  # no other machine has eight cores
    ],
)
def test_quotas_are_of_what_the_search_asks_for(need: Need, wanted: dict[str, int]) -> None:
    found = quotas(_told({}), _machines(), needed(launcher("aws.yaml"), need), REGION)
    assert {quota.name: quota.wanted for quota in found} == {VCPUS[name]: count for name, count in wanted.items()}


def test_the_newest_machine_image_is_taken() -> None:
    images = [{"ImageId": "ami-2", "CreationDate": "2026-10"}, {"ImageId": "ami-1", "CreationDate": "2026-09"}]
    asked = []

    def describe(**words: Any) -> Any:
        asked.append(words)
        return {"Images": images}

    ec2 = SimpleNamespace(describe_images=describe, meta=SimpleNamespace(region_name="us-gone-1"))
    assert newest_image(ec2) == "ami-2"
    assert asked == [{"Owners": ["amazon"], "Filters": [{"Name": "name", "Values": [NAMES]}]}]
    images.clear()
    with pytest.raises(UserError, match="us-gone-1; give one: --ami ami-"):
        newest_image(ec2)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["aws", "prepare", "image=a", "--address", "1.2.3.4"], "aws prepare: also wanted: bucket=..."),
        (["aws", "prepare", "imgae=a", "bucket=mine", "--address", "1.2.3.4"], "did you mean 'image'?"),
        (["aws", "prepare", "image=a", "bucket=mine", "--address", "1.2.3.4"], "no credentials of AWS"),
        (["aws", "prepare", "image=a", "bucket=mine", "--address", "0.0.0.0/0"], "it is one address, 203.0.113.7"),
        (["aws", "admit", "--address", "1.2.3.4"], "my-aws.yaml: README.md has the line that writes it"),
        (["gcp", "down"], "my-gcp.yaml: README.md has the line that writes it"),
        (["gcp", "quotas"], "google-api-python-client is missing: pip install"),
    ],
)
def test_what_is_missing_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    expected: str,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    cloud = script("cloud")
    for name in ("aws.yaml", "aws-policy.json", "gcp.yaml"):
        (tmp_path / name).write_text((CLUSTER / name).read_text())
    if words == ["gcp", "quotas"]:
        (tmp_path / "my-gcp.yaml").write_text((CLUSTER / "gcp.yaml").read_text())
    monkeypatch.setattr(cloud, "HERE", tmp_path)
    monkeypatch.setattr("sys.argv", ["cloud.py", *words])
    assert cloud.main() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line


@pytest.mark.slow
def test_machines_come_and_go_through_the_autoscaler_of_ray_up(
    clients: Callable[[str, str], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Up, twice, with Down between: no key is left over, what the head's role may do is enough, and nothing stays."""
    caplog.set_level(logging.ERROR)
    for _ in range(2):
        copy = _prepared(clients, tmp_path).copy
        config = bootstrap_aws(prepare_config(yaml.safe_load(copy.read_text())))
        assert config["auth"]["ssh_private_key"] == str(tmp_path / ".ssh" / "evonas.pem")
        provider = AWSNodeProvider(config["provider"], config["cluster_name"])
        types = config["available_node_types"]
        head = types["head"]["node_config"]
        provider.create_node(dict(head), {"ray-node-type": "head", "ray-node-name": "head"}, 1)
        launched = _launch(provider, config, {"spot_l4": 1, "spot_a10g": 1, "measure_l4": 1})
        assert sorted(launched) == ["measure_l4", "spot_a10g", "spot_l4"]
        found = _instances(clients)
        assert sorted((_type(m), m["InstanceType"], m.get("InstanceLifecycle", "on demand")) for m in found) == [
            ("", "m7i.xlarge", "on demand"),  # the head
            ("measure_l4", "g6.xlarge", "on demand"),
            ("spot_a10g", "g5.xlarge", "spot"),
            ("spot_l4", "g6.xlarge", "spot"),
        ]
        assert {m["KeyName"] for m in found} == {"evonas"}
        assert all({"Key": "project", "Value": "evonas"} in m["Tags"] for m in found)
        assert [_type(m) for m in found if m.get("IamInstanceProfile")] == [""]
        ending.take_down(clients, REGION)
        assert ending.left(clients, REGION, regions=[REGION]) == []
        assert list((tmp_path / ".ssh").iterdir()) == []
    assert ending.left(clients, REGION) == []  # in all regions


def _launch(provider: Any, config: Any, shape: dict[str, int]) -> list[str]:
    """The types of the workers that run then, by the code that the head runs."""
    read = SimpleNamespace(get_cached_autoscaling_config=lambda: autoscaling(config))
    adapter = NodeProviderAdapter(provider, read)
    adapter.launch(shape, "request")
    adapter._main_executor.shutdown()
    adapter._node_launcher_executors.shutdown()
    assert [str(error.__cause__) for error in adapter.poll_errors()] == []
    return [node.node_type for node in adapter.get_non_terminated().values() if node.node_type]


def _instances(clients: Callable[[str, str], Any]) -> list[Any]:
    found = clients("ec2", REGION).describe_instances()["Reservations"]
    machines = [machine for some in found for machine in some["Instances"]]
    return [machine for machine in machines if machine["State"]["Name"] != "terminated"]


def _type(machine: Any) -> str:
    tags = {tag["Key"]: str(tag["Value"]) for tag in machine["Tags"]}
    return tags.get("ray-user-node-type", "")


@pytest.mark.slow
@pytest.mark.parametrize("less", [None, "ec2:RunInstances", "ec2:TerminateInstances"])
def test_what_the_head_does_is_what_its_role_may_do(
    clients: Callable[[str, str], Any], tmp_path: Path, less: str | None
) -> None:
    """With the head's credentials, where actions are checked; moto looks at no resource and no condition."""
    config = bootstrap_aws(prepare_config(yaml.safe_load(_prepared(clients, tmp_path).copy.read_text())))
    iam, ec2 = clients("iam", REGION), clients("ec2", REGION)
    policy = (tmp_path / "cluster/aws-policy.json").read_text()
    allowed = json.loads(fill(policy.replace(less, "ec2:Nothing") if less else policy, {"bucket": "b"}))
    for statement in allowed["Statement"]:
        statement["Resource"] = "*"  # moto asks for all of them
    iam.create_user(UserName="head")
    iam.put_user_policy(UserName="head", PolicyName="head", PolicyDocument=json.dumps(allowed))
    key = iam.create_access_key(UserName="head")["AccessKey"]
    config["provider"]["aws_credentials"] = {
        "aws_access_key_id": key["AccessKeyId"],
        "aws_secret_access_key": key["SecretAccessKey"],
    }
    provider = AWSNodeProvider(config["provider"], config["cluster_name"])

    def works() -> None:
        assert _launch(provider, config, {"spot_l4": 1}) == ["spot_l4"]
        (node,) = provider.non_terminated_nodes({})
        provider.set_node_tags(node, {"ray-node-status": "up-to-date"})
        provider.terminate_nodes([node])

    checked = set_initial_no_auth_action_count(0)(works)
    if less:
        with pytest.raises((AssertionError, ClientError), match="not authorized"):
            checked()
        return
    checked()
    assert [m["State"]["Name"] for r in ec2.describe_instances()["Reservations"] for m in r["Instances"]] == [
        "terminated"
    ]
