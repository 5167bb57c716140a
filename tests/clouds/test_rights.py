"""What the head of a cluster may do in an account: that and no more, action by action."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.test_cluster_files import CLUSTER, README, launcher

EC2, BUCKET = "arn:aws:ec2:*:*:", "arn:aws:s3:::CHANGE-ME-bucket"
STARTED = {"aws:RequestTag/ray-cluster-name": "evonas", "aws:RequestTag/project": "evonas"}
OWN = {"ec2:ResourceTag/ray-cluster-name": "evonas"}
AS_IT_STARTS = {"ec2:CreateAction": "RunInstances"}
PARTS = [f"{EC2}{part}/*" for part in ("network-interface", "security-group", "spot-instances-request", "subnet")]
MAY: dict[str, list[tuple[str, dict[str, str]]]] = {
    "ec2:RunInstances": [
        (f"{EC2}instance/*", STARTED),
        *((part, {}) for part in ("arn:aws:ec2:*::image/*", f"{EC2}key-pair/evonas*", f"{EC2}volume/*", *PARTS)),
    ],
    "ec2:CreateTags": [
        (f"{EC2}instance/*", AS_IT_STARTS),
        (f"{EC2}volume/*", AS_IT_STARTS),
        (f"{EC2}instance/*", OWN),
    ],
    "ec2:TerminateInstances": [(f"{EC2}instance/*", OWN)],
    **{f"s3:{name}": [(BUCKET, {})] for name in ("ListBucket", "GetBucketLocation", "ListBucketMultipartUploads")},
    **{f"s3:{what}Object": [(f"{BUCKET}/*", {})] for what in ("Get", "Put", "Delete")},
    **{f"s3:{name}": [(f"{BUCKET}/*", {})] for name in ("AbortMultipartUpload", "ListMultipartUploadParts")},
}
"""Action of AWS -> where, and under which condition, beside those that only look."""
LOOKS = {
    *(f"ec2:Describe{what}" for what in ("Images", "Instances", "InstanceStatus", "InstanceTypes", "KeyPairs")),
    *(f"ec2:Describe{what}" for what in ("Regions", "SecurityGroups", "Subnets", "Tags")),
}
GOOGLE = {
    "acceleratorTypes": {"get"},
    "disks": {"create", "setLabels"},
    "images": {"useReadOnly"},
    "machineTypes": {"get"},
    "projects": {"get"},
    "subnetworks": {"use", "useExternalIp"},
    "zoneOperations": {"get"},
    "zones": {"get"},
    "instances": {"create", "delete", "get", "list", "setLabels", "setMetadata"},
}
"""What may be done with which kind of thing in Compute Engine, and in nothing else."""


def _words(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else value


def _allowed(policy: Any) -> dict[str, list[tuple[str, dict[str, str]]]]:
    """Each action with each resource and condition."""
    found: dict[str, list[tuple[str, dict[str, str]]]] = {}
    for statement in policy["Statement"]:
        assert statement.keys() <= {"Sid", "Effect", "Action", "Resource", "Condition"}  # no NotAction, NotResource
        assert statement["Effect"] == "Allow"
        conditions = statement.get("Condition", {"StringEquals": {}})
        assert [*conditions] == ["StringEquals"]
        for action in _words(statement["Action"]):
            found.setdefault(action, []).extend((r, conditions["StringEquals"]) for r in _words(statement["Resource"]))
    return found


def _faults(policy: Any) -> list[str]:
    expected = {**{action: [("*", {})] for action in LOOKS}, **MAY}
    found = _allowed(policy)
    return [
        action
        for action in sorted({*found, *expected})
        if sorted(map(repr, found.get(action, []))) != sorted(map(repr, expected.get(action, [])))
    ]


def _aws() -> Any:
    return json.loads((CLUSTER / "aws-policy.json").read_text())


def _google() -> list[str]:
    role = yaml.safe_load((CLUSTER / "gcp-role.yaml").read_text())
    assert role.keys() == {"title", "description", "stage", "includedPermissions"}
    permissions: list[str] = role["includedPermissions"]
    return permissions


def test_the_head_on_aws_may_do_what_is_listed_here_and_nothing_else() -> None:
    assert _faults(_aws()) == []


@pytest.mark.parametrize(
    ("sid", "change", "seen"),
    [
        ("Looks", {"Action": ["ec2:*"]}, "ec2:*"),
        ("UsesTheBucket", {"Action": "s3:*", "Resource": "*"}, "s3:*"),
        ("UsesTheBucket", {"Resource": "arn:aws:s3:::*"}, "s3:GetObject"),
        ("StartsMachinesOfThisClusterAlone", {"Condition": {"StringEquals": {}}}, "ec2:RunInstances"),
        ("EndsAndMarksItsOwn", {"Condition": {"StringEquals": {}}}, "ec2:TerminateInstances"),
        ("TagsWhatItStarts", {"Action": ["ec2:CreateTags", "iam:PassRole"]}, "iam:PassRole"),
    ],
)
def test_a_right_more_is_seen(sid: str, change: dict[str, Any], seen: str) -> None:
    policy = _aws()
    next(part for part in policy["Statement"] if part["Sid"] == sid).update(change)
    assert seen in _faults(policy)


def test_the_head_on_google_may_do_what_is_listed_here_and_nothing_else() -> None:
    """`iam.serviceAccounts.actAs` would start machines as any account of the project."""
    expected = {f"compute.{kind}.{action}" for kind, actions in GOOGLE.items() for action in actions}
    assert sorted(_google()) == sorted(expected)


@pytest.mark.parametrize("text", [README, (CLUSTER / "gcp-role.yaml").read_text()])
def test_what_googles_role_cannot_be_held_to_is_said(text: str) -> None:
    said = " ".join(text.replace("\n#", "").split())
    assert "may delete any machine of the project" in said
    assert "a project of its own" in said


@pytest.mark.parametrize(
    ("module", "name"),
    [("_private.commands", '"ray-{}-head".format'), ("v2.instance_manager.node_provider", '"ray-{}-worker".format')],
)
def test_the_condition_that_narrows_it_knows_how_ray_names_machines(module: str, name: str) -> None:
    """By Ray's source: its code for Google imports Google's client. What it sets in front is what names begin with."""
    prefix = README.partition('resource.name.extract("/instances/{name}").startsWith("')[2].partition('"')[0]
    assert prefix == f"ray-{launcher('gcp.yaml')['cluster_name']}-"
    assert name in _source(f"ray.autoscaler.{module}")
    assert 'return f"{name_label}-' in _source("ray.autoscaler._private.gcp.node")


def _source(module: str) -> str:
    found = find_spec(module)
    assert found is not None
    return Path(str(found.origin)).read_text()
