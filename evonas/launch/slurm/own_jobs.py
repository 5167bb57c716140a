"""Which jobs of the queue a folder has submitted. A number alone can be another job's: each Slurm cluster has its own,
and they begin anew where a controller is set up anew or has used them up."""

from dataclasses import astuple, dataclass, replace
from functools import cached_property
from pathlib import Path

from evonas.launch.slurm import job_lines, scontrol, squeue
from evonas.launch.slurm.job_lines import FILE
from evonas.launch.slurm.squeue import Job, Queue
from evonas.launch.state import State, alter, read

NAMED = "evonas-"
"""How the name of a job of a search begins."""
_ELSEWHERE = "job {1} of Slurm cluster {2} may write {0}, and nobody looks there: give this line there, or with {3}"


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job as it was submitted.

    Args:
        run: its run folder.
        number: as sbatch said it.
        cluster: the Slurm cluster that has it; empty where nobody has said it.
    """

    run: str
    number: str
    cluster: str


class OwnJobs:
    """Those of a folder: what its state has, and what runs its script, of which a line that was interrupted or whose
    sbatch failed has kept nothing.

    Args:
        folder: of the cluster.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def here(self) -> str:
        """The name of the Slurm cluster that is here; empty where nobody says it."""
        return scontrol.cluster()

    def queue(self) -> Queue:
        """All jobs of this user. UserError: there is no squeue, or it says no."""
        return squeue.queue(self.here)

    def known(self) -> list[Submitted]:
        """What the state has, ended or not: run folder -> `NUMBER` or `NUMBER;CLUSTER`, as `sbatch --parsable` says."""
        return [Submitted(run, *job.partition(";")[::2]) for run, job in read(self._folder).jobs.items()]

    def there(self, queue: Queue) -> list[tuple[Submitted, Job]]:
        """Those that are in the queue, each with what it is there; first what the state knows."""
        known = [(each, job) for each in self.known() for job in queue.jobs if _is(job, each)]
        seen, script = [job for _, job in known], (self._folder / FILE).resolve()
        more = [(job, line) for job in queue.jobs if job not in seen and (line := job_lines.read(job))]
        return [*known, *((_submitted(job, line.run), job) for job, line in more if line.script == script)]

    def of(self, run: str, queue: Queue) -> Job | None:
        """The one that writes a run folder, if it has not ended."""
        return next((job for known, job in self.there(queue) if known.run == run), None)

    def writer(self, run: str, queue: Queue) -> Job | None:
        """Another folder's job that writes a run folder."""
        return next((job for job in self.others(queue) if (line := job_lines.read(job)) and line.run == run), None)

    def others(self, queue: Queue) -> list[Job]:
        """The other searches that are in the queue."""
        own = [job for _, job in self.there(queue)]
        return [job for job in queue.jobs if job not in own and is_search(job)]

    def is_of_another(self, job: Job) -> bool:
        """Whether such a search is another folder's, as its script says where this folder's state is not lost."""
        return read(self._folder) != State() and job_lines.read(job) is not None

    def unseen(self, queue: Queue) -> dict[str, str]:
        """Run folder -> a line that says where its job is to be looked for, as the queue is another Slurm cluster's."""
        found = [job for job in self.known() if job.cluster and queue.clusters and job.cluster not in queue.clusters]
        return {job.run: _ELSEWHERE.format(*astuple(job), f"SLURM_CLUSTERS={job.cluster}") for job in found}

    def note(self, run: str, number: str, cluster: str) -> None:
        """Keeps what was submitted; with a cluster that is empty it is here."""
        job = ";".join(filter(None, (number, cluster or self.here)))
        alter(self._folder, lambda state: replace(state, started=True, jobs={**state.jobs, run: job}))

    def take(self, run: str, job: Job) -> bool:
        """Keeps a job of the queue that runs the folder's script; whether the state has lacked it."""
        if any(known.run == run and _is(job, known) for known in self.known()):
            return False
        self.note(run, job.number, job.cluster)
        return True

    def forget_ended(self) -> None:
        """Their numbers may be others' one day."""
        queue = self.queue()
        stay = {known.run for known, _ in self.there(queue)} | {*self.unseen(queue)}

        def without(state: State) -> State:
            return replace(state, started=False, jobs={run: job for run, job in state.jobs.items() if run in stay})

        alter(self._folder, without)


def name_of(run: str) -> str:
    """A job's name of its run's own, so that --dependency=singleton waits for jobs of the same run."""
    return f"{NAMED}{Path(run).name}"


def is_search(job: Job) -> bool:
    """Whether a job runs evonas's script or is named so, whoever has submitted it."""
    return job.name.startswith(NAMED) or _runs_script(job)


def _submitted(job: Job, run: str) -> Submitted:
    return Submitted(run, job.number, job.cluster)


def _is(job: Job, known: Submitted) -> bool:
    if job.number != known.number or (job.cluster and known.cluster and job.cluster != known.cluster):
        return False
    if not _runs_script(job):
        return job.name == name_of(known.run)
    return f" {known.run} " in f"{job.line} " or bool((line := job_lines.read(job)) and line.run == known.run)


def _runs_script(job: Job) -> bool:
    return f"/{FILE} " in job.line
