"""AWS, through boto3 and Ray's own launcher."""

import sys
from collections.abc import Callable
from functools import cached_property
from typing import Any

from evonas.clusters import regions
from evonas.clusters.address import own_address
from evonas.clusters.aws import ending
from evonas.clusters.aws.bucket import account, bucket
from evonas.clusters.aws.clients import client as boto3_client
from evonas.clusters.aws.keys import own_key_pairs
from evonas.clusters.aws.network import admitted, find_group
from evonas.clusters.aws.permissions import refused
from evonas.clusters.aws.prepare import prepare
from evonas.clusters.aws.role import buckets
from evonas.clusters.aws.running import running
from evonas.clusters.refusal import refusals
from evonas.clusters.shipped import shipped
from evonas.clusters.template import defaults
from evonas.launch import programs
from evonas.launch.costs import bill, estimate
from evonas.launch.launch_files.guards import UNKNOWN
from evonas.launch.launch_files.head_file import forget
from evonas.launch.launch_files.written import (
    as_up_has_it,
    check_place,
    filled,
    hand_note,
    launch_file,
    parsed,
    put,
    reading,
)
from evonas.launch.order import Order
from evonas.launch.owned import claim, give_up, owns
from evonas.launch.places import in_each
from evonas.launch.provider import Plan
from evonas.launch.ray_launcher import head_files
from evonas.launch.ray_launcher.aws_before import asks, check_role, missing_credentials
from evonas.launch.ray_launcher.libraries import absent
from evonas.launch.ray_launcher.plans import plan_of
from evonas.launch.ray_launcher.quota_check import check
from evonas.launch.ray_launcher.ray_up import keeps_head, ray_up
from evonas.launch.ray_search import run_search
from evonas.launch.state import change, read
from evonas.launch.tokens import token

FILE = "aws.yaml"
CPUS = 4


class Aws:
    """A cluster of `cluster/aws.yaml`, as the `Provider` of an order.

    Args:
        order: what is asked for.
        client: makes a client of boto3 from a service and a region.
        launcher: runs a line of Ray's launcher.
    """

    def __init__(
        self,
        order: Order,
        client: Callable[[str, str], Any] = boto3_client,
        launcher: Callable[..., None] = programs.run,
    ) -> None:
        self._order, self._client, self._launcher = order, client, launcher
        self._region = order.value("region") or defaults(shipped(FILE))["region"]
        self._copy = order.folder / f"my-{FILE}"
        self._of_role = list[str]()

    def plan(self, ask: bool) -> Plan:
        order = self._order
        values = self._values({"image": "NAME/evonas:0.1.0", "ami": "ami-...", "group": UNKNOWN})
        new = filled(FILE, order.resources, values)
        name = order.value("bucket") or f"evonas-ACCOUNT-{self._region}"
        text = self._placed(as_up_has_it(order.folder, FILE, new, order.replace, self._values({})), name)
        check_place(edited := parsed(text, self._copy), self._copy, region=self._region)
        of_head: list[str] = []
        if ask and self._keeps_head():
            head_files.check_token(self._copy, text, order)
            of_head, text = head_files.notes(self._copy, text), head_files.of_head(self._copy, text)
        launch = parsed(text, self._copy)
        asked, known = asks(order, self._region, name, self._copy), [*of_head, *regions.notes("aws", self._region)]
        with reading(self._copy):
            return plan_of(f"my-{FILE}", text, launch, order, asked, self._region, known, CPUS, edited)

    def missing(self) -> list[str]:
        lines = [*absent(boto3="pip install boto3"), *programs.absent("ray", "ssh", "ssh-keygen", "rsync")]
        lines += [] if self._order.value("image") else ["image: --image NAME/evonas:0.1.0, built of cluster/Dockerfile"]
        return lines if lines and "boto3" in lines[0] else [*lines, *missing_credentials()]

    def prepare(self) -> list[str]:
        order, region = self._order, self._region
        order.folder.mkdir(parents=True, exist_ok=True)
        with refusals(), reading(self._copy):
            owner = self._account
            address = order.address or own_address()
            name = order.value("bucket") or f"evonas-{owner}-{region}"
            check_role(self._client, region, self._cluster(), name, bool(order.value("bucket")))
            claim(order.folder, f"{owner}/{region}", self._is_mine(region), self._of_others(address))
            change(order.folder, given={**order.remembered, "region": region, "bucket": name})
            made = bucket(self._client("s3", region), name, owner, region)
            token()
            anew = order.replace or not hand_note(order.folder, FILE)  # which its template says, as it is till now
            done = prepare(
                self._client,
                put(order.folder, FILE, self._placed(launch_file(FILE, order.resources), name), anew),
                put(order.folder, "aws-policy.json", shipped("aws-policy.json")),
                {**self._values({}), "bucket": name},
                address,
                replace=anew,
                keep=True,
                gone=[read(order.folder).address or address],
                need=order.need(CPUS),
            )
            done.copy.write_text(self._placed(done.copy.read_text(), name))  # one that was changed by hand
            change(order.folder, address=address)
            config = parsed(done.copy.read_text(), done.copy)
            check(done.quotas, refused(self._client("ec2", region), config), order.anyway)
        return [
            f"account {owner}; bucket {name}{', made now' if made else ''}; role evonas-head; "
            f"security group {done.values['group']}; machine image {done.values['ami']}",
            *(quota.line() for quota in done.quotas),
            *(hand_note(order.folder, FILE) or [str(done.copy)]),
        ]

    def _head_runs(self) -> bool:
        with refusals():
            return ending.head_runs(self._client("ec2", self._region), self._cluster())

    def _keeps_head(self) -> bool:
        return self._head_runs() and keeps_head(self._order.folder, f"{self._account}/{self._region}")

    def start(self) -> None:
        ray_up(self._order.folder, self._copy, self._head_runs(), self._launcher)

    def search(self) -> int:
        return run_search(self._order, self._tunnel, self.run_folder() or "", CPUS)

    def run_folder(self) -> str | None:
        name = self._order.bucket
        return self._order.run(f"s3://{name}/{self._order.title}" if name else None)

    def nodes(self) -> list[str]:
        with refusals():
            return self._running(self._region)

    def _running(self, place: str) -> list[str]:
        prices = self._order.prices
        with reading(self._copy):
            disks = bill.of_launch_file(estimate.of_launch_file(self._launch(), prices))
        return bill.lines(running(self._client, place, self._cluster()), prices, place, disks=disks)

    def is_own(self) -> bool:
        with refusals():
            return all(self._is_mine(place) for place in self._places())

    def _placed(self, text: str, bucket: str) -> str:
        """A launch file that says what no other place of it does."""
        return head_files.placed(text, self._order, bucket, self.run_folder())

    def down(self) -> None:
        if not self._order.bucket:
            with refusals():
                self._of_role = buckets(self._client("iam", self._region))  # which is about to go
        in_each(self._places(), self._take_down)
        change(self._order.folder, started=False)
        forget(self._copy)

    def _take_down(self, place: str) -> None:
        with refusals():
            ending.take_down(self._client, place, self._cluster())
            if not ending.machines(self._client("ec2", place), self._cluster()):
                give_up(self._order.folder, f"{self._account}/{place}")

    def left(self) -> list[str]:
        with refusals():
            print("asking all regions of the account for machines and disks", file=sys.stderr, flush=True)
            first, *others = places = self._places()
            doors = None if self._is_known else self._regions
            lines = ending.left(self._client, first, self._cluster(), doors=doors)
            for place in others:
                lines += ending.left(self._client, place, self._cluster(), regions=[place])
        return [self._with_way(line, places) for line in dict.fromkeys(lines)]

    def _with_way(self, line: str, places: list[str]) -> str:
        """A line of what is left, with the command that takes it down where this one does not."""
        _, inside, place = line.rpartition(" in ")
        away = inside and place not in places
        return f"{line}, which goes by {self._order.again('down')} --region {place}" if away else line

    @cached_property
    def _account(self) -> str:
        with refusals():
            return account(self._client("sts", self._region))

    def _places(self) -> list[str]:
        """The regions that are meant: that of this line, else all in which a cluster was started from this folder, and
        where nothing says one, all in which a key pair of this machine's is."""
        given = self._order.given.get("region")
        return [given] if given else self._owned() or ([self._region] if self._is_known else self._found)

    @property
    def _is_known(self) -> bool:
        """Whether an option, the state or a launch file says the region."""
        return bool(self._order.value("region") or self._owned())

    @cached_property
    def _regions(self) -> list[str]:
        with refusals():
            return ending.regions_of(self._client("ec2", self._region))

    @cached_property
    def _found(self) -> list[str]:
        with refusals():
            return ending.regions_with_keys(self._client, self._regions) or [self._region]

    def _owned(self) -> list[str]:
        places = (place.partition("/") for place in read(self._order.folder).owns)
        return [region for owner, _, region in places if owner == self._account]

    def _is_mine(self, place: str) -> bool:
        own = owns(self._order.folder, f"{self._account}/{place}")
        return own or bool(own_key_pairs(self._client("ec2", place)))

    def _of_others(self, address: str) -> list[str]:
        """What there is in the region that an `up` would take over."""
        ec2 = self._client("ec2", self._region)
        lines = [f"machine {name} in {self._region}" for name in ending.machines(ec2, self._cluster())]
        group = find_group(ec2)
        others = [other for other in admitted(ec2, group) if other != address] if group else []
        return [*lines, *(f"security group {group}, which lets {other} in," for other in others)]

    def others(self) -> list[str]:
        places = (place.partition("/") for place in read(self._order.folder).owns)
        way = f"may run: it was started from here, and goes by its credentials and {self._order.again('down')}"
        return [
            f"a cluster in {place} of account {owner} {way}"
            for owner, _, place in places
            if place and owner != self._account
        ]

    def elsewhere(self) -> list[str]:
        places = [place for place in self._places() if place != self._region]
        with refusals():
            # What says where list prices are others ends so already.
            known = [
                f"{line.removesuffix(f' in {place}')} in {place}" for place in places for line in self._running(place)
            ]
            return known if self._is_known else [*known, *self._anywhere([self._region, *places])]

    def _anywhere(self, places: list[str]) -> list[str]:
        """Machines in regions that nobody has looked in yet."""
        rest = [region for region in self._regions if region not in places]
        lines = ending.machines_in(self._client, rest, self._cluster())
        return [self._with_way(line, places) for line in lines]

    def where(self) -> str:
        return f"{', '.join(self._places()) if self._is_known else 'any region'} of account {self._account}"

    def unseen(self) -> list[str]:
        return []  # where nothing says the region, all of them are looked in

    def kept(self) -> list[str]:
        name = self._order.bucket
        bucket_line = f"bucket {name} with its runs: what it stores is paid for; aws s3 rb s3://{name} --force"
        others = [f"bucket {each}, which the head could use: what it stores is paid for" for each in self._of_role]
        return [
            *([bucket_line] if name else others),
            "~/.evonas-cluster: the token of your clusters, which costs nothing",
        ]

    def _values(self, others: dict[str, str]) -> dict[str, str]:
        given = {name: value for name in ("image", "region", "ami") if (value := self._order.value(name))}
        return {**others, **given}

    def _launch(self) -> dict[str, Any]:
        """That of the head, where it is kept, else what is there, else as it comes."""
        text = self._copy.read_text() if self._copy.exists() else shipped(FILE)
        return parsed(head_files.of_head(self._copy, text), self._copy)

    def _cluster(self) -> str:
        return str(self._launch()["cluster_name"])

    def _tunnel(self, port: int) -> list[str]:
        return ["ray", "dashboard", "--port", str(port), str(head_files.in_force(self._copy))]
