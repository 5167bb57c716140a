"""Whether the machines that pods of Kubernetes select are what labels say, by which prices are looked up."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from evonas.errors import UserError
from evonas.prices import NODE_TYPE_LABEL, list_prices

_TYPES = ("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type")
_FAMILIES = (
    "cloud.google.com/machine-family",
    "karpenter.k8s.aws/instance-family",
    "eks.amazonaws.com/instance-family",
)
_GPU = "cloud.google.com/gke-accelerator"
_SPOT = {
    "karpenter.sh/capacity-type": {"spot": True, "on-demand": False, "reserved": False},
    "eks.amazonaws.com/capacityType": {"SPOT": True, "ON_DEMAND": False},
    "cloud.google.com/gke-provisioning": {"spot": True, "preemptible": True, "standard": False},
    "cloud.google.com/gke-spot": {"true": True, "false": False},
    "cloud.google.com/gke-preemptible": {"true": True, "false": False},
}
"""Label of a node -> its value -> whether that is spot."""
_BY_TYPE = (
    *("cloud.google.com/gke-nodepool", "cloud.google.com/compute-class", "eks.amazonaws.com/nodegroup"),
    *("karpenter.sh/nodepool", "kubernetes.azure.com/agentpool", "nvidia.com/gpu.product", "kubernetes.io/hostname"),
)
"""Labels of a node that say its type by a pool or a part of it: what that is the user knows."""
_PARTS_OF_TYPE = ("karpenter.k8s.aws/instance-", "eks.amazonaws.com/instance-")
"""How Amazon's labels of this kind begin."""
_GPUS = {
    "nvidia-l4": "g2-",
    "nvidia-tesla-a100": "a2-highgpu-",
    "nvidia-a100-80gb": "a2-ultragpu-",
    "nvidia-h100-80gb": "a3-highgpu-",
}
"""GPU, as Google names it -> how its machines' types begin."""


def check_labels(spec: Mapping[str, Any], name: object) -> None:
    """Lets go on where no label is another machine's than its group's pods select.

    Args:
        spec: of the RayCluster.
        name: of the file, for people.

    Raises:
        UserError: One is.
    """
    for group, said in groups(spec):
        label = str((said.get("labels") or {}).get(NODE_TYPE_LABEL, ""))
        if label not in list_prices().usd_per_hour:
            continue
        for key, value in selected(said["template"]["spec"]):
            if not _is_of(label, key, value):
                raise UserError(
                    f"{name}: {group} selects {key}: {value}, and its label {NODE_TYPE_LABEL}, by which its price is "
                    f"looked up, says {label}: make them one"
                )


def unselected(spec: Mapping[str, Any]) -> list[str]:
    """Lines where pods may get machines of another price than the one that is looked up: who selects no type may get
    any, Karpenter may take any of its pools', and who selects no spot machines may get others."""
    found = []
    for group, said in groups(spec):
        keys = {key for key, _ in selected(said["template"]["spec"])}
        label = str((said.get("labels") or {}).get(NODE_TYPE_LABEL, ""))
        if label and not _say_type(keys, bool(list_prices().gpus_of(label))):
            found.append(
                f"{group} selects no type of machine (nodeSelector: {{{_TYPES[0]}: {_machine(label)}}}): it may get "
                f"any, at its price, and counts as {label}"
            )
        elif label and keys.isdisjoint(_TYPES) and any(key.startswith("karpenter.sh/") for key in keys):
            found.append(
                f"{group} selects no {_TYPES[0]}: its machines may be others than {label}, by which they count"
            )
        if label.endswith(".spot") and keys.isdisjoint(_SPOT):
            found.append(f"{group} selects no spot machines: it may get others at their price, and counts as {label}")
    return found


def groups(spec: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The head's group and those of workers, each with its name."""
    return [("headgroup", spec["headGroupSpec"]), *((group["groupName"], group) for group in spec["workerGroupSpecs"])]


def types_of(group: Mapping[str, Any]) -> list[str]:
    """The types of machines of a group: that of its label, else those that its pods select."""
    label = (group.get("labels") or {}).get(NODE_TYPE_LABEL)
    return [str(label)] if label else [value for key, value in selected(group["template"]["spec"]) if key in _TYPES]


def selected(pod: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Label of a node, and a value that it may have: of the pod's selector and of the affinity that it requires."""
    yield from ((key, str(value)) for key, value in (pod.get("nodeSelector") or {}).items())
    required = (pod.get("affinity") or {}).get("nodeAffinity") or {}
    terms = (required.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms") or ()
    for one in (one for term in terms for one in term.get("matchExpressions") or () if one["operator"] == "In"):
        yield from ((one["key"], str(value)) for value in one["values"])


def _say_type(keys: Collection[str], has_gpu: bool) -> bool:
    """Whether any label of a node, by which a pod selects it, says its type; one that says spot or not does so of a
    machine without a GPU, of which Google's and Amazon's own files have one kind."""
    known = {*_TYPES, *_FAMILIES, _GPU, *_BY_TYPE, *(() if has_gpu else _SPOT)}
    return any(key in known or key.startswith(_PARTS_OF_TYPE) for key in keys)


def _is_of(label: str, key: str, value: str) -> bool:
    """Whether a machine that a table of prices names so can have this label of a node; one that says nothing, too."""
    machine = label.removesuffix(".spot")
    if key in _TYPES:
        return value == _machine(label)
    if key in _FAMILIES:
        return machine.startswith((f"{value}-", f"{value}."))
    if key == _GPU:
        return machine.endswith(f".{value}") or machine.startswith(_GPUS.get(value, "none"))
    return _SPOT.get(key, {}).get(value, label.endswith(".spot")) == label.endswith(".spot")


def _machine(label: str) -> str:
    """The type as Kubernetes names it, of a name in a table of prices."""
    return label.removesuffix(".spot").partition(".nvidia-")[0]
