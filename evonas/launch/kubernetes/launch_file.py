"""What is read of the launch file of Kubernetes, as its user may have changed it, before anything of it is made."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from evonas.errors import UserError
from evonas.launch.costs.estimate import Machine
from evonas.launch.kubernetes import pods
from evonas.launch.kubernetes.manifests import named, objects, yours
from evonas.launch.kubernetes.overlays import platform_in
from evonas.launch.kubernetes.pod_counts import from_the_start, idle_h, suspended
from evonas.launch.kubernetes.pod_gpus import asked_of_machines
from evonas.launch.kubernetes.pod_guards import changed_policy, check_guards, check_namespace
from evonas.launch.kubernetes.pod_labels import check_labels, unselected
from evonas.launch.kubernetes.pod_objects import ACCOUNT, POOLS
from evonas.launch.kubernetes.pod_sizes import check_sizes, unserved
from evonas.launch.launch_files import images
from evonas.launch.launch_files.fitting import Room, check_fits
from evonas.launch.launch_files.gpu_counts import check_counts, unknown_counts
from evonas.launch.launch_files.head_file import cure, head_file, said
from evonas.launch.order import Order

CPUS = 3
"""Of a worker, where the config does not say."""
UNCOUNTED = {
    "gke": "not counted on GKE: the control plane, $0.10 an hour (an account has one zonal cluster free), the machine "
    "that KubeRay runs on, $0.13 an hour, and a disk of each machine, of 150 GB $0.02 an hour",
    "eks": "not counted on EKS: Auto Mode's share, about an eighth of each machine's price on demand, the control "
    "plane, $0.10 an hour, and a disk of each machine",
    "plain": "not counted: what your Kubernetes costs beside these machines, as its control plane and disks",
}
"""Platform -> what its clouds ask beside the machines (list prices of 2026, as of cluster/README.md)."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a launch file says that nothing speaks against.

    Args:
        machines: its groups, with their prices.
        room: the pods that a search can have.
        idle_h: after which a pod goes that does nothing, hours.
        notes: what its user has to know, a line each.
    """

    machines: list[Machine]
    room: Room
    idle_h: float
    notes: tuple[str, ...]


def checked(text: str, copy: Path, order: Order, namespace: str | None, run: str | None) -> Checked:
    """Reads a launch file.

    Args:
        text: of the file.
        copy: where it is.
        order: what is asked for.
        namespace: in which its cluster is looked for later.
        run: the folder of the search; None: there is none.

    Raises:
        UserError: It cannot be what `up` starts.
    """
    spec = pods.cluster(text)["spec"]
    machines = pods.machines(text, order)
    check_labels(spec, copy)
    check_counts(asked_of_machines(spec), copy, "pods")
    check_sizes(spec, copy)
    check_guards(text, copy)
    check_namespace(text, namespace, copy)
    images.check_images(images.of_pods(pods.cluster(text)), copy)
    pods.check_run(text, run)
    check_fits(order, room := pods.room(text, CPUS), copy.name)
    if order.resources and not any(machine.board and machine.most for machine in machines):
        raise UserError(f"{copy} has no pod for {', '.join(sorted(order.resources))} of a target: replicas")
    return Checked(machines, room, idle_h(spec), tuple(_notes(text, copy, spec, order.anyway)))


@contextmanager
def reading(copy: Path) -> Iterator[None]:
    """Whatever else a launch file lacks that its user has changed is one line.

    Raises:
        UserError: It lacks something, or has something else in its place.
    """
    try:
        yield
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        why = f"no {error.args[0]}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise UserError(f"{copy} is not as kubectl takes it: {why}; {cure(copy)}") from None


def of_head(copy: Path, text: str) -> tuple[str, list[str]]:
    """The file that the head which is there was started with, where it is kept, else that which is edited.

    Args:
        copy: the launch file that is edited.
        text: what it is about to be.

    Returns:
        The file that is in force, and what its user has to know of that.
    """
    kept = path.read_text() if (path := head_file(copy)).exists() else None
    with reading(path):
        runs = _by_name(kept) if kept else None
    # A pool that is somebody else's was not in what was started.
    wanted = {name: part for name, part in _by_name(text).items() if name not in POOLS or (runs and name in runs)}
    return kept or text, said(copy, runs, wanted)


def _by_name(text: str) -> dict[str, Any]:
    return {
        "cluster" if part["kind"] == "RayCluster" else named(part): part.get("spec", part) for part in objects(text)
    }


def _of_head(head: Mapping[str, Any]) -> Iterator[str]:
    """Where the head is used otherwise than it comes."""
    cpus = (head.get("rayStartParams") or {}).get("num-cpus")
    if str(cpus) != "0":
        yield f'the head has CPUs for Ray (num-cpus: {cpus}): candidates may train beside the driver; as it comes: "0"'
    account = head["template"]["spec"].get("serviceAccountName", "default")
    if f"serviceaccount/{account}" != ACCOUNT:
        yield f"the head runs by serviceaccount/{account}, not by {ACCOUNT}: that one must be allowed to write the run"


def _notes(text: str, copy: Path, spec: Mapping[str, Any], anyway: bool) -> Iterator[str]:
    yield UNCOUNTED[platform_in(text)]
    yield from from_the_start(spec)
    yield from suspended(spec)
    yield from unselected(spec)
    yield from unknown_counts(asked_of_machines(spec))
    yield from unserved(spec, [part for part in objects(text) if part["kind"] == "NodePool"])
    yield from _of_head(spec["headGroupSpec"])
    yield from changed_policy(text)
    over = "over what has that name" if anyway else "unless another has that name"
    for name in yours(text):
        yield f"{name} of {copy} is none of evonas's own: applied {over}, not counted, and left by `down`"
