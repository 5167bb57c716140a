"""One job after the other in this process: the real thing for a debugger."""

from collections.abc import Iterator, Sequence
from types import ModuleType

from evonas.config import RuntimeConfig
from evonas.records import Evaluation, Job
from evonas.runtime.pool import Attempt, Factory, Message


class Serial:
    """`wait` runs the job up to its next report, in the calling thread.

    A candidate that hangs or kills its process hangs or kills the search: deadlines and limits would end a debugger's
    pause as well. A killed search resumes.
    """

    workers = 1
    late = 0
    notes: Sequence[str] = ()

    def __init__(self, factory: Factory, config: RuntimeConfig, modules: Sequence[ModuleType] = ()) -> None:
        self._work = factory()
        self._running: tuple[Attempt, Iterator[Message]] | None = None

    @property
    def room(self) -> int:
        return 1 - self.busy

    @property
    def busy(self) -> int:
        return int(self._running is not None)

    @property
    def open(self) -> int:
        return self.busy

    def submit(self, job: Job) -> None:
        self._running = Attempt(job), self._work(job)

    def wait(self, seconds: float) -> Sequence[Message]:
        if self._running is None:
            return ()
        attempt, reports = self._running
        message = attempt.hear(next(reports))
        if isinstance(message, Evaluation):
            self._running = None
        return (message,)

    def close(self) -> None:
        self._running = None
