"""Which nodes of a cluster get jobs: all that live, but for those that are going, silent or keep crashing them.

`Nodes` decides from what it is told (`update`, `silent`, `crashed`, `worked`); it knows nothing of Ray or of what a job
means.
"""

import math
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

STRIKES = 3
"""Jobs in a row that crashed on a node and not elsewhere: then it is set aside."""
SHUNNED_S = 120.0
"""How long a node whose workers fell silent, or on which one could not start, gets no new ones."""


@dataclass(frozen=True, slots=True)
class ClusterNode:
    """A machine of the cluster that is alive.

    Attributes:
        id: Ray's id of it.
        host: Its name.
        resources: Name -> amount in all.
        names: What its price is looked up by: its type, its group in the cluster, its host.
    """

    id: str
    host: str
    resources: Mapping[str, float]
    names: tuple[str, ...] = ()


class Nodes:
    """The nodes of a cluster and what is known of them.

    Args:
        needs: The resources of one worker, name -> amount.
        memory_mb: Host memory of one worker in MB of 10^6 bytes; 0 for a share of its node's.
    """

    def __init__(self, needs: Mapping[str, float], memory_mb: float = 0) -> None:
        self.resize(needs)
        self._memory_mb = memory_mb
        self._alive: dict[str, ClusterNode] = {}
        self._draining: Collection[str] = ()
        self._silent: dict[str, float] = {}  # node -> until when it is shunned
        self._strikes: Counter[str] = Counter()
        self._aside: dict[str, str] = {}  # node -> its host
        self._unfit: dict[str, float] = {}  # node -> until when no worker is tried to be started there

    def resize(self, needs: Mapping[str, float]) -> None:
        """Takes other resources of one worker, from now on."""
        self._needs = needs

    @property
    def aside(self) -> list[str]:
        """Hosts that were set aside because jobs kept crashing there."""
        return sorted(self._aside.values())

    @property
    def unfit(self) -> list[str]:
        """The ids of living nodes on which no worker could start."""
        now = time.monotonic()
        return [id for id, until in self._unfit.items() if until > now and id in self._alive]

    @property
    def usable(self) -> list[ClusterNode]:
        """The nodes that can hold a worker and may get one."""
        avoided = self._avoided()
        return [node for node in self._alive.values() if node.id not in avoided and self._fitting(node)]

    @property
    def avoided(self) -> list[str]:
        """Living nodes that must get no new worker."""
        avoided = self._avoided()
        return [id for id in self._alive if id in avoided]

    @property
    def gpus(self) -> int:
        """How many GPUs all usable nodes have together."""
        return int(sum(node.resources.get("GPU", 0) for node in self.usable))

    @property
    def capacity(self) -> int:
        """How many workers all usable nodes hold together."""
        return self.room(self._needs)

    def room(self, needs: Mapping[str, float]) -> int:
        """How many workers of other needs all usable nodes would hold together."""
        return sum(in_memory(fitting(node, needs), node.resources, self._memory_mb) for node in self.usable)

    @property
    def unbounded(self) -> int:
        """How many workers all usable nodes would hold together, were it not for their memory."""
        return sum(map(self._fitting, self.usable))

    @property
    def resources(self) -> list[Mapping[str, float]]:
        """Those of all living nodes."""
        return [node.resources for node in self._alive.values()]

    def host(self, id: str) -> str:
        """The name of a node; its id where it is gone."""
        return self._alive[id].host if id in self._alive else id

    def names(self, id: str) -> tuple[str, ...]:
        """What the price of a living node is looked up by."""
        return self._alive[id].names

    def lives(self, id: str) -> bool:
        """Whether a node is alive."""
        return id in self._alive

    def leaves(self, id: str) -> bool:
        """Whether a node gets no new jobs, though those in work may end there."""
        return id in {*self._draining, *self._aside, *self._unfit} and id in self._avoided()

    def share(self, id: str) -> float:
        """Returns the part of a node that one worker takes, by its scarcest resource; 1 where it needs none."""
        return part_of(self._alive[id], self._needs)

    def update(self, alive: Iterable[ClusterNode], draining: Collection[str]) -> None:
        """Takes the living nodes, and the ids of those that are being drained."""
        self._alive = {node.id: node for node in alive}
        self._draining = draining

    def silent(self, id: str) -> None:
        """Notes that a worker there has not been heard for longer than its lease."""
        self._silent[id] = time.monotonic() + SHUNNED_S

    def refused(self, id: str, for_good: bool = False) -> None:
        """Notes that no worker can start there.

        Args:
            id: The node's.
            for_good: What is in the way will not go, as a neighbour's memory may, or a driver that is loaded.
        """
        self._unfit[id] = math.inf if for_good else time.monotonic() + SHUNNED_S

    def worked(self, id: str) -> None:
        """Notes that a job was completed there."""
        self._strikes[id] = 0

    def crashed(self, id: str) -> None:
        """Notes that a job crashed there and not elsewhere. The last usable node is never set aside."""
        self._strikes[id] += 1
        others = any(node.id != id for node in self.usable)
        if self._strikes[id] >= STRIKES and others and id in self._alive:
            self._aside[id] = self._alive[id].host

    def _avoided(self) -> set[str]:
        now = time.monotonic()
        silent = {id for id, until in self._silent.items() if until > now}
        avoided = {*self._draining, *self.unfit}
        able = {node.id for node in self._alive.values() if self._fitting(node)}
        # Where nothing else is left, those that crash jobs or are silent are tried again: the fault may be ours.
        for less_firm in (set(self._aside), silent):
            if able - avoided - less_firm:
                avoided |= less_firm
        return avoided

    def _fitting(self, node: ClusterNode) -> int:
        return fitting(node, self._needs)


def fitting(node: ClusterNode, needs: Mapping[str, float]) -> int:
    """Returns how many workers a node holds, by its scarcest resource; 1 where they need none.

    Args:
        node: The node.
        needs: The resources of one worker, name -> amount.
    """
    have = node.resources
    return min((_places(name, have.get(name, 0), need) for name, need in needs.items() if need), default=1)


def in_memory(count: int, resources: Mapping[str, float], memory_mb: float) -> int:
    """Returns how many of the workers that share the CPUs of a node fit into its memory together; one a CPU always
    does, for what a worker may take is seldom what it takes.

    Args:
        count: Workers, as many as CPUs and GPUs allow.
        resources: The node's, name -> amount; one that does not say its memory may have enough.
        memory_mb: Host memory of one worker in MB of 10^6 bytes; 0 for a share of the node's.
    """
    if not memory_mb or "memory" not in resources:
        return count
    return min(count, max(1, int(resources.get("CPU", 0)), int(resources["memory"] / (memory_mb * 1e6))))


def part_of(node: ClusterNode, needs: Mapping[str, float]) -> float:
    """Returns the part of a node that one worker takes, by its scarcest resource; 1 where it needs none.

    Args:
        node: The node.
        needs: The resources of one worker, name -> amount.
    """
    have = node.resources
    return max((need / have[name] for name, need in needs.items() if need and have.get(name)), default=1.0)


def _places(name: str, have: float, need: float) -> int:
    """Shares of GPUs are of one GPU each: two thirds that are left on two of them are no place."""
    if name == "GPU" and need < 1:
        return int(have) * int(1 / need + 1e-9)
    return int(have / need + 1e-9)
