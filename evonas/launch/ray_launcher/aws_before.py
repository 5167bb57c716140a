"""What `up` asks of AWS, and what has to be so before it makes anything there."""

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evonas.clusters.aws.asking import Silent
from evonas.clusters.aws.bucket import region_of
from evonas.clusters.aws.clients import client as boto3_client
from evonas.clusters.aws.ending import machines_anywhere
from evonas.clusters.aws.role import buckets
from evonas.clusters.refusal import refusals
from evonas.errors import UserError
from evonas.launch.costs.traffic import traffic_note
from evonas.launch.order import Order


def check_role(
    client: Callable[[str, str], Any], region: str, bucket: str, is_said: bool, anyway: bool = False
) -> None:
    """Lets no `up` take the bucket from a search, one that runs or is to go on: an account has the role once.

    Args:
        client: makes a client of boto3 from a service and a region.
        region: of the launch file.
        bucket: that the role is about to be for.
        is_said: whether an option, the state or the launch file says it, and it is not the usual one.
        anyway: take it although a head may use it in a region that does not answer.

    Raises:
        UserError: Machines are there, or may be, whose head may use another bucket, or the role is still there for
            one, and nothing says that another is meant.
    """
    silent: Silent = {}
    used = [name for name in buckets(client("iam", region)) if name != bucket]
    if used and (there := machines_anywhere(client, region, silent=silent)):
        raise UserError(
            f"{there[0]} is of a cluster whose head may use bucket {used[0]} by the role evonas-head, which this "
            f"account has once: --bucket {used[0]}, or take that cluster down first"
        )
    if silent and not anyway:
        raise UserError(
            f"role evonas-head, which this account has once, is for bucket {used[0]}, and whether a head uses it in "
            f"{', '.join(sorted(silent))} nobody has answered ({min(silent.values())}): --bucket {used[0]}, or "
            f"--anyway takes it"
        )
    if used and not is_said:
        raise UserError(
            f"nothing here says which bucket is meant, and role evonas-head is still there for bucket {used[0]}: "
            f"--bucket {used[0]} goes on with the runs in it, --bucket {bucket} begins anew"
        )


def traffic(s3: Any, bucket: str, region: str) -> list[str]:
    """A line where a bucket is in another region than the machines; where it does not answer, `prepare` says it."""
    try:
        with refusals():
            there = region_of(s3, bucket)
    except UserError:
        return []
    return traffic_note(bucket, there, region)


def missing_credentials() -> list[str]:
    """The parts of AWS's credentials that are not there, a line each."""
    unset = [name for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") if not os.environ.get(name)]
    if len(unset) == 1:
        return [f"{unset[0]}: is not set, and the other half of the key is"]
    try:
        boto3_client("sts", "us-east-1")
    except UserError:
        return [f"{name}: is not set, and there is no profile of `aws configure`" for name in unset]
    return []


def asks(order: Order, region: str, bucket_name: str, copy: Path) -> list[str]:
    """What `prepare` and `start` ask of AWS, a line each."""
    file = shlex.quote(str(copy))
    return [
        "STS: whose account it is",
        f"S3: bucket {bucket_name} in {region}: is it there and yours, else it is made",
        f"IAM: role and instance profile evonas-head, which may do what {order.folder}/aws-policy.json says",
        *([] if order.value("ami") else [f"EC2: the newest machine image with NVIDIA's driver in {region}"]),
        f"EC2: security group evonas: SSH from {order.address or 'this machine as it is seen'}, all between machines",
        "Service Quotas: virtual CPUs of the machines with a GPU that the search asks for",
        "EC2, as a dry run: may these credentials start machines and make a key pair",
        f"EC2, by `ray up -y {file}`: key pair evonas (~/.ssh/evonas.pem), the head and what is there from the start",
        "EC2, by the head: spot machines while the search asks for them",
    ]
