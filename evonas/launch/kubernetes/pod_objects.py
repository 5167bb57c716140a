"""What `up` makes on Kubernetes, by names: it goes where file and state are lost, too, and nothing else does."""

from collections.abc import Mapping, Sequence
from typing import Any

from evonas.launch import programs
from evonas.launch.kubernetes.kubectl import Place, listed
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
SELECTED = f"ray.io/cluster={NAME}"
PODS = ("get", "pods", "-l", SELECTED)
_LABELS = (
    r"jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.labels.app\.kubernetes\.io/part-of}{'\n'}{end}"
)


def there(place: Place, *names: str) -> list[str]:
    """Those of these objects that are there.

    Raises:
        UserError: kubectl does not say.
    """
    return programs.answer(*place.line("get", *names, "--ignore-not-found", "-o", "name")).split()


def cluster(place: Place) -> tuple[list[str], list[str]]:
    """The RayCluster, and why kubectl does not show it; where KubeRay is gone, all clusters are, too."""
    found, unsaid = _shown(place.line("get", CLUSTER, "--ignore-not-found", "-o", "name"))
    return found, [] if any("have a resource type" in why for why in unsaid) else unsaid


def beside(place: Place) -> tuple[dict[str, bool], list[str]]:
    """Secret and account -> whether they have the label, and why kubectl does not show others, a line each."""
    line = place.line("get", SECRET, ACCOUNT, "--ignore-not-found", "-o", _LABELS)
    code, said, errors = programs.unseen(*line)
    found = (each.partition(" ") for each in said.splitlines())
    return {name.lower(): value == NAME for name, _, value in found}, programs.reasons(code, errors)


def delete(place: Place, names: Sequence[str]) -> None:
    """Deletes objects; what is not there is no error.

    Raises:
        Halted: kubectl cannot delete one.
    """
    if names:
        programs.run(*place.line("delete", *map(plain, names), "--ignore-not-found"))


def pods(place: Place) -> tuple[list[str], list[str]]:
    """Those of the cluster, and why kubectl does not show them."""
    return _shown(place.line(*PODS, "-o", "name"))


def jobs(place: Place) -> tuple[list[str], list[str]]:
    """What else has the network policy, the token and the account: jobs of the launch files, whatever their name, also
    one that waits for its cluster, and pods with the label that are of no cluster of this name; and why kubectl does
    not show such, a line each."""
    code, said = programs.ask(*place.line("get", "rayjobs.ray.io", "-o", "json"))
    found = [] if code else listed(said)
    names = [f"rayjob/{job['metadata']['name']}" for job in found if _has_guards(job)]
    not_its = f"{LABEL},ray.io/cluster!={NAME}"
    living = "--field-selector=status.phase!=Succeeded,status.phase!=Failed"
    others, unsaid = _shown(place.line("get", "pods", "-l", not_its, living, "-o", "name"))
    return [*names, *others], [*([said] if code and "have a resource type" not in said else []), *unsaid]


def _shown(line: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names that kubectl says, which leaves out what it may not, and its errors."""
    code, said, errors = programs.unseen(*line)
    return said.split(), programs.reasons(code, errors)


def _has_guards(job: Mapping[str, Any]) -> bool:
    """Whether a job is of this name, or it or its pods have the label by which the network policy knows them."""
    head = job.get("spec", {}).get("rayClusterSpec", {}).get("headGroupSpec", {}).get("template", {})
    labels = [part.get("metadata", {}).get("labels") or {} for part in (job, head)]
    key, _, value = LABEL.partition("=")
    return job["metadata"]["name"] == NAME or any(each.get(key) == value for each in labels)


def label(place: Place, name: str) -> None:
    """Marks what was made beside the launch file as this user's own to take down."""
    programs.ask(*place.line("label", name, LABEL, "--overwrite"))


def plain(name: str) -> str:
    """Kind and name of an object without its group, which kubectl names: `raycluster.ray.io/evonas`."""
    kind, _, its = name.partition("/")
    return f"{kind.partition('.')[0]}/{its}"


def is_cluster(name: str) -> bool:
    """Whether this is the RayCluster."""
    return plain(name) == CLUSTER
