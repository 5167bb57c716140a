"""What a check is given, and what it finds."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Literal

from evonas.components import Parts
from evonas.config import Config, RuntimeConfig
from evonas.runtime import Runtime
from evonas.runtime.ray_pool import probe
from evonas.runtime.ray_pool.nodes import Node
from evonas.runtime.ray_pool.probe import Seen

ROOM_S = 20.0
"""So long a worker may wait for room."""
State = Literal["ok", "cross", "note"]


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
class Visit:
    """What is asked for, and what earlier checks have found: later ones build on it.

    head: HOST:PORT of the cluster's. joined: this process is a driver of it; own: since this visit. parts: with them a
    few networks are tried. pool: one worker. away: targets that cannot be reached.
    """

    config: Config | None
    runtime: RuntimeConfig
    run: str | None = None
    modules: Sequence[ModuleType] = ()
    head: str = ""
    joined: bool = False
    own: bool = False
    nodes: Sequence[Node] = ()
    seen: Sequence[Seen] = ()
    parts: Parts | None = None
    pool: Runtime | None = None
    away: set[str] = field(default_factory=set)

    @property
    def needs(self) -> str:
        return f"{self.runtime.cpus_per_worker:g} CPUs and {self.runtime.gpus_at_first:g} GPUs"


Check = Callable[[Visit], Iterator[Finding]]


def need_ray(visit: Visit) -> None:
    if not visit.joined:
        raise Unknown("runtime.kind is serial" if visit.runtime.kind == "serial" else "Ray is out of reach")


def parts_of(visit: Visit) -> Parts:
    if visit.parts is None:
        raise Unknown("there are no data")
    return visit.parts


def shape(node: Node) -> str:
    counts = [f"{node.resources.get('CPU', 0):g} CPUs", f"{node.resources.get('GPU', 0):g} GPUs"]
    return " ".join([", ".join(counts), *(f"and {name}" for name in probe.custom(node))])


def counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"
