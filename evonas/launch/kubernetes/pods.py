"""What the launch file of Kubernetes says of its pods, as its user may have changed it."""

import json
import re
from pathlib import Path
from typing import Any

from evonas.clusters.needed import custom_resources
from evonas.errors import UserError
from evonas.launch.costs import estimate
from evonas.launch.kubernetes.manifests import objects
from evonas.launch.kubernetes.pod_counts import Count, counts
from evonas.launch.kubernetes.pod_labels import groups
from evonas.launch.launch_files.fitting import MEMORY, Kind, Room
from evonas.launch.order import Order
from evonas.prices import NODE_TYPE_LABEL

_UNITS = {"m": 1e-3, "": 1.0}
_UNITS |= {unit: 10.0 ** (3 * power) for power, unit in enumerate("kMGTP", 1)}
_UNITS |= {f"{unit}i": 2.0 ** (10 * power) for power, unit in enumerate("KMGTP", 1)}
_QUANTITY = re.compile(rf"([\d.]+(?:[eE]\d+)?)({'|'.join(_UNITS)})")


def machines(text: str, order: Order) -> list[estimate.Machine]:
    """The groups of the file, by the label of their machines; without one only the user knows what a pod costs."""
    prices = order.prices
    spec = cluster(text)["spec"]
    known = {"headgroup": Count(1, 1, 1), **counts(spec)}
    found = []
    for name, group in groups(spec):
        type_ = (group.get("labels") or {}).get(NODE_TYPE_LABEL, name)
        own = json.loads(((group.get("rayStartParams") or {}).get("resources") or "{}").strip("'"))
        board = bool(custom_resources({"resources": json.loads(own) if isinstance(own, str) else own}))
        found.append(
            estimate.Machine(type_, name, known[name].least, known[name].most, prices.of((type_, name)), board)
        )
    return found


def cluster(text: str) -> dict[str, Any]:
    """The RayCluster of the file."""
    found = [part for part in objects(text) if part["kind"] == "RayCluster"]
    if len(found) != 1:
        raise ValueError(f"it has {len(found) or 'no'} RayCluster{'s' * bool(found)}, and one is what is started")
    return found[0]


def room(text: str, cpus: float) -> Room:
    """The pods that a search can have, with what each group's has of Ray's resources: its limits, or what it is started
    with.

    Args:
        text: of the file.
        cpus: of a worker, where the config does not say.
    """
    found, spec = [], cluster(text)["spec"]
    known_counts = counts(spec)
    for group in (each for each in spec["workerGroupSpecs"] if known_counts[each["groupName"]].most):
        limits = group["template"]["spec"]["containers"][0]["resources"].get("limits") or {}
        said = group.get("rayStartParams") or {}
        gpus = said.get("num-gpus", limits.get("nvidia.com/gpu", 0))
        has = {"CPU": said.get("num-cpus", limits.get("cpu")), "GPU": gpus, MEMORY: limits.get("memory")}
        known = {name: quantity(count, name) for name, count in has.items() if count is not None}
        found.append(Kind(group["groupName"], known, known_counts[group["groupName"]].most))
    most = sum(kind.most for kind in found)
    by = "maxReplicas" if spec.get("enableInTreeAutoscaling") else "replicas, without the autoscaler"
    return Room(found, most, f"the launch file allows {most} pods ({by})", cpus)


def check_run(text: str, run: str | None) -> None:
    """Lets go on where the record of a search outlives the head's pod.

    Raises:
        UserError: Its folder is a path in the pod, and none of a volume that the file mounts there.
    """
    if run is None or "://" in run:
        return
    spec = cluster(text)["spec"]["headGroupSpec"]["template"]["spec"]
    lasting = {volume["name"] for volume in spec.get("volumes") or () if "emptyDir" not in volume}
    mounts = [mount for pod in spec["containers"] for mount in pod.get("volumeMounts") or ()]
    if not any(Path(run).is_relative_to(mount["mountPath"]) for mount in mounts if mount["name"] in lasting):
        raise UserError(
            f"run folder {run} goes with the head's pod, which mounts no volume there: --run gs://BUCKET/..."
        )


def quantity(count: object, name: str) -> float:
    """What Kubernetes writes as `3`, `500m`, `10Gi`.

    Args:
        count: as it is written.
        name: of what; `memory` is counted in MB.

    Raises:
        ValueError: It is no number.
    """
    parts = _QUANTITY.fullmatch(str(count))
    if parts is None:
        raise ValueError(f"{count!r} is no number of Kubernetes'")
    return float(parts[1]) * _UNITS[parts[2]] / (10**6 if name == MEMORY else 1)
