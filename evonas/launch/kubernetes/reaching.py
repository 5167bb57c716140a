"""Which place is meant, and what is said where kubectl has it not, or does not reach its Kubernetes."""

import re
from collections.abc import Iterable, Mapping

from evonas.errors import UserError
from evonas.launch import programs
from evonas.launch.kubernetes.kubectl import Place, contexts, server

_REQUEST_S = 20
_DEFAULT = "~/.kube/config"
_DAMAGED = re.compile(r'.*error loading config file "([^"]*)": (.*)')
_CREDENTIALS = ("must be logged in", "Unauthorized", "provide credentials", "getting credentials", "error: EOF")
"""In what kubectl says where a server does not take whoever asks, or where no credentials are to be had. It asks for a
name where its file has no user, and meets the end of its input."""


def place(given: Mapping[str, str], known: Mapping[str, str]) -> Place:
    """The place that is said, else that of the first line, and without one that to which kubectl is set.

    Args:
        given: option -> value, of this line.
        known: the same, of earlier lines; a namespace of one is of its context.

    Raises:
        UserError: kubectl has no such context, or cannot read its file.
    """
    context = given.get("context") or known.get("context")
    of_known = context == known.get("context") or "context" not in known
    said = given.get("namespace") or (known.get("namespace") if of_known else None)
    if not context:
        code, answer = programs.ask("kubectl", "config", "current-context")
        if code:
            _check_kubeconfig(answer)
            return Place(None, said, bool(said))
        context = answer
    view = ("config", "view", "--minify", "-o", "jsonpath={.contexts[0].context.namespace}")
    code, found = programs.ask(*Place(context, None).line(*view))
    if code:
        _check_kubeconfig(found)
        raise _no_context(context, _why(context, given, known), found)
    return Place(context, said or found or "default", bool(said))


def check_same(here: Place, started_in: str) -> None:
    """Lets go on where a context means the Kubernetes that it meant when the cluster was started, or nothing says that.

    Args:
        here: a place in it.
        started_in: address of the Kubernetes in which the cluster was started; empty where that is not known.

    Raises:
        UserError: It means another by now; with the contexts that mean the one, as far as there are any.
    """
    now = server(here) if started_in else ""
    if not now or now == started_in:
        return
    known = contexts() or []
    same = [name for name in known if server(Place(name, None)) == started_in]
    others = f"there are: {_list(known)}: --context NAME, {here.context} as well if its address alone has changed"
    raise UserError(
        f"context {here.context} of kubectl is another Kubernetes now ({now}) than the cluster was started in "
        f"({started_in}); {f'that one is {same[0]} now: --context {same[0]}' if same else others}"
    )


def check_reached(here: Place) -> None:
    """Makes sure that kubectl reaches a Kubernetes, which takes this user.

    Args:
        here: a place in it.

    Raises:
        UserError: It does not; in one line, with what to do.
    """
    if not here.context:
        raise UserError(f"kubectl has no context (KUBECONFIG, else {_DEFAULT}): --context NAME, once it has one")
    code, said = programs.ask(*here.line(f"--request-timeout={_REQUEST_S}s", "get", "--raw=/api"))
    if not code or said.startswith("Error from server"):  # it answers, and may not show this
        return
    if any(sign in said for sign in _CREDENTIALS):
        raise UserError(
            f"context {here.context} of kubectl: its credentials have expired or are not taken ({_short(said)}): log "
            f"in again (as by `gcloud auth login`, `aws sso login`), or --context NAME{_others(here)}"
        )
    raise UserError(
        f"context {here.context} of kubectl: its Kubernetes does not answer ({_short(said)}): see that it runs and "
        f"that this machine reaches it, or --context NAME{_others(here)}"
    )


def _check_kubeconfig(said: str) -> None:
    """Raises UserError where it is this that kubectl says: it cannot read its file."""
    if found := _DAMAGED.fullmatch(said):
        raise UserError(f"kubectl cannot read {found[1]} ({found[2]}): mend it, or KUBECONFIG=FILE of another")


def _why(context: str, given: Mapping[str, str], known: Mapping[str, str]) -> str:
    if given.get("context"):
        return f"--context {context}"
    if known.get("context"):
        return f"the cluster was started in context {context}"
    return f"kubectl is set to context {context}"


def _no_context(context: str, why: str, said: str) -> UserError:
    known = contexts()
    if known is None or context in known:
        return UserError(f"{why}, which kubectl does not show: {said}")
    there = f"there are: {_list(known)}" if known else f"it has none at all (KUBECONFIG, else {_DEFAULT})"
    return UserError(f"{why}, and kubectl has none of that name (renamed, removed?); {there}: --context NAME")


def _others(here: Place) -> str:
    more = [name for name in contexts() or () if name != here.context]
    return f" of {_list(more)}" if more else ""


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _short(said: str) -> str:
    return said.removeprefix("error: ").removeprefix("Unable to connect to the server: ")
