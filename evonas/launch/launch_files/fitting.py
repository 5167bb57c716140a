"""Whether workers of a search fit on machines: those that do not are waited for while the head is paid."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evonas.config import Config
from evonas.errors import UserError
from evonas.launch.launch_files.numbers import number
from evonas.launch.order import Order

MEMORY = "memory"
"""MB of the machine, of 10^6 bytes, beside `CPU` and `GPU` as Ray counts them."""
_MB = 10**6
_KEYS = {"CPU": "cpus_per_worker", "GPU": "gpus_per_worker", MEMORY: "memory_mb_per_worker"}
_WORDS = {"CPU": "CPUs", "GPU": "GPUs", MEMORY: "MB of memory"}


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of machine.

    Args:
        name: for people.
        has: resource -> how much of it; what is not said may be enough.
        most: how many can come.
        is_head: whether it is there in any case, beside those that are counted together.
    """

    name: str
    has: Mapping[str, float]
    most: int = 1
    is_head: bool = False


@dataclass(frozen=True, slots=True)
class Room:
    """The machines that a search can have.

    Args:
        kinds: their types.
        most: how many of all types can come together, the head apart; None where nothing says it.
        said: the same for people: `the launch file allows 18 machines (max_workers)`.
        cpus: of a worker, where the config does not say; it gets a GPU then, as of `run_search`.
    """

    kinds: Sequence[Kind]
    most: int | None
    said: str
    cpus: float


def of_launch_file(launch: Mapping[str, object]) -> list[Kind]:
    """The types of a launch file of Ray, with what they have as far as the file says it."""
    found = []
    for name, kind in launch["available_node_types"].items():  # type: ignore[attr-defined]
        has = {
            what: number(count, f"{what} of {name}")
            for what, count in (kind.get("resources") or {}).items()
            if what in _KEYS
        }
        has |= {MEMORY: has[MEMORY] / _MB} if MEMORY in has else {}
        found.append(Kind(name, has, int(kind["max_workers"]), name == launch["head_node_type"]))
    return found


def check_fits(order: Order, room: Room, name: object) -> None:
    """Lets go on where some machine has what one worker asks for.

    Args:
        order: with a config, or nothing is asked.
        room: the machines.
        name: of the file that says it, for people.

    Raises:
        UserError: None has; with what the largest one has.
    """
    if order.config is None:
        return
    asked = _asked(order.config, order, room.cpus)
    if any(_holds(kind, asked) for kind in room.kinds):
        return
    for what, count in asked.items():
        largest = max(kind.has.get(what, count) for kind in room.kinds)
        if largest < count:
            raise UserError(
                f"runtime.{_KEYS[what]} is {count:g}, and no machine of {name} has more than {_number(largest)} "
                f"{_WORDS[what]}"
            )
    raise UserError(f"a worker asks for {_in_words(asked)}, and no machine of {name} has them together")


def too_many(order: Order, room: Room) -> list[str]:
    """A line where the search asks for more workers than machines can hold, and one of what is not known of these."""
    runtime = order.config.runtime if order.config else None
    if order.config is None or runtime is None or (runtime.workers == "auto" and runtime.max_workers is None):
        return []  # as many as there are
    asked = _asked(order.config, order, room.cpus)
    if (held := _most(room, asked)) < order.workers:
        return [
            f"{order.workers} workers are asked for, and {room.said}, which hold {held:g} of them: each asks for "
            f"{_in_words(asked)}"
        ]
    return _unknown(room, asked)


def _most(room: Room, asked: Mapping[str, float]) -> float:
    """How many workers fit on all machines that can be there at once."""
    held = sum(_holds(kind, asked) for kind in room.kinds if kind.is_head)
    left = math.inf if room.most is None else room.most
    for kind in sorted((kind for kind in room.kinds if not kind.is_head), key=lambda kind: -_holds(kind, asked)):
        count = min(kind.most, left)
        left -= count
        held += _holds(kind, asked) * count if count else 0
    return held


def _holds(kind: Kind, asked: Mapping[str, float]) -> float:
    """How many workers fit on one machine; without end where nothing is known of it."""
    each = [(kind.has[what] / count + 1e-9) // 1 for what, count in asked.items() if what in kind.has]
    return min(each, default=math.inf)


def _unknown(room: Room, asked: Mapping[str, float]) -> list[str]:
    """What is asked for and not said of machines that can come."""
    kinds = [kind for kind in room.kinds if _holds(kind, asked) and (kind.most or kind.is_head)]
    found = {what: [kind.name for kind in kinds if what not in kind.has] for what in asked}
    said = [f"{_WORDS[what]} of {', '.join(names)}" for what, names in found.items() if names]
    return [f"whether all workers fit is not known: nothing says the {' and the '.join(said)}"] if said else []


def _asked(config: Config, order: Order, cpus: float) -> dict[str, float]:
    need, memory = order.need(cpus), config.runtime.memory_mb_per_worker
    asked = {"CPU": need.cpus, "GPU": need.gpus, MEMORY: 0.0 if memory == "auto" else float(memory)}
    return {what: count for what, count in asked.items() if count}


def _in_words(asked: Mapping[str, float]) -> str:
    return " and ".join(f"{_number(count)} {_WORDS[what]}" for what, count in asked.items())


def _number(count: float) -> str:
    return f"{count:,.0f}" if count >= 1000 else f"{count:g}"
