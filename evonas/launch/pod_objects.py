"""What `up` makes on Kubernetes, by names and by a label, so that it goes where file and state are lost, too."""

from collections.abc import Iterable

from evonas.launch import programs
from evonas.launch.guards import NAME
from evonas.launch.kubectl import Place

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
    named = there(place, *OBJECTS, *made)
    return [*named, *(name for name in labelled(place) if name not in map(_short, named))]


def delete(place: Place, made: Iterable[str]) -> None:
    """Deletes what `all_there` names; what is not there is no error.

    Raises:
        Halted: kubectl cannot delete it.
    """
    names = dict.fromkeys((*OBJECTS, *made, *labelled(place)))
    programs.run(*place.line("delete", *names, "--ignore-not-found"))


def label(place: Place, name: str) -> None:
    """Marks what was made beside the launch file as this user's own to take down."""
    programs.ask(*place.line("label", name, LABEL, "--overwrite"))


def _short(name: str) -> str:
    """`networkpolicy/evonas` of `networkpolicy.networking.k8s.io/evonas`."""
    kind, _, own = name.partition("/")
    return f"{kind.partition('.')[0]}/{own}"
