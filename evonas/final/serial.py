"""Final trainings one after the other in this process, each to its end: for a debugger, and where Ray is not wanted."""

from collections.abc import Sequence

from evonas.final.plan import FinalTraining
from evonas.final.progress import FinalProgress, Watch
from evonas.final.work import FinalWork, Recorder


class SerialTrainings:
    """Runs trainings in their order. None is stopped early: there is nothing to compare it with while it runs.

    Args:
        work: what a training is.
        recorder: keeps what they reach.
    """

    def __init__(self, work: FinalWork, recorder: Recorder) -> None:
        self._work, self._recorder = work, recorder

    def run(self, jobs: Sequence[FinalTraining], progress: FinalProgress, watch: Watch) -> None:
        """Train all of them; afterwards the recorder has the result of each."""
        for job in jobs:
            for epoch in self._work(job, self._recorder):
                progress.reached(job, epoch.epoch, epoch.valid_metric)
                watch(progress)
            result = self._recorder.result(job.name)
            progress.end(job, str(result["status"]) if result else "lost")
            watch(progress)

    def close(self) -> None:
        """Nothing was started."""
