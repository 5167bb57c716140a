"""Makes an account of AWS or a project of Google ready for `ray up`, says what is left there, and takes it away.

python3 cluster/cloud.py aws prepare image=NAME/evonas:0.1.0 bucket=BUCKET
"""

# What to change: nothing. Each line can be given again: what is there already is found. README.md has them in order.
import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from evonas.clusters.address import one_address, own_address
from evonas.clusters.aws import ending as aws_ending
from evonas.clusters.aws import network as aws_network
from evonas.clusters.aws.clients import client
from evonas.clusters.aws.prepare import prepare
from evonas.clusters.forms import require_form
from evonas.clusters.google import ending as google_ending
from evonas.clusters.google import network as google_network
from evonas.clusters.google.clients import compute
from evonas.clusters.google.quotas import quotas
from evonas.clusters.refusal import refusals
from evonas.clusters.template import pairs
from evonas.errors import UserError

HERE = Path(__file__).parent


def _address(options: argparse.Namespace) -> str:
    return one_address(options.address) if options.address else own_address()


def _file(name: str) -> Any:
    """The user's copy of a launch file, as `ray up` gets it."""
    copy = HERE / f"my-{name}"
    if not copy.exists():
        raise UserError(f"no {copy}: README.md has the line that writes it")
    return yaml.safe_load(copy.read_text())


def _aws_prepare(options: argparse.Namespace) -> None:
    given = pairs(options.values)
    for name, value in given.items():
        require_form("aws", name, value, name)
    done = prepare(client, HERE / "aws.yaml", HERE / "aws-policy.json", given, _address(options), options.replace)
    for quota in done.quotas:
        print(quota.line())
    print(f"role evonas-head, security group {done.values['group']}, machine image {done.values['ami']}")
    if any(quota.is_too_small for quota in done.quotas) and not options.anyway:
        raise UserError("machines with a cross would never come, and the head costs: ask for more; --anyway goes on")
    print(f"ray up -y {done.copy}")


def _aws_admit(options: argparse.Namespace) -> None:
    ec2 = client("ec2", _file("aws.yaml")["provider"]["region"])
    group, address = aws_network.find_group(ec2), _address(options)
    if group is None:
        raise UserError("no security group evonas: cloud.py aws prepare makes it")
    _admitted(address, aws_network.admit(ec2, group, address))


def _aws_left(options: argparse.Namespace) -> None:
    config = _file("aws.yaml")
    region = config["provider"]["region"]
    lines = aws_ending.left(client, region, config["cluster_name"])
    _left(lines, f"{region}, and no machine or disk in other regions of the account")


def _aws_down(options: argparse.Namespace) -> None:
    config = _file("aws.yaml")
    aws_ending.take_down(client, config["provider"]["region"], config["cluster_name"])
    _aws_left(options)


def _gcp_quotas(options: argparse.Namespace) -> None:
    for quota in quotas(compute(), _file("gcp.yaml")):
        print(quota.line())


def _gcp_admit(options: argparse.Namespace) -> None:
    address = _address(options)
    _admitted(address, google_network.admit(compute(), _file("gcp.yaml")["provider"]["project_id"], address))


def _gcp_left(options: argparse.Namespace) -> None:
    config = _file("gcp.yaml")
    place = config["provider"]
    _left(google_ending.left(compute(), place["project_id"], config["cluster_name"]), f"project {place['project_id']}")


def _gcp_down(options: argparse.Namespace) -> None:
    config = _file("gcp.yaml")
    place = config["provider"]
    google_ending.take_down(compute(), place["project_id"], config["cluster_name"])
    _gcp_left(options)


def _admitted(address: str, gone: list[str]) -> None:
    print(f"SSH gets in from {address}" + (f", and not from {', '.join(gone)} any more" if gone else ""))


def _left(lines: list[str], where: str) -> None:
    print("\n".join(lines) or f"nothing is left in {where}")


ACTIONS: dict[str, dict[str, Callable[[argparse.Namespace], None]]] = {
    "aws": {"prepare": _aws_prepare, "admit": _aws_admit, "left": _aws_left, "down": _aws_down},
    "gcp": {"quotas": _gcp_quotas, "admit": _gcp_admit, "left": _gcp_left, "down": _gcp_down},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("cloud", choices=ACTIONS)
    parser.add_argument("action", choices=sorted({name for actions in ACTIONS.values() for name in actions}))
    parser.add_argument("values", nargs="*", metavar="KEY=VALUE", help="prepare: image, bucket; region, ami, group")
    parser.add_argument("--address", help="from where SSH is let in (default: what this machine is seen as)")
    parser.add_argument(
        "--anyway", action="store_true", help="prepare: go on where the account may have no such machine"
    )
    parser.add_argument("--replace", action="store_true", help="prepare: write over a copy that was changed by hand")
    options = parser.parse_intermixed_args()
    if options.action not in ACTIONS[options.cloud]:
        parser.error(f"{options.cloud} has {', '.join(ACTIONS[options.cloud])}")
    try:
        with refusals():
            ACTIONS[options.cloud][options.action](options)
    except UserError as error:
        print(f"{options.cloud} {options.action}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
