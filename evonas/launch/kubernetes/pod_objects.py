"""What `up` makes on Kubernetes, by names and by a label, so that it goes where file and state are lost, too."""

from collections.abc import Iterable

from evonas.launch import programs
from evonas.launch.kubernetes.kubectl import Place
from evonas.launch.launch_files.guards import NAME

CLUSTER = f"raycluster/{NAME}"
SECRET, ACCOUNT = f"secret/{NAME}-auth", f"serviceaccount/{NAME}"
"""Made beside the launch file, or by its user before."""
OBJECTS = (
    CLUSTER,
    f"configmap/{NAME}-settings",
    f"networkpolicy/{NAME}",
    f"poddisruptionbudget/{NAME}-head",
    f"poddisruptionbudget/{NAME}-measure",
)
"""Of a namespace, as kustomize builds them for every platform; an older evonas has made them without the label."""
POOLS = (f"nodepool/{NAME}-spot", f"nodepool/{NAME}-head", f"nodepool/{NAME}-measure")
"""Of all of Kubernetes, on Amazon's."""
LABEL = f"app.kubernetes.io/part-of={NAME}"
_KINDS = "configmap,networkpolicy,poddisruptionbudget,secret,serviceaccount"
"""Of what has the label. A RayCluster is known by its name: that of a job has the job's labels, and is the job's."""


def there(place: Place, *names: str) -> list[str]:
    """Those of these objects that are there.

    Raises:
        UserError: kubectl does not say.
    """
    return programs.answer(*place.line("get", *names, "--ignore-not-found", "-o", "name")).split()


def labelled(place: Place) -> list[str]:
    """What has the label, by kind and name; nothing where one may not list that: names say the most of it."""
    code, said = programs.ask(*place.line("get", _KINDS, "-l", LABEL, "--ignore-not-found", "-o", "name"))
    return [] if code else [_short(name) for name in said.split()]


def all_there(place: Place, made: Iterable[str]) -> list[str]:
    """What there is of a cluster, but its pods.

    Args:
        place: where it is.
        made: what was made beside the launch file, as far as a state knows it.

    Raises:
        UserError: kubectl does not say.
    """
    named = there(place, *of_known_kinds(place, OBJECTS), *made)
    return [*named, *(name for name in labelled(place) if name not in map(_short, named))]


def delete(place: Place, made: Iterable[str]) -> None:
    """Deletes what `all_there` names; what is not there is no error.

    Raises:
        Halted: kubectl cannot delete it.
    """
    names = dict.fromkeys((*of_known_kinds(place, OBJECTS), *made, *labelled(place)))
    programs.run(*place.line("delete", *names, "--ignore-not-found"))


def delete_cluster(place: Place) -> None:
    """Deletes the RayCluster alone, as a job that is there needs the rest.

    Raises:
        Halted: kubectl cannot delete it.
    """
    if names := of_known_kinds(place, [CLUSTER]):
        programs.run(*place.line("delete", *names, "--ignore-not-found"))


def jobs(place: Place) -> list[str]:
    """What else has the network policy, the token and the account: the job of the launch files, and pods with the
    label that are of no cluster of this name; none where kubectl does not say."""
    others = f"{LABEL},ray.io/cluster!={NAME}"
    lines = (
        ("get", f"rayjob/{NAME}", "--ignore-not-found", "-o", "name"),
        ("get", "pods", "-l", others, "--field-selector=status.phase!=Succeeded,status.phase!=Failed", "-o", "name"),
    )
    said = [programs.ask(*place.line(*line)) for line in lines]
    return [name for code, names in said if not code for name in names.split()]


def of_known_kinds(place: Place, names: Iterable[str]) -> list[str]:
    """These, without the RayCluster where KubeRay is gone, and all clusters with it: kubectl would refuse the line."""
    code, said = programs.ask(*place.line("get", CLUSTER, "--ignore-not-found", "-o", "name"))
    is_gone = bool(code) and "have a resource type" in said
    return [name for name in names if not (is_gone and name == CLUSTER)]


def label(place: Place, name: str) -> None:
    """Marks what was made beside the launch file as this user's own to take down."""
    programs.ask(*place.line("label", name, LABEL, "--overwrite"))


def is_cluster(name: str) -> bool:
    """Whether this is the RayCluster, as kubectl names it."""
    return _short(name) == CLUSTER


def _short(name: str) -> str:
    """`networkpolicy/evonas` of `networkpolicy.networking.k8s.io/evonas`."""
    kind, _, own = name.partition("/")
    return f"{kind.partition('.')[0]}/{own}"
