"""What stands in the way of a cluster in a place, asked before anything of it is made."""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from evonas.errors import UserError
from evonas.launch import programs
from evonas.launch.kubernetes.kubectl import Place
from evonas.launch.kubernetes.manifests import named, resource
from evonas.launch.kubernetes.pod_objects import ACCOUNT, CLUSTER, OBJECTS, POOLS, SECRET

OPERATOR = (
    "helm install kuberay-operator kuberay-operator --repo https://ray-project.github.io/kuberay-helm/ --version 1.7.1"
)
Asked = tuple[str, str, tuple[str, ...]]
"""What is to be done with what, and further words of kubectl."""
_AT_ONCE = 8
_CANNOT = re.compile(r'cannot (\w+) resource "([^"]+)"')


def check_kuberay(here: Place) -> None:
    """Lets go on where Kubernetes knows clusters of Ray, which who has one namespace alone may ask, too.

    Raises:
        UserError: It does not, or does not let this user see them.
    """
    code, said = programs.ask(*here.line("get", CLUSTER, "--ignore-not-found", "-o", "name"))
    if code and "have a resource type" in said:
        raise UserError(f"KubeRay is not there in {here.context}: {OPERATOR}")
    if code:
        raise UserError(f"you may not see {CLUSTER} in {here}: {said}")


def check_there(here: Place) -> None:
    """Lets go on where the namespace is there, or kubectl does not say it.

    Raises:
        UserError: It is not.
    """
    code, said = programs.ask(*here.line("get", f"namespace/{here.namespace}", "--ignore-not-found", "-o", "name"))
    if not code and not said:
        words = Place(here.context, None).line("create", "namespace", str(here.namespace))
        raise UserError(f"there is no {here}: {shlex.join(words)}")


def check_rights(here: Place, parts: Sequence[Mapping[str, Any]], name: object) -> None:
    """Lets go on where this user may make all of a launch file, reach the head, and take down what is evonas's.

    Args:
        here: where the cluster is about to be.
        parts: the objects of the file.
        name: of the file, for people.

    Raises:
        UserError: Something of it this user may not do; all of that is said.
    """
    asked = list(dict.fromkeys([*_of_secrets(), *_of_parts(parts), *_of_pods()]))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(lambda one: _may(here, *one), asked))
    lacking = dict[str, list[str]]()
    for (verb, what, more), may in zip(asked, answers, strict=True):
        if not may:
            lacking.setdefault(" ".join([what, *more]), []).append(verb)
    if lacking:
        said = "; ".join(f"{', '.join(verbs)} {what}" for what, verbs in lacking.items())
        raise UserError(
            f"you may not in {here}: {said}; nothing was started: have these rights given, or what others have made "
            f"taken out of {name}"
        )


def lacking(said: str) -> str:
    """What to ask for where kubectl says that a right is lacking; else nothing."""
    found = _CANNOT.search(said)
    return f": have the right to {found[1]} {found[2]} given" if found else ""


def _of_parts(parts: Iterable[Mapping[str, Any]]) -> Iterable[Asked]:
    for part in parts:
        takes_down = ("delete",) if named(part) in {*OBJECTS, *POOLS} else ()
        yield from ((verb, resource(part), ()) for verb in ("get", "create", "patch", *takes_down))


def _of_secrets() -> Iterable[Asked]:
    for name in (SECRET, ACCOUNT):
        yield from ((verb, name.partition("/")[0], ()) for verb in ("get", "create", "patch", "delete"))


def _of_pods() -> Iterable[Asked]:
    """What runs in the cluster and beside it, and the way to its head."""
    return [("list", "pods", ()), ("list", "rayjobs.ray.io", ()), ("create", "pods", ("--subresource=portforward",))]


def _may(here: Place, verb: str, what: str, more: tuple[str, ...]) -> bool:
    code, said = programs.ask(*here.line("auth", "can-i", verb, what, *more))
    return not code and said == "yes"
