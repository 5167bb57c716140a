"""Candidates whose training is paused at a rung: what they had reached, and the checkpoints that they go on from.

A checkpoint saves time and decides nothing: a candidate that has none any more is trained from its first epoch, to the
same result where the device computes the same each time. So what is kept may be bounded, and lost.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from evonas.objectives.promotion import promoted_to
from evonas.records import Evaluation, Job, RungReport, Status
from evonas.store import Checkpoints

MB = 10**6


class Paused:
    """Args:
    checkpoints: of the run.
    most_mb: that they may take there, in MB of 10^6 bytes.
    """

    def __init__(self, checkpoints: Checkpoints, most_mb: float) -> None:
        self._checkpoints, self._most = checkpoints, int(most_mb * MB)
        self._reached: dict[int, tuple[RungReport, ...]] = {}
        self._spent: list[int] = []

    def restore(self, evaluated: Iterable[Evaluation]) -> None:
        """Take up what was recorded; promotions come behind those that they promote."""
        for evaluation in sorted(evaluated, key=lambda one: one.candidate.index):
            self._note(evaluation)

    def hear(self, evaluation: Evaluation, wanted: Callable[[], Sequence[int]]) -> None:
        """Keep what a paused candidate goes on from, without what there is no room for.

        Args:
            evaluation: of a candidate.
            wanted: gives those that may be promoted soon, the next ones first.
        """
        self._note(evaluation)
        if promoted_to(evaluation.candidate) is not None:
            self._spent.append(evaluation.candidate.parents[0])
        if evaluation.checkpoint:
            self._checkpoints.save(evaluation.candidate.index, evaluation.checkpoint)
            if sum(self._checkpoints.sizes.values()) > self._most:
                self._make_room(wanted())

    def tidy(self) -> None:
        """Remove the checkpoints that nobody goes on from, now that what came of them is on disk."""
        while self._spent:
            self._checkpoints.remove(self._spent.pop())

    def job(self, job: Job) -> Job:
        """A job as a worker needs it: of a promotion, with what was reached and the checkpoint, where there is one."""
        if promoted_to(job.candidate) is None:
            return job
        parent = job.candidate.parents[0]
        return replace(job, reached=self._reached[parent], start=self._checkpoints.read(parent))

    def _make_room(self, wanted: Sequence[int]) -> None:
        """Those that are not wanted yet, of which the search may not even know, come behind: the youngest first."""
        sizes, room = dict(self._checkpoints.sizes), self._most
        for index in (*wanted, *sorted(sizes, reverse=True)):
            room -= (size := sizes.pop(index, 0))
            if size and room < 0:
                self._checkpoints.remove(index)

    def _note(self, evaluation: Evaluation) -> None:
        if promoted_to(evaluation.candidate) is not None:
            self._reached.pop(evaluation.candidate.parents[0], None)
        if evaluation.status is Status.STOPPED:
            self._reached[evaluation.candidate.index] = tuple(evaluation.rungs)
