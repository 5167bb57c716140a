"""Whether a launch file asks a machine for more GPUs than its type has: such a worker would be waited for in vain."""

from collections.abc import Iterator, Mapping
from typing import Any

from evonas.errors import UserError
from evonas.launch.costs import type_of
from evonas.launch.numbers import number
from evonas.launch.pod_labels import groups, selected_types
from evonas.prices import NODE_TYPE_LABEL, list_prices

_GPU = "nvidia.com/gpu"


def check_pods(spec: Mapping[str, Any], name: object) -> None:
    """Lets go on where each pod fits on a machine of the type that its group has.

    Args:
        spec: of the RayCluster.
        name: of the file, for people.

    Raises:
        UserError: One asks for more GPUs than that has.
        ValueError: A count is none.
    """
    for group, types, asked in _pods(spec):
        known = [list_prices().gpus_of(type_) for type_ in types]
        if None not in known and known:
            _check(f"{name}: {group}", asked, types, max(count or 0 for count in known), "pods")


def unknown_of_pods(spec: Mapping[str, Any]) -> list[str]:
    """A line for each group that asks for GPUs of a type of which nobody knows how many it has."""
    return [line for found in _pods(spec) for line in _unknown(*found)]


def check_machines(launch: Mapping[str, Any], name: object) -> None:
    """The same as `check_pods` of a launch file of Ray, whose `resources` say what a machine has.

    Raises:
        UserError: A type of machine is said to have more GPUs than it has.
        ValueError: A count is none.
    """
    for group, (type_,), asked in _machines(launch):
        if (known := list_prices().gpus_of(type_)) is not None:
            _check(f"{name}: {group}", asked, [type_], known, "workers")


def unknown_of_machines(launch: Mapping[str, Any]) -> list[str]:
    """The same as `unknown_of_pods` of a launch file of Ray."""
    return [line for found in _machines(launch) for line in _unknown(*found)]


def _unknown(group: str, types: list[str], asked: float) -> Iterator[str]:
    if asked and (unknown := [type_ for type_ in types if list_prices().gpus_of(type_) is None]):
        names = ", ".join(type_.removesuffix(".spot") for type_ in unknown)
        yield f"GPUs of {names} are not known, and {group} asks for {asked:g}: with fewer its workers never start"


def _machines(launch: Mapping[str, Any]) -> Iterator[tuple[str, list[str], float]]:
    """Name of each type, the machine that it is, and its GPUs as Ray is told them."""
    for group, kind in launch["available_node_types"].items():
        gpus = (kind.get("resources") or {}).get("GPU", 0)
        yield group, [type_of(kind["node_config"])], number(gpus, f"GPU of {group}")


def _pods(spec: Mapping[str, Any]) -> Iterator[tuple[str, list[str], float]]:
    """Name of each group, the machines that it may get, where anything says them, and the GPUs that it asks for."""
    for group, said in groups(spec):
        pod = said["template"]["spec"]
        label = (said.get("labels") or {}).get(NODE_TYPE_LABEL)
        yield group, [str(label)] if label else selected_types(pod), max(_asked(group, said, pod))


def _check(whose: str, asked: float, types: list[str], known: int, what: str) -> None:
    if asked > known:
        raise UserError(
            f"{whose} asks for {asked:g} GPUs, and a machine of its type, {' or '.join(types)}, has {known}: its "
            f"{what} would never start; make them one"
        )


def _asked(name: str, group: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[float]:
    """GPUs of a pod: what its containers ask Kubernetes for, and what Ray is told that there is."""
    beside = [each for each in pod.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    yield sum(_of(each, name) for each in (*pod["containers"], *beside))
    yield from (_of(each, name) for each in pod.get("initContainers") or ())  # one after the other, before the others
    yield number((group.get("rayStartParams") or {}).get("num-gpus", 0), f"num-gpus of {name}")


def _of(container: Mapping[str, Any], name: str) -> float:
    """GPUs of a container, which Kubernetes gives whole."""
    resources = container.get("resources") or {}
    counts = [(resources.get(kind) or {}).get(_GPU, 0) for kind in ("limits", "requests")]
    if wrong := [count for count in counts if not str(count).isdecimal()]:
        raise ValueError(f"{_GPU} of {name} is {wrong[0]!r}, and is a whole number from 0")
    return max(map(float, counts))
