"""How many GPUs the pods of a RayCluster ask their machines for."""

from collections.abc import Iterator, Mapping
from typing import Any

from evonas.launch.kubernetes.pod_labels import groups, types_of
from evonas.launch.launch_files.gpu_counts import Asked
from evonas.launch.launch_files.numbers import number

_GPU = "nvidia.com/gpu"


def asked_of_machines(spec: Mapping[str, Any]) -> Iterator[Asked]:
    """What each group of pods asks of its machine.

    Args:
        spec: of the RayCluster.

    Raises:
        ValueError: A count is none.
    """
    for group, said in groups(spec):
        yield Asked(group, types_of(said), max(_asked(group, said, said["template"]["spec"])))


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
