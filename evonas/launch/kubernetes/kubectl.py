"""Which Kubernetes is meant, and which namespace of it: each line of kubectl says both."""

import json
from dataclasses import dataclass
from typing import Any

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


def listed(said: str) -> list[dict[str, Any]]:
    """The objects that kubectl has said in JSON: several, one or, as nothing, none."""
    found = json.loads(said or "{}")
    return list(found.get("items", [found] if found else []))


def contexts() -> list[str] | None:
    """The contexts that kubectl knows; None where it does not say them."""
    code, said = programs.ask("kubectl", "config", "get-contexts", "-o", "name")
    return None if code else said.split()


def server(here: Place) -> str:
    """The address of the Kubernetes of a place, which is the same whatever its context is called; empty where kubectl
    does not say it."""
    view = ("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}")
    code, said = programs.ask(*Place(here.context, None).line(*view))
    return "" if code else said


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
