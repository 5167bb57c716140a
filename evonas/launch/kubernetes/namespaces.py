"""In which namespace of which Kubernetes the cluster of a folder is, and in which others one may be."""

import math
import shlex
from base64 import b64decode
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property

from evonas.errors import UserError
from evonas.launch import programs
from evonas.launch.kubernetes.kubectl import Place, clusters, contexts, server
from evonas.launch.kubernetes.pod_objects import CLUSTER, SECRET, beside, there
from evonas.launch.kubernetes.reaching import check_reached, check_same, place
from evonas.launch.launch_files.guards import NAME
from evonas.launch.order import Order
from evonas.launch.owned import check_own, other_token, owns, strange_token
from evonas.launch.recovered import said_in
from evonas.launch.state import State, read
from evonas.launch.tokens import digest, known_digest, token_file

FILES = ("my-head-cluster.yaml", "my-cluster.yaml", "cluster.yaml")
"""That say with which token a cluster was started."""


class Namespaces:
    """The namespaces of an order's context.

    Args:
        order: what is asked for.
    """

    def __init__(self, order: Order) -> None:
        self._order = order

    @cached_property
    def here(self) -> Place:
        """The one that is meant.

        Raises:
            UserError: kubectl has it not, or means another by its name than the state does.
        """
        order, state = self._order, self._order.state
        known, given = {**_owned(state), **state.given}, order.given.get("context")
        if given and state.server and server(Place(given, None)) == state.server:
            known["context"] = given  # renamed: its namespace is the same
        found = place(order.given, known)
        if not given:  # who gives it says which is meant
            check_same(found, state.server)
        return found

    @cached_property
    def reached(self) -> Place:
        """The one that is meant, in a Kubernetes that answers.

        Raises:
            UserError: It does not, or not to this user.
        """
        check_reached(self.here)
        return self.here

    @cached_property
    def server(self) -> str:
        """Address of the Kubernetes that is meant; empty where kubectl does not say it."""
        return server(self.here)

    @cached_property
    def names(self) -> list[str]:
        """As the state may know the place that is meant: by its name, and by other names of its context, as before it
        was renamed, since a folder has one place."""
        state = read(self._order.folder)
        others = [name for name in state.owns if name != self.here.name and _split(name)[1] == self.here.namespace]
        is_same = bool(others and state.server) and self.server == state.server
        return [self.here.name, *(others if is_same else [])]

    @cached_property
    def _clusters(self) -> tuple[list[str], str]:
        return clusters(self.here, NAME) if self.here.context else ([], "")

    @property
    def is_of_folder(self) -> bool:
        """Whether this is where the folder's cluster is, or the folder has none."""
        owned = read(self._order.folder).owns
        return not owned or any(name in owned for name in self.names)

    def is_own(self) -> bool:
        """Whether the cluster here is this user's: by the state, where the Kubernetes is the one that it knows, or by
        its token, that of this machine or the one that the launch file says it was started with."""
        known = read(self._order.folder).server
        is_same = not known or self.server in ("", known)
        is_known = is_same and any(owns(self._order.folder, name) for name in self.names)
        return is_known or bool(self._has_token(self.here))

    def check_own(self) -> None:
        """Lets go on where no cluster of somebody else is here, as far as kubectl says it.

        Raises:
            NotOwn: One is.
        """
        code, said = programs.ask(*self.here.line("get", CLUSTER, "--ignore-not-found", "-o", "name"))
        found = [] if code else said.split()
        check_own(self._order.folder, not found or self.is_own(), found)

    def check_token(self) -> None:
        """Lets go on where the cluster here, this user's, will take a search, as far as kubectl shows its token.

        Raises:
            UserError: Its secret has another, or this machine has none any more.
        """
        its, _ = _secret(self.here)
        if not its or its == known_digest():
            return
        if there(self.here, CLUSTER):
            raise other_token(f"the cluster in {self.here}", self._order.again("down"))
        its_name, is_labelled = f"{SECRET} in {self.here}", beside(self.here)[0].get(SECRET)
        if is_labelled and self.is_own():
            raise other_token(its_name, self._order.again("down"))
        # One that was made by hand, or of a colleague whose cluster is down.
        way = f"{self._order.again('down')} --anyway" if is_labelled else shlex.join(self.here.line("delete", SECRET))
        raise strange_token(its_name, way)

    def check_one(self) -> None:
        """Lets go on where the folder has no cluster elsewhere, which it would forget.

        Raises:
            UserError: It has.
        """
        for context, namespace in self._elsewhere():
            raise UserError(
                f"{self._order.folder} has a cluster in namespace {namespace} of {context}: --folder, another one for "
                f"{self.here}"
            )

    def where(self) -> str:
        """Where was looked for what is left, for people."""
        is_alone = self.here.is_known or self._clusters[1] or self._doubtful
        return str(self.here) + ("" if is_alone else ", and no cluster of yours in its other namespaces")

    def others(self) -> list[str]:
        """Clusters in other places that are this user's, or may be, a line each with how they go."""
        owned = list(self._elsewhere())
        known = [
            f"a cluster in namespace {namespace} of {context} may run: it was started from here, and goes by "
            f"{self._order.again('down', namespace=namespace, context=context)}"
            for context, namespace in owned
        ]
        return [*known, *(f"{self._named(each)} goes by {self._way(each)}" for each in self._of_token(True))]

    @property
    def _doubtful(self) -> list[str]:
        """Clusters that are elsewhere in the context and may be this user's, a line each with how they would go."""
        return [
            f"{self._named(each)}, whose token kubectl does not show or this machine has not: if it is yours, it goes "
            f"by {self._way(each)} --anyway"
            for each in (() if self.here.is_known else self._of_token(None))
        ]

    def notes(self) -> list[str]:
        """What may run elsewhere, before something is started here, where nobody has said that here is meant."""
        return [] if self.here.is_known else [*self.others(), *self._doubtful]

    def unseen(self) -> list[str]:
        """Where nobody has looked for a cluster of a folder that does not say where it was started, a line each."""
        is_renamed = len(self.names) > 1  # then the state has said it, by another name
        if self.here.is_known or is_renamed or self.here.context is None:
            return []
        unsaid, found = self._clusters[1], list[str]()
        if unsaid:
            found.append(
                f"other namespaces of {self.here.context} were not looked in, which kubectl does not show ({unsaid}): "
                f"--namespace NAME"
            )
        if more := [name for name in contexts() or () if name != self.here.context]:
            found.append(f"other contexts of kubectl were not looked in: {', '.join(more)}: --context NAME")
        untold = f"{self._order.folder} does not say where a cluster was started; "
        return [*(f"{untold}{line} looks there" for line in found), *self._doubtful]

    def _elsewhere(self) -> Iterator[tuple[str, str]]:
        """Context and namespace of clusters that were started from this folder elsewhere."""
        for name in read(self._order.folder).owns:
            if name not in self.names:
                yield _split(name)

    def _of_token(self, is_mine: bool | None) -> Iterator[str]:
        """Namespaces of clusters that are known by their token alone, by whether that is this user's."""
        owned = list(self._elsewhere())
        for namespace, its in self._tokens.items():
            if its is is_mine and (self.here.context, namespace) not in owned:
                yield namespace

    @cached_property
    def _tokens(self) -> dict[str, bool | None]:
        """Other namespaces with a cluster -> as of `_has_token`."""
        others = (each for each in self._clusters[0] if each != self.here.namespace)
        return {each: self._has_token(Place(self.here.context, each)) for each in others}

    def _has_token(self, where: Place) -> bool | None:
        """Whether the token of a cluster is or was this user's; None where nothing here can tell: kubectl does not show
        it, or it is older than the token of this machine, before which this user may have had another."""
        its, since = _secret(where)
        known = {said_in(self._order.folder / name).get("token") for name in FILES}
        if its and its in {known_digest(), *known}:
            return True
        return None if not its or not token_file().exists() or since < token_file().stat().st_mtime else False

    def _named(self, namespace: str) -> str:
        return f"a cluster in namespace {namespace} of {self.here.context}"

    def _way(self, namespace: str) -> str:
        return self._order.again("down", namespace=namespace)


def _owned(state: State) -> dict[str, str]:
    """Context and namespace of the cluster of a state, of which it may know nothing else."""
    for context, namespace in map(_split, state.owns):
        if context and state.given.get("context", context) == context:
            return {"context": context, "namespace": namespace}
    return {}


def _split(name: str) -> tuple[str, str]:
    """Context and namespace of a place, as a state knows it."""
    context, _, namespace = name.rpartition("/")
    return context, namespace


def _secret(where: Place) -> tuple[str, float]:
    """What tells the token of a cluster from others, and since when it has it, seconds since 1970.

    Empty where kubectl does not show it, and infinity where it does not say since when.
    """
    shown = "jsonpath={.data.auth_token}{' '}{.metadata.creationTimestamp}"
    code, said = programs.ask(*where.line("get", SECRET, "-o", shown))
    text, _, since = said.partition(" ")
    try:
        its = digest(b64decode(text, validate=True).decode()) if text and not code else ""
        return its, datetime.fromisoformat(since).timestamp() if since else math.inf
    except ValueError:
        return "", math.inf
