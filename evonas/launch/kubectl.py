"""Which Kubernetes is meant, and which namespace of it: each line of kubectl says both."""

from collections.abc import Mapping
from dataclasses import dataclass

from evonas.launch import programs


@dataclass(frozen=True, slots=True)
class Place:
    """Where a cluster is.

    Args:
        context: of kubectl; None where kubectl knows no Kubernetes.
        namespace: in it; None as the context.
    """

    context: str | None
    namespace: str | None

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


def place(known: Mapping[str, str]) -> Place:
    """The place of the first line, and without one that to which kubectl is set.

    Args:
        known: option -> value, of earlier lines.

    Raises:
        UserError: kubectl does not say the namespace of its context.
    """
    context = known.get("context")
    if not context:
        code, said = programs.ask("kubectl", "config", "current-context")
        if code:
            return Place(None, None)
        context = said
    view = ("config", "view", "--minify", "-o", "jsonpath={.contexts[0].context.namespace}")
    return Place(context, known.get("namespace") or programs.answer(*Place(context, None).line(*view)) or "default")
