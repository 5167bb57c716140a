"""One start of a search on a run folder: the number that it claims, under which alone it writes."""

import hashlib
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from evonas.errors import Halted, Replaced
from evonas.store.description import RUN, RUN_COPY
from evonas.store.documents import from_document, to_document
from evonas.store.folder import Folder, digits
from evonas.store.journal import segments

P = ParamSpec("P")
T = TypeVar("T")


class Writer(Protocol):
    """What writes to a run folder."""

    folder: Folder


W = TypeVar("W", bound=Writer)


def recorded(method: Callable[Concatenate[W, P], T]) -> Callable[Concatenate[W, P], T]:
    """A record that cannot be written ends the search, which goes on later from what was written."""

    @wraps(method)
    def checked(writer: W, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(writer, *args, **kwargs)
        except OSError as error:
            reason = error.strerror or str(error)
            raise Halted(f"{writer.folder} cannot be written: {reason}; what was recorded before is intact") from error

    return checked


class Start:
    """Each start of a search has a number, claimed by creating its file; a writer that finds a later one stops, and
    what it may have written at that moment does not count.

    Args:
        folder: of the run, of which the caller holds the lock.
    """

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.number = 0
        """0 before it has begun."""

    @recorded
    def begin(self, description: Mapping[str, Any]) -> None:
        """Claim the next number, and note with what budget, where and in which versions the search goes on."""
        self.number = 1 + last_start(self.folder)
        if self.number == 1:  # so that no file of a run is the only one that says what it says
            description = {**description, RUN_COPY: from_document(RUN, self.folder.read(RUN))}
        try:
            self.folder.create(f"starts/{self.number:04d}.json", to_document(description))
        except FileExistsError:
            raise Replaced(f"another search has just started on {self.folder}") from None

    @recorded
    def end(self, reason: str, late_results: int, elapsed_s: float, rest_usd: float = 0.0) -> None:
        """Note that the search came to its end, and did not just stop; its running time, and what it cost after its
        last evaluation, so that what is left of a budget is known where nothing was evaluated at its end."""
        self.check()
        found = {"ended": reason, "late_results": late_results, "elapsed_s": elapsed_s, "rest_usd": rest_usd}
        self.folder.create(f"starts/ended-{self.number:04d}.json", to_document(found))

    def put(self, name: str, data: bytes) -> str:
        """Create a file; its SHA-256. One that is in the way was left by an interrupted or replaced driver."""
        self.check()
        try:
            self.folder.create(name, data)
        except FileExistsError:
            self.folder.remove(name)
            self.folder.create(name, data)
        return hashlib.sha256(data).hexdigest()

    def check(self) -> None:
        """
        Raises:
            Replaced: a later start has taken the folder over.
            Halted: the folder is gone.
        """
        if RUN not in self.folder.names():
            raise Halted(f"{self.folder} was removed or moved while the search ran: it has no {RUN} any more")
        if last_start(self.folder) > self.number:
            raise Replaced(f"another search has taken over {self.folder}; this one records nothing any more")

    def check_newest(self) -> None:
        """The same by one listing in the place of three, which a bucket takes its time for, while it is the newest."""
        if max(map(digits, self.folder.names("starts")), default=0) != self.number:
            self.check()


def last_start(folder: Folder) -> int:
    """Number of the newest start, also where its file is lost; 0 where there is none."""
    journal = (int(name.partition("-")[0]) for name in segments(folder))
    return max([0, *map(digits, folder.names("starts")), *journal])
