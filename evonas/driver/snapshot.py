"""What a search is at, in numbers: for the terminal, for trackers, for the metrics of a cluster."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from evonas.driver.loop import Search
from evonas.objectives import pareto
from evonas.records import Fitness


@dataclass(frozen=True, slots=True)
class Snapshot:
    """evaluated, failed: candidates. front: its members. busy: workers with a job. queue: jobs behind them.

    hypervolume: in multiples of what the first generation reached; None before that is known.
    """

    evaluated: int
    failed: int
    front: int
    hypervolume: float | None
    busy: int
    workers: int
    queue: int

    def numbers(self) -> dict[str, float]:
        """Those that are known, by name."""
        known = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: float(value) for name, value in known.items() if value is not None}


@dataclass(slots=True)
class RelativeHypervolume:
    """Hypervolume in multiples of what the first generation reached, up to the reference point that it gives."""

    _reference: list[float] = field(default_factory=list)
    _unit: float = 0.0
    _last: tuple[tuple[int, ...], float] = ((), 0.0)  # members and hypervolume of the last front

    def measure(self, front: Sequence[Fitness], first: Iterable[Fitness]) -> float | None:
        """first: those of the first generation that are fully trained. None while fewer than two are feasible."""
        if not self._reference:
            early = [fitness for fitness in first if fitness.violation == 0]
            if len(early) < 2:
                return None
            self._reference = pareto.reference_point(pareto.points(early)).tolist()
            self._unit = pareto.hypervolume(early, self._reference)
        members = tuple(fitness.index for fitness in front)
        if members != self._last[0]:
            self._last = members, pareto.hypervolume(front, self._reference)
        return self._last[1] / self._unit if self._unit else None


class ProgressMeter:
    def __init__(self) -> None:
        self._yardstick = RelativeHypervolume()

    def read(self, search: Search) -> Snapshot:
        buffer, size = search.breeder.buffer, search.config.generation
        known = len(buffer.order) >= size
        volume = self._yardstick.measure(buffer.front, buffer.fully_trained(buffer.order[:size])) if known else None
        runtime = search.runtime
        return Snapshot(
            evaluated=search.evaluated,
            failed=sum(n for status, n in search.statuses.items() if status.startswith("failed")),
            front=len(buffer.front),
            hypervolume=volume,
            busy=runtime.busy,
            workers=runtime.workers,
            queue=max(0, runtime.pending - runtime.busy),
        )
