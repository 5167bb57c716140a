"""Which Kubernetes is meant, and which namespace of it: each line of kubectl says both."""

from collections.abc import Mapping
from dataclasses import dataclass

from evonas.launch import programs

_CLUSTERS = r"jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name}{'\n'}{end}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a cluster is.

    Args:
        context: of kubectl; None where kubectl knows no Kubernetes.
        namespace: in it; None as the context.
        is_known: whether somebody has said it, and it is not what kubectl is set to now.
    """

    context: str | None
    namespace: str | None
    is_known: bool = False

    @property
    def name(self) -> str:
        """As a state knows it."""
        return f"{self.context}/{self.namespace}"

    def __str__(self) -> str:
        return f"namespace {self.namespace} of {self.context}"

    def line(self, *words: str) -> list[str]:
        """A line of kubectl that means this place, whatever kubectl is set to."""
        options = {"context": self.context, "namespace": self.namespace}
        return ["kubectl", *(f"--{option}={value}" for option, value in options.items() if value), *words]


def place(given: Mapping[str, str], known: Mapping[str, str]) -> Place:
    """The place that is said, else that of the first line, and without one that to which kubectl is set.

    Args:
        given: option -> value, of this line.
        known: the same, of earlier lines; a namespace of one is of its context.

    Raises:
        UserError: kubectl does not say the namespace of its context.
    """
    context = given.get("context") or known.get("context")
    of_known = context == known.get("context") or "context" not in known
    said = given.get("namespace") or (known.get("namespace") if of_known else None)
    if not context:
        code, answer = programs.ask("kubectl", "config", "current-context")
        if code:
            return Place(None, said, bool(said))
        context = answer
    view = ("config", "view", "--minify", "-o", "jsonpath={.contexts[0].context.namespace}")
    return Place(context, said or programs.answer(*Place(context, None).line(*view)) or "default", bool(said))


def contexts() -> list[str]:
    """The contexts that kubectl knows; none where it does not say them."""
    code, said = programs.ask("kubectl", "config", "get-contexts", "-o", "name")
    return [] if code else said.split("\n")


def clusters(here: Place, name: str) -> tuple[list[str], str]:
    """The namespaces that have a RayCluster of a name.

    Args:
        here: whose context is meant.
        name: of the RayCluster.

    Returns:
        The namespaces, and why kubectl does not say them; empty where it does.
    """
    code, said = programs.ask(*here.line("get", "rayclusters.ray.io", "--all-namespaces", "-o", _CLUSTERS))
    if code:
        return [], "" if "have a resource type" in said else said  # where there is no KubeRay there is no cluster of it
    found = (line.rpartition("/") for line in said.splitlines())
    return [namespace for namespace, _, each in found if each == name], ""
