"""What a job has printed so far, without fetching all of it each time."""

from evonas.submit.ray_jobs import RayJob, RayJobs

SHORT = 2**16
"""Characters that are fetched as a whole each time."""
LINES = 400
"""So many of the last lines are fetched of what is longer."""
ANCHOR = 2**12
"""So many of the last characters that are known are looked for among them, to tell what is behind them."""


class Following:
    """The output of one job, as it grows."""

    def __init__(self, jobs: RayJobs) -> None:
        self._jobs = jobs
        self._known = ""
        self.fetched = 0
        """Characters that the last look has cost."""

    def look(self, job: RayJob) -> str:
        """All of it by now.

        Args:
            job: As it was found just before; of one that has ended the whole is fetched, as Ray has it.

        Raises:
            ConnectionError: The cluster does not say.
        """
        partly = job.node and not job.ended and len(self._known) >= SHORT
        new = self._behind(self._jobs.tail(job, LINES)) if partly else None
        self._known = self._jobs.output(job.name) if new is None else self._known + new
        if new is None:
            self.fetched = len(self._known)
        return self._known

    def _behind(self, tail: str) -> str | None:
        """What the tail has that is not known; None where it does not reach back so far."""
        self.fetched = len(tail)
        anchor = self._known[-ANCHOR:]
        place = tail.rfind(anchor)
        return None if place < 0 else tail[place + len(anchor) :]
