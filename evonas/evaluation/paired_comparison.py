"""Networks that noise cannot tell apart are measured side by side before one displaces the other.

A fully trained candidate that dominates a member of the front, or is dominated by it, while their intervals overlap in
a measured objective, takes turns with it on the device. What it is found to take is then said relative to that
member: the ratio of the two times what the member is known to take, or just as much where the ratio may be 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from evonas.objectives.objectives import Objectives, dominates
from evonas.records import Fitness, Genome, Job, Measurement, RungReport


@dataclass(frozen=True, slots=True)
class Incumbent:
    """A member of the front to measure beside. objective: position of the objective in question; ms: its latency."""

    index: int
    genome: Genome
    target: str
    objective: int
    ms: float


class PairedComparison:
    """max_remeasurements: target -> how many members of the front a candidate is measured beside there."""

    def __init__(self, objectives: Objectives, job: Job, max_remeasurements: Mapping[str, int]) -> None:
        self._objectives, self._job, self._max_remeasurements = objectives, job, max_remeasurements
        self._front = list(zip(job.front, job.genomes, strict=False))
        self._met: dict[str, list[int]] = {}

    def next(self, metrics: Mapping[str, float]) -> Incumbent | None:
        """Who is to be measured beside next, given the candidate's metrics; None: nobody."""
        own = self._objectives.fitness(RungReport(self._job.candidate.index, 0, metrics))
        if own.violation or not own.intervals:
            return None
        for member, genome in self._front:
            if not (member.intervals and (dominates(own, member) or dominates(member, own))):
                continue
            for i, objective in enumerate(self._objectives.objectives):
                met = self._met.get(objective.target, [])
                open_ = (
                    objective.target
                    and member.index not in met
                    and len(met) < self._max_remeasurements[objective.target]
                )
                if open_ and _overlap(own.intervals[i], member.intervals[i]):
                    return Incumbent(member.index, genome, objective.target, i, self._ms(member, i, metrics))
        return None

    def resolved(self, incumbent: Incumbent, found: Measurement, measured: Mapping[str, float]) -> dict[str, float]:
        """The candidate's metrics on the target after a round; the same latency as the incumbent where that may be."""
        self._met.setdefault(incumbent.target, []).append(incumbent.index)
        name, rounds = incumbent.target, float(len(self._met[incumbent.target]))
        kept = {f"{metric}[{name}]" for metric in ("reference_ms", "drift")}  # of the reference, not of the incumbent
        result = {key: value for key, value in measured.items() if key not in kept}
        result[f"remeasured[{name}]"] = rounds
        if found.low <= incumbent.ms <= found.high:
            faster = result[f"latency_ms[{name}]"] / incumbent.ms
            result |= {
                f"latency_ms[{name}]": incumbent.ms,
                f"examples_per_s[{name}]": result[f"examples_per_s[{name}]"] * faster,
            }
        return result

    def against(self, target: str) -> str:
        """The candidates it was measured beside, as text."""
        return ", ".join(map(str, self._met[target]))

    def _ms(self, member: Fitness, i: int, metrics: Mapping[str, float]) -> float:
        """The latency of a member, from its value of an objective that latency gives."""
        objective = self._objectives.objectives[i]
        name = objective.target
        if objective.key == f"latency_ms[{name}]":
            return member.values[i]
        return metrics[f"latency_ms[{name}]"] * metrics[f"examples_per_s[{name}]"] / -member.values[i]


def _overlap(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return a[0] <= b[1] and b[0] <= a[1]
