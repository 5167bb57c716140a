"""What a check is given, and what it finds."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Literal

from evonas.components import Components
from evonas.config import Config, RuntimeConfig
from evonas.runtime import Runtime
from evonas.runtime.ray_pool import probe
from evonas.runtime.ray_pool.nodes import ClusterNode
from evonas.runtime.ray_pool.probe import Seen

ROOM_S = 20.0
"""So long a worker may wait for room."""
State = Literal["ok", "error", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """name: what was looked at. text: what was found. remedy: what to do, of a cross.

    state: "note" where something could not be looked at, does not apply or should just be known.
    """

    name: str
    state: State
    text: str
    remedy: str = ""


class Unknown(Exception):
    """A check cannot be made. The message says why."""


@dataclass
class Context:
    """What is asked for, and what earlier checks have found: later ones build on it.

    head: HOST:PORT of the cluster's. joined: this process is a driver of it; own: since this context. components: with
    them a few networks are tried. pool: one worker. away: targets that cannot be reached.
    candidates_per_s: that all workers together evaluate, where a few were tried.
    """

    config: Config | None
    runtime: RuntimeConfig
    run: str | None = None
    modules: Sequence[ModuleType] = ()
    head: str = ""
    joined: bool = False
    own: bool = False
    nodes: Sequence[ClusterNode] = ()
    seen: Sequence[Seen] = ()
    components: Components | None = None
    pool: Runtime | None = None
    away: set[str] = field(default_factory=set)
    candidates_per_s: float | None = None

    @property
    def needs(self) -> str:
        return f"{self.runtime.cpus_per_worker:g} CPUs and {self.runtime.gpus_at_first:g} GPUs"


Check = Callable[[Context], Iterator[Finding]]


def need_ray(context: Context) -> None:
    if not context.joined:
        raise Unknown("runtime.kind is serial" if context.runtime.kind == "serial" else "Ray is out of reach")


def parts_of(context: Context) -> Components:
    if context.components is None:
        raise Unknown("there are no data")
    return context.components


def shape(node: ClusterNode) -> str:
    counts = [f"{node.resources.get('CPU', 0):g} CPUs", f"{node.resources.get('GPU', 0):g} GPUs"]
    return " ".join([", ".join(counts), *(f"and {name}" for name in probe.custom(node))])
