"""The end of a cluster: first what costs, then what keeps strangers out of it, and of either only what `up` makes."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import yaml

from evonas.launch import programs
from evonas.launch.kubernetes import pod_objects, pools
from evonas.launch.kubernetes.kubectl import Place
from evonas.launch.kubernetes.manifests import yours
from evonas.launch.kubernetes.namespaces import Namespaces
from evonas.launch.kubernetes.pod_objects import ACCOUNT, SECRET, SELECTED
from evonas.launch.launch_files.head_file import forget
from evonas.launch.order import Order
from evonas.launch.owned import give_up
from evonas.launch.state import change, read


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
        pod_objects.delete_cluster(here)
        programs.ask(*here.line("wait", "pod", "--for=delete", "-l", SELECTED, "--timeout=300s"))
        change(folder, started=False)
        if pod_objects.jobs(here) or pod_objects.pods(here):
            return
        pod_objects.delete(here, made)
        pools.delete(here, self._found.going)
        if is_its:
            forget(self._copy)
            change(folder, server="", made=tuple(name for name in made if name in self._found.needed))
        for name in names:
            give_up(folder, name)
        if len(names) > 1:  # the context has another name by now, which later lines go by
            change(folder, given={**read(folder).given, "context": str(here.context)})

    def left(self) -> list[str]:
        """What there is that `down` takes."""
        here = self._namespaces.reached
        pods, there = pod_objects.pods(here), pod_objects.all_there(here, self._made)
        if pod_objects.jobs(here):
            return [*pods, *filter(pod_objects.is_cluster, there)]
        return [*pods, *there, *self._pools.going]

    def others(self) -> list[str]:
        """Jobs that are there, in one line, with what stays for them."""
        if not (jobs := pod_objects.jobs(self._place)):
            return []
        rest = [name for name in pod_objects.all_there(self._place, self._made) if not pod_objects.is_cluster(name)]
        stays = f" and keeps {', '.join(rest)}" if rest else ""
        own = [name for name in jobs if name.startswith("rayjob")]
        way = f"{shlex.join(self._place.line('delete', *own))} ends it" if own else "end what has made it"
        return [
            f"{', '.join(jobs)} in {self._place} is not of this cluster{stays}: {way}; then {self._order.again('down')}"
        ]

    def unseen(self) -> list[str]:
        """A line where pools may be left that kubectl does not show."""
        why = self._pools.unsaid
        return [f"NodePools of {self._place.context} were not looked at, which kubectl does not show ({why})"] * bool(
            why
        )

    def kept(self) -> list[str]:
        """What stays, a line each."""
        runs = self._order.runs(None).values() or [name for name in [self._order.bucket] if name]
        before = [name for name in pod_objects.there(self._place, SECRET, ACCOUNT) if name not in self._made]
        return [
            *(f"{name}, which clusters of other namespaces may need" for name in self._found.needed),
            *(f"{name}, which no `up` from here has made" for name in (*self._found.strange, *before)),
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

    def _of_file(self) -> Iterator[str]:
        """What the launch file has of its user's own, which may be paid for, as a volume is."""
        try:
            names = yours(self._copy.read_text()) if self._copy.exists() else []
        except (OSError, yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError) as error:
            yield f"what was put into {self._copy} by hand, which cannot be read ({' '.join(str(error).split())})"
            return
        yield from (f"{name} of {self._copy}, which is none of evonas's own" for name in names)
