"""The regions of an AWS account that a line means, and what the others have of clusters of the same name."""

import sys
from collections.abc import Callable
from functools import cached_property
from typing import Any

from evonas.clusters.aws import ending
from evonas.clusters.aws.asking import IAM, OTHERS, Silent, told
from evonas.clusters.aws.bucket import account
from evonas.clusters.aws.keys import others_key_pairs, own_key_pairs
from evonas.clusters.refusal import refusals
from evonas.errors import UserError
from evonas.launch.order import Order
from evonas.launch.owned import owns
from evonas.launch.state import read

_HOME = "us-east-1"
"""A region that every account has."""


class Regions:
    """Where the clusters of an order are, and whose they are.

    Args:
        order: what is asked for.
        client: makes a client of boto3 from a service and a region.
        region: of this line, or the usual one.
    """

    def __init__(self, order: Order, client: Callable[[str, str], Any], region: str) -> None:
        self._order, self._client, self._region = order, client, region
        self._has_looked = False
        self._silent: Silent = {}

    @cached_property
    def account(self) -> str:
        return self._said(lambda place: [account(self._client("sts", place))])[0]

    def left(self) -> list[str]:
        """What there is of clusters in the regions that are meant, and the role; also which do not answer."""
        silent: Silent = {}
        lines = ending.left(self._client, self.meant[0], regions=self.meant, doors=self.meant, silent=silent)
        self._silent = {**{place: why for place, why in self._silent.items() if place not in self.meant}, **silent}
        return [*lines, *self._mute]

    @cached_property
    def meant(self) -> list[str]:
        """That of this line, else all in which a cluster was started from this folder, and where nothing says one, all
        in which a key pair of this machine's is; what this line ends changes nothing of it."""
        given = self._order.given.get("region")
        return [given] if given else self.owned() or (not self.is_said and self._with_keys) or [self._region]

    @property
    def known(self) -> list[str]:
        """These, and the others in which a cluster was started from this folder."""
        return list(dict.fromkeys([*self.meant, *self.owned()]))

    def owned(self) -> list[str]:
        """Those in which a cluster was started from this folder."""
        places = (place.partition("/") for place in read(self._order.folder).owns)
        return [region for owner, _, region in places if owner == self.account]

    @cached_property
    def is_said(self) -> bool:
        """Whether an option, the state or a launch file says the region, when this line begins."""
        return bool(self._order.value("region") or self.owned())

    def is_mine(self, place: str) -> bool:
        """Whether a cluster in a region is this user's, by the folder or by a key pair.

        Not where its machines have another: folder and key pair may be of one that has ended.
        """
        if owns(self._order.folder, self.named(place)):
            return not told(place, lambda: self._strange(place), {})
        with refusals(place):
            return bool(own_key_pairs(self._client("ec2", place))) and not self._strange(place)

    def _strange(self, place: str) -> list[str]:
        ec2 = self._client("ec2", place)
        return others_key_pairs(ec2, ending.instances(ec2))

    def named(self, place: str) -> str:
        """A region as the state has it."""
        return f"{self.account}/{place}"

    def own_away(self) -> list[str]:
        """What is this user's in other regions, a line each with its end, where this line has looked there."""
        away = self._away if self._has_looked else []  # `status` asks the regions of the folder alone
        return [f"{line}, which goes by {self._way(line)}" for line, own in away if own]

    def others_away(self) -> list[str]:
        """What is of others there, a line each; empty where nothing says what would be this user's."""
        return [] if self._is_open else self._of_others

    def unseen(self) -> list[str]:
        """The same where it may be this user's: neither the folder nor a key of this machine says where theirs is. And
        what did not answer this line, which `left` names, too, where it is meant."""
        whys: dict[str, list[str]] = {}
        for place, why in sorted(self._silent.items()):
            if place not in (*self.meant, IAM):
                whys.setdefault(why, []).append(place)
        role = (
            f"IAM did not answer ({self._silent.get(IAM)}): whether {ending.ROLE} is there, which costs nothing, nobody"
        )
        return [
            *(self._of_others if self._is_open else []),
            *self._mute,
            *(
                f"{', '.join(places)} of account {self.account} did not answer ({why}): whether something of yours is "
                f"there, which costs, nobody has said"
                for why, places in whys.items()
            ),
            *([f"{role} has said"] if IAM in self._silent else []),
        ]

    @property
    def _mute(self) -> list[str]:
        """What of the regions that are meant did not answer, a line each."""
        return [
            f"what else may be in {place}, which did not answer ({self._silent[place]}): nobody "
            f"has said whether it costs, and what it may need stays"
            for place in self.meant
            if place in self._silent
        ]

    @property
    def is_role_told(self) -> bool:
        """Whether IAM has said if the role is there."""
        return IAM not in self._silent

    def role_stays(self) -> str:
        """Why the role stays: machines of other regions, whose head needs it, or may; empty where it can go."""
        if needing := {_region_of(line) for line, _ in self._away if line.startswith("machine ")}:
            return f"machines in {', '.join(sorted(needing))} need"
        silent = ", ".join(sorted({*self._silent} - {IAM}))
        return f"machines may need in {silent}, which did not answer" if silent else ""

    def where(self) -> str:
        """Where this line looks, for people."""
        away = {_region_of(line) for line, _ in self._away} if not self.is_said else set[str]()
        if self.is_said or OTHERS in self._silent:
            return f"{', '.join(self.meant)} of account {self.account}"
        but = sorted({*away, *self._silent} - {IAM})
        return f"any region of account {self.account}{' but ' * bool(but)}{', '.join(but)}"

    @property
    def _is_open(self) -> bool:
        return not self.is_said and not self._with_keys

    @property
    def _of_others(self) -> list[str]:
        way = "of others as far as is known here; if it is yours, it goes by"
        return [f"{line}, {way} {self._way(line)} --anyway" for line, own in self._away if not own]

    def _way(self, line: str) -> str:
        return f"{self._order.again('down')} --region {_region_of(line)}"

    @cached_property
    def _away(self) -> list[tuple[str, bool]]:
        """What is in other regions, a line each, and whether it is this user's: no line of theirs changes it meanwhile.

        Also their security groups, where nothing says the region.
        """
        print("asking all regions of the account for machines and disks", file=sys.stderr, flush=True)
        rest = [region for region in self._all if region not in self.meant]
        lines = ending.paid_in(self._client, rest, silent=self._silent)
        lines += [] if self.is_said else ending.doors_in(self._client, rest, self._silent)
        self._has_looked = True
        found = {_region_of(line) for line in lines}
        mine = {*self.owned(), *ending.regions_with_keys(self._client, found, self._silent)}
        return [(line, _region_of(line) in mine) for line in lines]

    @cached_property
    def _all(self) -> list[str]:
        """The regions of the account; where it does not say them, those that are known here."""

        def ask() -> list[str]:
            return self._said(lambda place: ending.regions_of(self._client("ec2", place)))

        return told(OTHERS, ask, self._silent) or [self._region, *self.owned()]

    @cached_property
    def _with_keys(self) -> list[str]:
        return ending.regions_with_keys(self._client, self._all, self._silent)

    def _said(self, ask: Callable[[str], list[str]]) -> list[str]:
        """What any region says of the whole account; another one is asked where the usual one is down.

        Raises:
            UserError: None says it; why the first does not.
        """
        owned = (place.rpartition("/")[2] for place in read(self._order.folder).owns)
        faults = list[UserError]()
        for place in dict.fromkeys([self._region, *owned, _HOME]):
            try:
                with refusals():
                    return ask(place)
            except UserError as error:
                faults.append(error)
        raise faults[0]


def _region_of(line: str) -> str:
    return line.rpartition(" in ")[2]
