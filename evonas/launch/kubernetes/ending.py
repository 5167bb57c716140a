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
from evonas.launch.kubernetes.pod_objects import CLUSTER, SELECTED
from evonas.launch.kubernetes.rights import lacking
from evonas.launch.kubernetes.seen import Seen, look
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
        self._pools: pools.Pools | None = None  # as they were before `down`
        self._last: Seen | None = None

    def down(self) -> None:
        """Takes the cluster down, and its guards once no pod of it is left, nor a job that needs them."""
        try:
            self._down()
        finally:
            self._last = None

    def _down(self) -> None:
        here, folder, names = self._place, self._order.folder, self._namespaces.names
        is_its, made, seen = self._namespaces.is_of_folder, self._made, self._look()
        self._pools = found = seen.pools
        # What costs goes first, also where this user may delete it and not see it.
        pod_objects.delete(here, seen.cluster or [CLUSTER] * (seen.is_hidden and self._namespaces.is_own()))
        programs.ask(*here.line("wait", "pod", "--for=delete", "-l", SELECTED, "--timeout=300s"))
        change(folder, started=False)
        seen = self._look()
        if seen.pods or seen.are_needed:
            return
        try:
            pod_objects.delete(here, seen.guards)
        finally:  # what cannot be ended keeps no other
            pools.delete(here, found.going)
        if is_its:
            forget(self._copy)
        if seen.unsaid or found.unsaid:  # what is not shown may be there, and goes by what is known of it
            return
        if is_its:
            change(folder, made=tuple(name for name in made if name in found.needed), server="")
        for name in names:
            give_up(folder, name)
        if len(names) > 1:  # the context has another name by now, which later lines go by
            change(folder, given={**read(folder).given, "context": str(here.context)})

    def left(self) -> list[str]:
        """What there is that `down` takes."""
        _, seen = self._namespaces.reached, self._seen
        return [*seen.pods, *seen.cluster, *([] if seen.are_needed else [*seen.guards, *seen.pools.going])]

    def others(self) -> list[str]:
        """Jobs that are there, or that kubectl may not show, in one line, with what stays for them."""
        seen, here, again = self._seen, self._place, self._order.again("down")
        guards = ", ".join(seen.guards)
        if not seen.jobs:
            may_need = f"{guards} in {here}, which what kubectl does not show may need: once it shows all, {again}"
            return [may_need] if seen.hidden and guards else []
        own = [name for name in seen.jobs if name.startswith("rayjob")]
        way = f"{shlex.join(here.line('delete', *own))} ends it" if own else "end what has made it"
        stays = f" and keeps {guards}" if guards else ""
        return [f"{', '.join(seen.jobs)} in {here} is not of this cluster{stays}: {way}; then {again}"]

    def unseen(self) -> list[str]:
        """What may be left that kubectl does not show, and the right that it takes, a line each."""
        here, seen = self._place, self._seen
        found = dict.fromkeys([*seen.hidden, *seen.unsaid])
        lines = [f"kubectl does not show all in {here} ({each}){lacking(each)}" for each in found]
        if why := seen.pools.unsaid:
            lines.append(
                f"NodePools of {here.context} were not looked at, which kubectl does not show ({why}){lacking(why)}"
            )
        return lines

    def kept(self) -> list[str]:
        """What stays, a line each."""
        runs = self._order.runs(None).values() or [name for name in [self._order.bucket] if name]
        found = self._pools or self._seen.pools
        strange = [*found.strange, *self._seen.strange]
        return [
            *(f"{name}, which clusters of other namespaces may need" for name in found.needed),
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
    def _seen(self) -> Seen:
        """What there was when it was last looked at."""
        return self._last or self._look()

    def _look(self) -> Seen:
        """What there is now."""
        self._last = look(self._place, self._copy, self._made)
        return self._last

    def _of_file(self) -> Iterator[str]:
        """What the launch file has of its user's own, which may be paid for, as a volume is."""
        try:
            names = yours(self._copy.read_text()) if self._copy.exists() else []
        except (OSError, yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError) as error:
            yield f"what was put into {self._copy} by hand, which cannot be read ({' '.join(str(error).split())})"
            return
        yield from (f"{name} of {self._copy}, which is none of evonas's own" for name in names)
