"""AWS, through boto3 and Ray's own launcher."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

from evonas.clusters import regions
from evonas.clusters.address import own_address
from evonas.clusters.aws import ending
from evonas.clusters.aws.asking import IAM, told
from evonas.clusters.aws.bucket import bucket
from evonas.clusters.aws.clients import client as boto3_client
from evonas.clusters.aws.network import admitted, find_group
from evonas.clusters.aws.permissions import refused
from evonas.clusters.aws.prepare import prepare
from evonas.clusters.aws.role import buckets, has_role
from evonas.clusters.aws.running import running
from evonas.clusters.refusal import refusals
from evonas.clusters.shipped import shipped
from evonas.clusters.template import defaults, fill
from evonas.installing import how_to_install
from evonas.launch import programs
from evonas.launch.costs import bill
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
from evonas.launch.owned import check_own, claimed, give_up
from evonas.launch.places import Unanswered, found_in, in_each
from evonas.launch.provider import Plan
from evonas.launch.ray_launcher import head_files
from evonas.launch.ray_launcher.aws_before import asks, check_role, missing_credentials, traffic
from evonas.launch.ray_launcher.aws_regions import Regions
from evonas.launch.ray_launcher.libraries import absent
from evonas.launch.ray_launcher.plans import plan_of
from evonas.launch.ray_launcher.quota_check import check
from evonas.launch.ray_launcher.ray_up import keeps_head, ray_up
from evonas.launch.ray_search import run_search
from evonas.launch.state import change, read
from evonas.launch.tokens import kept_token, token

FILE = "aws.yaml"
POLICY = "aws-policy.json"
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
        self._regions = Regions(order, client, self._region)
        self._has_lone_role = False  # it is there and nothing else, and may be others', whose machines have ended

    def plan(self, ask: bool) -> Plan:
        with reading(self._copy):
            return self._plan(ask)

    def _plan(self, ask: bool) -> Plan:
        order = self._order
        values = self._values({"image": "NAME/evonas:0.1.0", "ami": "ami-...", "group": UNKNOWN})
        new = filled(FILE, order.resources, values)
        name = order.value("bucket") or f"evonas-ACCOUNT-{self._region}"
        text = self._placed(as_up_has_it(order.folder, FILE, new, order.replace, self._values({})), name)
        check_place(edited := parsed(text, self._copy), self._copy, order, region=self._region)
        of_head: list[str] = []
        if ask:
            check_own(order.folder, *self._whose())
        if ask and self._keeps_head():
            head_files.check_token(self._copy, text, order)
            of_head, text = head_files.notes(self._copy, text), head_files.of_head(self._copy, text)
        launch = parsed(text, self._copy)
        asked, known = asks(order, self._region, name, self._copy), [*of_head, *regions.notes("aws", self._region)]
        known += [*self._besides(), *traffic(self._client("s3", self._region), name, self._region)] if ask else []
        beside = {POLICY: _policy(name)}
        return plan_of(f"my-{FILE}", text, launch, order, asked, self._region, known, CPUS, edited, beside)

    def missing(self) -> list[str]:
        lines = [
            *absent(boto3="pip install boto3", s3fs=how_to_install("s3")),
            *programs.absent("ray", "ssh", "ssh-keygen", "rsync"),
        ]
        lines += [] if self._order.value("image") else ["image: --image NAME/evonas:0.1.0, built of cluster/Dockerfile"]
        return lines if any(line.startswith("boto3:") for line in lines) else [*lines, *missing_credentials()]

    def prepare(self) -> list[str]:
        order, region = self._order, self._region
        order.folder.mkdir(parents=True, exist_ok=True)
        with refusals(), reading(self._copy):
            owner, name = self._regions.account, self._bucket
            check_role(self._client, region, name, bool(order.value("bucket")), order.anyway)
            whose = self._whose()
        with claimed(order.folder, self._regions.named(region), *whose, self._seen), refusals(), reading(self._copy):
            order.keep(region=region)
            made = bucket(self._client("s3", region), name, owner, region)
            order.keep(name, region=region)
            token()
            anew = order.replace or not hand_note(order.folder, FILE)  # which its template says, as it is till now
            done = prepare(
                self._client,
                put(order.folder, FILE, self._placed(launch_file(FILE, order.resources), name), anew),
                put(order.folder, POLICY, _policy(name)),
                {**self._values({}), "bucket": name},
                self._address,
                replace=anew,
                keep=True,
                gone=[read(order.folder).address or self._address],
                need=order.need(CPUS),
            )
            done.copy.write_text(self._placed(done.copy.read_text(), name))  # one that was changed by hand
            change(order.folder, address=self._address)
            config = parsed(done.copy.read_text(), done.copy)
            check(done.quotas, refused(self._client("ec2", region), config), order.anyway)
        return [
            f"account {owner}; bucket {name}{', made now' if made else ''}; role evonas-head; "
            f"security group {done.values['group']}; machine image {done.values['ami']}",
            *(quota.line() for quota in done.quotas),
            *(hand_note(order.folder, FILE) or [str(done.copy)]),
        ]

    def _seen(self) -> tuple[str | None, bool]:
        """What `prepare` makes of a cluster, as far as it is there."""
        with refusals():
            return find_group(self._client("ec2", self._region)), has_role(self._client("iam", self._region))

    def _head_runs(self) -> bool:
        with refusals():
            return ending.head_runs(self._client("ec2", self._region))

    def _keeps_head(self) -> bool:
        return self._head_runs() and keeps_head(self._order.folder, self._regions.named(self._region))

    def start(self) -> None:
        ray_up(self._order.folder, self._copy, self._head_runs(), self._launcher)

    def search(self) -> int:
        return run_search(self._order, self._tunnel, self.run_folder() or "", CPUS)

    def run_folder(self) -> str | None:
        return self._order.run_in("s3", self._order.bucket)

    def next_run(self) -> str | None:
        return self._order.run_in("s3", self._bucket)

    @property
    def _bucket(self) -> str:
        return self._order.value("bucket") or f"evonas-{self._regions.account}-{self._region}"

    def nodes(self) -> list[str]:
        return found_in([self._region] if self._region in self._regions.known else [], self._running)

    def _running(self, place: str) -> list[str]:
        with refusals(place):
            return bill.lines(running(self._client, place), self._order.prices, place, disks=self._disks)

    def _besides(self) -> list[str]:
        """What this folder's clusters in other regions cost while one is started here, a line each."""
        try:
            return found_in((place for place in self._regions.owned() if place != self._region), self._still_running)
        except Unanswered as error:
            return [*error.found, f"{error}: what runs there besides is not counted"]

    def _still_running(self, place: str) -> list[str]:
        with refusals(place):
            found = [replace(each, since=None) for each in running(self._client, place)]
        said = "; ".join(bill.lines(found, self._order.prices, place, disks=self._disks))
        return [f"besides, in {place}, until {self._order.again('down', region=place)}: {said}"] if found else []

    @cached_property
    def _disks(self) -> dict[str, float | None]:
        return head_files.disks(self._copy, shipped(FILE), self._order.prices)

    def is_own(self) -> bool:
        return all(self._regions.is_mine(place) for place in self._regions.meant)

    def _placed(self, text: str, bucket: str) -> str:
        """A launch file that says what no other place of it does."""
        return head_files.placed(text, self._order, bucket, self.run_folder())

    def down(self) -> None:
        _ = self._of_role  # which is about to go
        is_free = self._regions.is_role_told and not self._regions.role_stays()
        role = [ending.ROLE] if is_free and (self._order.anyway or self.is_own()) else []
        in_each([*self._regions.meant, *role], self._take_down)
        for place in self._regions.meant:
            if not ending.machines(self._client("ec2", place)):
                give_up(self._order.folder, self._regions.named(place))
        change(self._order.folder, started=False)
        forget(self._copy)

    @cached_property
    def _of_role(self) -> list[str]:
        """The buckets that the head could use, where nothing else says them; none where IAM does not answer."""
        return [] if self._order.bucket else told(IAM, lambda: buckets(self._client("iam", self._region)), {})

    def _take_down(self, place: str) -> None:
        with refusals():
            if place == ending.ROLE:
                ending.end_role(self._client, self._region)
            else:
                ending.end_region(self._client, place)

    def left(self) -> list[str]:
        lines, stays = self._regions.left(), self._regions.role_stays()
        self._has_lone_role = lines == [ending.ROLE] and not stays and not self._order.anyway and not self.is_own()
        return [line for line in lines if line != ending.ROLE or not (stays or self._has_lone_role)]

    @cached_property
    def _address(self) -> str:
        return self._order.address or own_address()

    def _whose(self) -> tuple[bool, list[str]]:
        """Whether what there is in the region is this user's, and what of it an `up` would take over."""
        with refusals():
            ec2 = self._client("ec2", self._region)
            lines = [f"machine {name} in {self._region}" for name in ending.machines(ec2)]
            group = find_group(ec2)
            others = [other for other in admitted(ec2, group) if other != self._address] if group else []
        doors = [f"security group {group}, which lets {other} in," for other in others]
        return self._regions.is_mine(self._region), [*lines, *doors]

    def others(self) -> list[str]:
        places = (place.partition("/") for place in read(self._order.folder).owns)
        way = f"may run: it was started from here, and goes by its credentials and {self._order.again('down')}"
        others = [(owner, place) for owner, _, place in places if place and owner != self._regions.account]
        return [
            *(f"a cluster in {place} of account {owner} {way}" for owner, place in others),
            *self._regions.own_away(),
        ]

    def elsewhere(self) -> list[str]:
        places = [place for place in self._regions.known if place != self._region]
        lines = found_in(places, self._running_away)
        return lines if self._regions.is_said else [*lines, *self._regions.others_away()]

    def _running_away(self, place: str) -> list[str]:
        # What says where list prices are others ends so already.
        return [f"{line.removesuffix(f' in {place}')} in {place}" for line in self._running(place)]

    def where(self) -> str:
        return self._regions.where()

    def unseen(self) -> list[str]:
        return self._regions.unseen()

    def kept(self) -> list[str]:
        name = self._order.bucket
        bucket_line = f"bucket {name} with its runs: what it stores is paid for; aws s3 rb s3://{name} --force"
        others = [f"bucket {each}, which the head could use: what it stores is paid for" for each in self._of_role]
        return [
            *self._regions.others_away(),
            *self._kept_role(),
            *([bucket_line] if name else others),
            *kept_token("the token of your clusters, which costs nothing"),
        ]

    def _kept_role(self) -> list[str]:
        if stays := self._regions.role_stays():
            return [f"{ending.ROLE}, which {stays}; it costs nothing"]
        lone = (
            f"{ending.ROLE}, which no machine needs and which costs nothing: if no `up` of others is about to need it,"
        )
        return [f"{lone} {self._order.again('down')} --anyway takes it"] if self._has_lone_role else []

    def _values(self, others: dict[str, str]) -> dict[str, str]:
        given = {name: value for name in ("image", "region", "ami") if (value := self._order.value(name))}
        return {**others, **given}

    def _tunnel(self, port: int) -> list[str]:
        file = head_files.to_enter(self._copy, region=self._region)
        return ["ray", "dashboard", "--port", str(port), str(file)]


def _policy(bucket: str) -> str:
    """What the head's role may do."""
    return fill(shipped(POLICY), {"bucket": bucket})
