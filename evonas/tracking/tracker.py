"""The contract of a tracker: a search, what it is at, and a child for each network of its front."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A search as a tracker introduces it.

    Args:
        key: the same at every start of a search, and of no other; hexadecimal.
        folder: where its record is, a full path or a URL.
        config: by dotted names, `strategy.population`.
    """

    key: str
    name: str
    folder: str
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Member:
    """A network of the front, which never changes.

    Args:
        genes: by dotted names.
        metrics: as the columns of the run are called.
        curve: columns of a learning curve, one value an epoch.
        weights: where they are, a full path or a URL.
    """

    candidate: int
    architecture: Mapping[str, Any]
    genes: Mapping[str, Any]
    metrics: Mapping[str, float]
    curve: Mapping[str, Sequence[float]]
    weights: str

    @property
    def name(self) -> str:
        """What trackers call it, e.g. `candidate-000042`."""
        return f"candidate-{self.candidate:06d}"

    @property
    def command(self) -> str:
        """The line of Python that builds the network."""
        return f"evonas.load(RUN).build({self.candidate})"


class Tracker(Protocol):
    """Made with an `RunInfo`; one of a search that was told of before goes on where that ended. Called by one thread.
    Each method may raise anything; it is then given up."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Take over what the search is at.

        Args:
            step: candidates evaluated.
            values: numbers by name, as in `Snapshot`.
        """

    def front(self, members: Sequence[Member]) -> None:
        """The front as it is now: a child for each. Those of before that are not on it any more go, if the tracker can
        take anything back."""

    def close(self, finished: bool) -> None:
        """Nothing more will be told.

        Args:
            finished: as opposed to interrupted, halted or failed.
        """


def plain(name: str) -> str:
    """A column's name without the brackets that trackers do not take: latency_ms[cpu] is latency_ms/cpu."""
    return name.replace("[", "/").replace("]", "")
