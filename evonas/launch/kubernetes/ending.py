"""The end of a cluster: first what costs, then what keeps strangers out of it, and of either only what `up` makes."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from evonas.launch import programs
from evonas.launch.kubernetes import pod_objects, pools
from evonas.launch.kubernetes.kubectl import Place
from evonas.launch.kubernetes.manifests import objects, yours
from evonas.launch.kubernetes.namespaces import Namespaces
from evonas.launch.kubernetes.pod_objects import ACCOUNT, CLUSTER, SECRET, SELECTED
from evonas.launch.kubernetes.strangers import strangers
from evonas.launch.launch_files.head_file import forget, head_file
from evonas.launch.order import Order
from evonas.launch.owned import give_up
from evonas.launch.state import change, read


@dataclass(frozen=True, slots=True)
class _Seen:
    """What there is of a cluster.

    Args:
        pods: of it.
        going: its objects that go, whatever they wait for.
        jobs: that are not of it, and need its guards.
        unsaid: why kubectl does not show others of its objects.
        hidden: why it does not show pods or jobs, which may need the guards.
    """

    pods: list[str]
    going: list[str]
    jobs: list[str]
    unsaid: list[str]
    hidden: list[str]

    @property
    def cluster(self) -> list[str]:
        return [name for name in self.going if pod_objects.is_cluster(name)]

    @property
    def guards(self) -> list[str]:
        return [name for name in self.going if not pod_objects.is_cluster(name)]

    @property
    def are_needed(self) -> bool:
        """Whether the guards stay: for a job, or for what nobody can see."""
        return bool(self.jobs or self.hidden)


class Ending:
    """What of an order's cluster goes, and what stays.

    Args:
        order: what is asked for.
        namespaces: where its cluster is.
        copy: its launch file, which may be lost, or be one that kubectl does not take.
    """

    def __init__(self, order: Order, namespaces: Namespaces, copy: Path) -> None:
        self._order, self._namespaces, self._copy = order, namespaces, copy
        self._found = pools.Pools()

    def down(self) -> None:
        """Takes the cluster down, and its guards once no pod of it is left, nor a job that needs them."""
        here, folder, names = self._place, self._order.folder, self._namespaces.names
        is_its, made, self._found = self._namespaces.is_of_folder, self._made, self._pools
        seen = self._look()
        # What costs goes first, also where this user may delete it and not see it.
        is_hidden = bool(seen.unsaid) and self._namespaces.is_own()
        pod_objects.delete(here, seen.cluster or pod_objects.of_known_kinds(here, [CLUSTER] * is_hidden))
        programs.ask(*here.line("wait", "pod", "--for=delete", "-l", SELECTED, "--timeout=300s"))
        change(folder, started=False)
        seen = self._look()
        if seen.pods or seen.are_needed:
            return
        pod_objects.delete(here, seen.guards)
        pools.delete(here, self._found.going)
        if is_its:
            forget(self._copy)
            change(folder, made=tuple(name for name in made if name in self._found.needed))
        if seen.unsaid:
            return
        if is_its:
            change(folder, server="")
        for name in names:
            give_up(folder, name)
        if len(names) > 1:  # the context has another name by now, which later lines go by
            change(folder, given={**read(folder).given, "context": str(here.context)})

    def left(self) -> list[str]:
        """What there is that `down` takes."""
        _, seen = self._namespaces.reached, self._look()
        return [*seen.pods, *seen.cluster, *([] if seen.are_needed else [*seen.guards, *self._pools.going])]

    def others(self) -> list[str]:
        """Jobs that are there, in one line, with what stays for them."""
        seen = self._look()
        if not seen.jobs:
            return []
        stays = f" and keeps {', '.join(seen.guards)}" if seen.guards else ""
        own = [name for name in seen.jobs if name.startswith("rayjob")]
        way = f"{shlex.join(self._place.line('delete', *own))} ends it" if own else "end what has made it"
        return [
            f"{', '.join(seen.jobs)} in {self._place} is not of this cluster{stays}: {way}; then "
            f"{self._order.again('down')}"
        ]

    def unseen(self) -> list[str]:
        """What may be left that kubectl does not show, and what stays for it, a line each."""
        here, seen, why = self._place, self._look(), self._pools.unsaid
        may_need = f"; as it may need them, {', '.join(seen.guards)} stay until it does" if seen.guards else ""
        hidden = dict.fromkeys([*seen.hidden, *seen.unsaid])
        return [
            *(f"kubectl does not show all in {here} ({each}){may_need * (each in seen.hidden)}" for each in hidden),
            *([f"NodePools of {here.context} were not looked at, which kubectl does not show ({why})"] if why else []),
        ]

    def kept(self) -> list[str]:
        """What stays, a line each."""
        runs = self._order.runs(None).values() or [name for name in [self._order.bucket] if name]
        own = pod_objects.own(self._place, self._made)
        before = [name for name in pod_objects.look(self._place, SECRET, ACCOUNT)[0] if name not in own]
        strange = [*self._found.strange, *before, *self._strangers]
        return [
            *(f"{name}, which clusters of other namespaces may need" for name in self._found.needed),
            *(f"{name}, which no `up` from here has made" for name in strange),
            *self._of_file(),
            *(f"{run}: what it stores is paid for" for run in runs),
            "machines of the pools, until your Kubernetes takes them away, and Kubernetes itself",
            "~/.evonas-cluster: the token of your clusters, which costs nothing",
        ]

    @property
    def _place(self) -> Place:
        return self._namespaces.here

    @property
    def _made(self) -> tuple[str, ...]:
        """What this folder has made beside the launch file, where its cluster is meant."""
        return read(self._order.folder).made if self._namespaces.is_of_folder else ()

    @property
    def _pools(self) -> pools.Pools:
        return pools.look(self._place, self._copy, self._made)

    @property
    def _strangers(self) -> list[str]:
        return strangers(self._place, [part for file in (head_file(self._copy), self._copy) for part in _parts(file)])

    def _look(self) -> "_Seen":
        """What there is now."""
        here = self._place
        (there, unsaid), strange = pod_objects.look_for_all(here, self._made), self._strangers
        going = [name for name in there if pod_objects.plain(name) not in strange]
        (pods, no_pods), (jobs, no_jobs) = pod_objects.pods(here), pod_objects.jobs(here)
        return _Seen(pods, going, jobs, unsaid, list(dict.fromkeys([*no_pods, *no_jobs])))

    def _of_file(self) -> Iterator[str]:
        """What the launch file has of its user's own, which may be paid for, as a volume is."""
        try:
            names = yours(self._copy.read_text()) if self._copy.exists() else []
        except (OSError, yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError) as error:
            yield f"what was put into {self._copy} by hand, which cannot be read ({' '.join(str(error).split())})"
            return
        yield from (f"{name} of {self._copy}, which is none of evonas's own" for name in names)


def _parts(file: Path) -> list[dict[str, Any]]:
    """The objects of a launch file; none where it is lost, or cannot be read."""
    try:
        return objects(file.read_text())
    except (OSError, yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError):
        return []
