"""The head's role: it starts and ends machines of its cluster and uses one bucket, and nothing else."""

import json
from typing import Any

from evonas.clusters.aws.clients import code

NAME = "evonas-head"
_S3 = "arn:aws:s3:::"
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}


def instance_profile(iam: Any, policy: str) -> str:
    """The role and the instance profile `evonas-head`, found or made, with this policy and no other.

    Args:
        iam: boto3's client.
        policy: the filled in text of `cluster/aws-policy.json`.

    Returns:
        The name of the instance profile.
    """
    json.loads(policy)
    _unless(
        "EntityAlreadyExists",
        iam.create_role,
        RoleName=NAME,
        AssumeRolePolicyDocument=json.dumps(_TRUST),
        Tags=[{"Key": "project", "Value": "evonas"}],
    )
    iam.put_role_policy(RoleName=NAME, PolicyName=NAME, PolicyDocument=policy)
    _unless("EntityAlreadyExists", iam.create_instance_profile, InstanceProfileName=NAME)
    _unless("LimitExceeded", iam.add_role_to_instance_profile, InstanceProfileName=NAME, RoleName=NAME)
    # An account that never had a spot machine lacks the role of the spot service, and the head may not make it. Where
    # it is there, IAM says InvalidInput; where this user may not make it, as a rule it is there.
    there = ("InvalidInput", "EntityAlreadyExists", "AccessDenied")
    _unless(there, iam.create_service_linked_role, AWSServiceName="spot.amazonaws.com")
    return NAME


def remove_profile(iam: Any) -> None:
    """Takes role and instance profile away; those that are not there are."""
    _unless("NoSuchEntity", iam.remove_role_from_instance_profile, InstanceProfileName=NAME, RoleName=NAME)
    _unless("NoSuchEntity", iam.delete_instance_profile, InstanceProfileName=NAME)
    _unless("NoSuchEntity", iam.delete_role_policy, RoleName=NAME, PolicyName=NAME)
    _unless("NoSuchEntity", iam.delete_role, RoleName=NAME)


def buckets(iam: Any) -> list[str]:
    """The buckets that the role may use; none where it is not there."""
    try:
        policy = iam.get_role_policy(RoleName=NAME, PolicyName=NAME)["PolicyDocument"]
    except Exception as error:
        if code(error) != "NoSuchEntity":
            raise
        return []
    where = [part.get("Resource", "") for part in policy["Statement"]]
    return sorted({str(arn).removeprefix(_S3).partition("/")[0] for arn in where if str(arn).startswith(_S3)})


def has_role(iam: Any) -> bool:
    """Whether the role is there."""
    return _unless("NoSuchEntity", iam.get_role, RoleName=NAME)


def _unless(expected: str | tuple[str, ...], call: Any, **words: Any) -> bool:
    """Calls it; whether it did not end with an error that is expected."""
    try:
        call(**words)
    except Exception as error:
        if code(error) not in ((expected,) if isinstance(expected, str) else expected):
            raise
        return False
    return True
