"""Whether a worker of the search fits on any machine: one that does not is waited for while the head is paid."""

from collections.abc import Mapping, Sequence

from evonas.config import Config
from evonas.errors import UserError
from evonas.launch.order import Order

MEMORY = "memory"
"""MB of the machine, beside `CPU` and `GPU` as Ray counts them."""
_MB = 2**20
_KEYS = {"CPU": "cpus_per_worker", "GPU": "gpus_per_worker", MEMORY: "memory_mb_per_worker"}
_WORDS = {"CPU": "CPUs", "GPU": "GPUs", MEMORY: "MB of memory"}


def of_launch_file(launch: Mapping[str, object]) -> list[dict[str, float]]:
    """What each type of machine of a launch file of Ray has, as far as the file says it."""
    found = []
    for kind in launch["available_node_types"].values():  # type: ignore[attr-defined]
        has = {name: float(count) for name, count in (kind.get("resources") or {}).items() if name in _KEYS}
        found.append({**has, **({MEMORY: has[MEMORY] / _MB} if MEMORY in has else {})})
    return found


def check_fits(order: Order, machines: Sequence[Mapping[str, float]], cpus: float, name: object) -> None:
    """Lets go on where some machine has what one worker asks for.

    Args:
        order: with a config, or nothing is asked.
        machines: resource -> how much of it, of each type; what is not said may be enough.
        cpus: of a worker, where the config does not say; it gets a GPU then, as of `run_search`.
        name: of the file that says it, for people.

    Raises:
        UserError: None has; with what the largest one has.
    """
    if order.config is None:
        return
    asked = _asked(order.config, order, cpus)
    if any(all(has.get(what, count) >= count for what, count in asked.items()) for has in machines):
        return
    for what, count in asked.items():
        largest = max(has.get(what, count) for has in machines)
        if largest < count:
            raise UserError(
                f"runtime.{_KEYS[what]} is {count:g}, and no machine of {name} has more than {largest:g} {_WORDS[what]}"
            )
    wanted = " and ".join(f"{count:g} {_WORDS[what]}" for what, count in asked.items())
    raise UserError(f"a worker asks for {wanted}, and no machine of {name} has them together")


def _asked(config: Config, order: Order, cpus: float) -> dict[str, float]:
    need, memory = order.need(cpus), config.runtime.memory_mb_per_worker
    asked = {"CPU": need.cpus, "GPU": need.gpus, MEMORY: 0.0 if memory == "auto" else float(memory)}
    return {what: count for what, count in asked.items() if count}
