"""Whether a launch file asks a machine for more GPUs than its type has: such a worker would be waited for in vain."""

from collections.abc import Iterator, Mapping
from typing import Any

from evonas.errors import UserError
from evonas.launch.costs import type_of
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
    for group, said in groups(spec):
        pod = said["template"]["spec"]
        label = (said.get("labels") or {}).get(NODE_TYPE_LABEL)
        types = [str(label)] if label else selected_types(pod)
        known = [list_prices().gpus_of(type_) for type_ in types]
        if None not in known and known:
            _check(f"{name}: {group}", max(_asked(said, pod)), types, max(count or 0 for count in known), "pods")


def check_machines(launch: Mapping[str, Any], name: object) -> None:
    """The same of a launch file of Ray, whose `resources` say what a machine has.

    Raises:
        UserError: A type of machine is said to have more GPUs than it has.
    """
    for group, kind in launch["available_node_types"].items():
        type_ = type_of(kind["node_config"])
        if (known := list_prices().gpus_of(type_)) is not None:
            asked = float((kind.get("resources") or {}).get("GPU", 0))
            _check(f"{name}: {group}", asked, [type_], known, "workers")


def _check(whose: str, asked: float, types: list[str], known: int, what: str) -> None:
    if asked > known:
        raise UserError(
            f"{whose} asks for {asked:g} GPUs, and a machine of its type, {' or '.join(types)}, has {known}: its "
            f"{what} would never start; make them one"
        )


def _asked(group: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[float]:
    """GPUs of a pod: what its containers ask Kubernetes for, and what Ray is told that there is."""
    resources = [each.get("resources") or {} for each in pod["containers"]]
    yield sum(max(float((each.get(kind) or {}).get(_GPU, 0)) for kind in ("limits", "requests")) for each in resources)
    yield float((group.get("rayStartParams") or {}).get("num-gpus", 0))
