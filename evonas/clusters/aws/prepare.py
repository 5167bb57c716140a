"""All that `ray up` on AWS needs, found or made."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from evonas.clusters.aws.images import newest_image
from evonas.clusters.aws.network import security_group
from evonas.clusters.aws.quotas import quotas
from evonas.clusters.aws.role import instance_profile
from evonas.clusters.needed import Need, as_ray_reads, needed
from evonas.clusters.quota import Quota
from evonas.clusters.template import defaults, fill, own_copy, slots


@dataclass(frozen=True)
class Prepared:
    """What was found or made.

    Args:
        copy: the launch file with all values in it.
        values: what was filled in.
        quotas: what the account may have of what the file asks for.
    """

    copy: Path
    values: dict[str, str]
    quotas: list[Quota]


def prepare(
    client: Callable[[str, str], Any],
    template: Path,
    policy: Path,
    given: Mapping[str, str],
    address: str,
    replace: bool = False,
    keep: bool = False,
    gone: Collection[str] | None = None,
    need: Need | None = None,
) -> Prepared:
    """Makes group and role, looks the machine image up and writes the copy of the launch file. It can be done again.

    Args:
        client: makes a client of boto3 from a service and a region.
        template: `cluster/aws.yaml`.
        policy: `cluster/aws-policy.json`, with a place for the bucket or with it.
        given: `image` and `bucket`; `region`, `ami` and `group` where they are to be others than would be found.
        address: from where SSH is let in: `203.0.113.7/32`.
        replace, keep: as of `own_copy`.
        gone: addresses that get in no more; None: all others.
        need: what the search asks for, of which quotas are said; None: of all that the file has.

    Raises:
        UserError: A value is missing or unknown, the region has no such image, or as `own_copy` says.
    """
    text = template.read_text()
    rest = {name: value for name, value in given.items() if name != "bucket"}
    fill(text, {"ami": "ami", "group": "sg", **rest})  # before anything is made
    may = policy.read_text()
    rights = fill(may, {name: value for name, value in given.items() if name in slots(may)})
    region = given.get("region", defaults(text)["region"])
    ec2 = client("ec2", region)
    instance_profile(client("iam", region), rights)
    values = {
        "ami": rest.get("ami") or newest_image(ec2),
        "group": rest.get("group") or security_group(ec2, address, gone),
        **rest,
    }
    copy = own_copy(template, values, replace, keep)
    launch = as_ray_reads(yaml.safe_load(copy.read_text()))
    asked = quotas(client("service-quotas", region), ec2, needed(launch, need) if need else launch, region)
    return Prepared(copy, values, asked)
