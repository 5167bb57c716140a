"""The regions of an AWS account that a line means, and what the others have of clusters of the same name."""

import sys
from collections.abc import Callable
from functools import cached_property
from typing import Any

from evonas.clusters.aws import ending
from evonas.clusters.aws.bucket import account
from evonas.clusters.aws.keys import own_key_pairs
from evonas.clusters.refusal import refusals
from evonas.launch.order import Order
from evonas.launch.owned import owns
from evonas.launch.state import read


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

    @cached_property
    def account(self) -> str:
        with refusals():
            return account(self._client("sts", self._region))

    @cached_property
    def meant(self) -> list[str]:
        """That of this line, else all in which a cluster was started from this folder, and where nothing says one, all
        in which a key pair of this machine's is; what this line ends changes nothing of it."""
        given = self._order.given.get("region")
        return [given] if given else self._owned() or (not self.is_said and self._with_keys) or [self._region]

    @property
    def known(self) -> list[str]:
        """These, and the others in which a cluster was started from this folder."""
        return list(dict.fromkeys([*self.meant, *self._owned()]))

    @cached_property
    def is_said(self) -> bool:
        """Whether an option, the state or a launch file says the region, when this line begins."""
        return bool(self._order.value("region") or self._owned())

    def is_mine(self, place: str) -> bool:
        """Whether a cluster in a region is this user's, by the folder or by a key pair."""
        with refusals():
            return owns(self._order.folder, self.named(place)) or bool(own_key_pairs(self._client("ec2", place)))

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
        """The same where it may be this user's: neither the folder nor a key of this machine says where theirs is."""
        return self._of_others if self._is_open else []

    def with_machines(self) -> list[str]:
        """The other regions that have machines, whose head needs the role."""
        return sorted({_region_of(line) for line, _ in self._away if line.startswith("machine ")})

    def where(self) -> str:
        """Where this line looks, for people."""
        if self.is_said:
            return f"{', '.join(self.meant)} of account {self.account}"
        but = sorted({_region_of(line) for line, _ in self._away})
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
        with refusals():
            rest = [region for region in self._all if region not in self.meant]
            lines = ending.paid_in(self._client, rest)
            lines += [] if self.is_said else ending.doors_in(self._client, rest)
        self._has_looked = True
        mine = {place: self.is_mine(place) for place in {_region_of(line) for line in lines}}
        return [(line, mine[_region_of(line)]) for line in lines]

    @cached_property
    def _all(self) -> list[str]:
        with refusals():
            return ending.regions_of(self._client("ec2", self._region))

    @cached_property
    def _with_keys(self) -> list[str]:
        with refusals():
            return ending.regions_with_keys(self._client, self._all)

    def _owned(self) -> list[str]:
        places = (place.partition("/") for place in read(self._order.folder).owns)
        return [region for owner, _, region in places if owner == self.account]


def _region_of(line: str) -> str:
    return line.rpartition(" in ")[2]
