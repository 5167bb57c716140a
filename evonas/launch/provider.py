"""What a cloud has to be able to do for `evonas cluster`."""

from dataclasses import dataclass
from typing import Protocol

from evonas.launch.costs.estimate import Machine
from evonas.launch.costs.totals import IDLE_H
from evonas.launch.launch_files.fitting import Room


@dataclass(frozen=True, slots=True)
class Plan:
    """What `up` is about to do.

    Args:
        files: name -> text of what is written into the folder.
        machines: the types that come, with their prices.
        asks: what is asked of the cloud, a line each.
        room: the machines that the search can have.
        longest_h: after which its machines end by themselves, hours; None where they do not.
        most: how many machines beside the head the launch file allows; None where it does not say.
        stays: whether what is up from the start outlives the search.
        idle_h: after which a machine ends that does nothing, hours.
        outlive_h: how long workers stay when the head has ended by itself, hours.
        region: of the machines, where that is known.
        notes: what of the costs is not known or not counted, a line each.
        by_hand: which files were changed by hand and are taken as they are, a line each.
    """

    files: dict[str, str]
    machines: list[Machine]
    asks: list[str]
    room: Room
    longest_h: float | None = 48.0
    most: int | None = None
    stays: bool = True
    idle_h: float = IDLE_H
    outlive_h: float = 0.0
    region: str = ""
    notes: tuple[str, ...] = ()
    by_hand: tuple[str, ...] = ()


class Provider(Protocol):
    """A cloud, for one order. No method but `search` waits for a search."""

    def plan(self, ask: bool) -> Plan:
        """What would be done; what is not known yet is `...`. ask: the cloud may be asked, without which no network."""

    def missing(self) -> list[str]:
        """The options, programs, libraries and credentials that are not there, a line each, without the network."""

    def prepare(self) -> list[str]:
        """Checks rights and quotas, makes what has to be there, writes the files; what was found, a line each."""

    def start(self) -> None:
        """Starts the cluster, or nothing where it runs."""

    def search(self) -> int:
        """Hands the search over and shows it until it ends; its exit status."""

    def run_folder(self) -> str | None:
        """Where the search is recorded."""

    def next_run(self) -> str | None:
        """The same, also where only the cloud knows it yet, which is asked."""

    def nodes(self) -> list[str]:
        """What runs now where this order is, a line each."""

    def elsewhere(self) -> list[str]:
        """What runs in other places, a line each, with how it goes where `down` does not take it."""

    def is_own(self) -> bool:
        """Whether what `left` names was started from this folder, or with a key of this machine."""

    def down(self) -> None:
        """Ends all that costs money or lets somebody in. What is not there is no error."""

    def left(self) -> list[str]:
        """What there still is of that, a line each."""

    def others(self) -> list[str]:
        """What there is of this user's clusters that `down` from here leaves alone, a line each, with how it goes;
        what `kept` names, too, is for certain not of this folder."""

    def where(self) -> str:
        """Where `nodes` and `left` have looked, for people: behind "nothing is left in"."""

    def unseen(self) -> list[str]:
        """Where a cluster of this folder may be and nobody has looked, or what is there and nobody can say whose it is,
        a line each; nothing where a state, a launch file or an option says where it was started."""

    def kept(self) -> list[str]:
        """What `down` does not take, and what it costs, also of others; it is asked before and after."""
