"""Slurm: the search is a job that brings its own Ray; nothing outlives it."""

import getpass
import os
import shlex
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from evonas.clusters.shipped import shipped
from evonas.errors import UserError
from evonas.launch import programs
from evonas.launch.costs import estimate
from evonas.launch.launch_files.fitting import Kind, Room, check_fits
from evonas.launch.order import Order
from evonas.launch.owned import NotOwn
from evonas.launch.places import in_each
from evonas.launch.provider import Plan
from evonas.launch.slurm import job_lines, own_jobs, scontrol, squeue
from evonas.launch.slurm.guards import check_guards
from evonas.launch.slurm.job_lines import FILE
from evonas.launch.slurm.own_jobs import OwnJobs, Submitted
from evonas.launch.slurm.sbatch import submit
from evonas.launch.slurm.sbatch_options import asked
from evonas.launch.slurm.squeue import Job
from evonas.launch.state import change, read
from evonas.prices import REST
from evonas.text import counted

POLL_S = 2.0
ENDS_S = 120.0
"""After scancel; the script gives the search a minute to close its record."""


class Slurm:
    """A job of `cluster/slurm.sbatch`, as the `Provider` of an order.

    Args:
        order: what is asked for.
        sleep: waits for so many seconds.
    """

    def __init__(self, order: Order, sleep: Callable[[float], None] = time.sleep) -> None:
        self._order, self._sleep = order, sleep
        self._script, self._jobs = order.folder / FILE, OwnJobs(order.folder)
        self._seen = dict[str, None]()

    def plan(self, ask: bool) -> Plan:
        text = self._script.read_text() if self._script.exists() and not self._order.replace else shipped(FILE)
        asks = [shlex.join(self._words()), "squeue: how it is"]
        job = asked(text, self._order.sbatch, os.environ)
        check_guards(text, self._script)
        room = Room([Kind("a node", job.each, job.nodes)], job.nodes, f"the job has {counted(job.nodes, 'node')}", 1)
        check_fits(self._order, room, "the job")
        usd = self._order.prices.of((REST,))
        nodes = estimate.Machine(REST, "nodes", job.nodes, job.nodes, usd)  # all from its start to its end
        hand = tuple(self._hand_note())
        return Plan({FILE: text}, [nodes], asks, room, job.hours, stays=False, notes=job.notes, by_hand=hand)

    def _hand_note(self) -> list[str]:
        """A line where the script was changed by hand, and is to stay so."""
        if self._order.replace or not self._script.exists() or self._script.read_text() == shipped(FILE):
            return []
        return [f"{self._script} is not as it came with evonas and is taken as it is; --replace writes it anew"]

    def missing(self) -> list[str]:
        lines = programs.absent("sbatch", "squeue", "scancel")
        return lines if self._order.config_path else [*lines, "CONFIG: a job is one search"]

    def prepare(self) -> list[str]:
        order = self._order
        order.folder.mkdir(parents=True, exist_ok=True)
        if not self._hand_note():
            self._script.write_text(shipped(FILE))
        change(order.folder, given=order.remembered)
        return self._hand_note() or [str(self._script)]

    def start(self) -> None:
        run, queue = self._run, self._jobs.queue()
        if (line := self._jobs.unseen(queue).get(run)) and not self._order.anyway:
            raise UserError(f"{line}; where it has ended: --anyway")
        if job := self._jobs.of(run, queue):
            self._go_on_with(job)
        elif job := self._jobs.writer(run, queue):
            raise NotOwn(f"{job_lines.described(job)}, writes {run}: wait until it has ended, or --run, another one")
        else:
            self._submit(run)

    def _submit(self, run: str) -> None:
        try:
            number, cluster = submit(self._words())
        except UserError as error:
            if not (job := self._jobs.of(run, self._jobs.queue())):
                raise
            print(f"{error}; it has it all the same")
            self._go_on_with(job)
        else:
            self._jobs.note(run, number, cluster)
            print(f"submitted as job {number}")

    def _go_on_with(self, job: Job) -> None:
        """Raises UserError: it is another CONFIG's."""
        run, line = self._run, job_lines.read(job)
        of = [path for path, its in self._order.state.runs.items() if its == run]
        of += [line.config] if line and line.script == self._script.resolve() else []
        if of and of[0] != self._order.whole_path:
            raise UserError(f"job {job.number} of {of[0]} is still there and writes {run}: --run, another one")
        if self._jobs.take(run, job):
            print(f"job {job.number} of {self._script} writes {run} already: no other one is submitted")

    def search(self) -> int:
        known = next(job for job in self._jobs.known() if job.run == self._run)
        number, said = known.number, scontrol.output(known.number, squeue.only(known.cluster))
        log, shown, before = Path(said or f"evonas-{number}.log"), 0, ""
        print(f"what it says is in {log}")
        while True:
            job = self._jobs.of(self._run, self._jobs.queue())
            state = job.state if job else ""
            if job and state != before:
                why = squeue.why_waiting(job) if state == "PENDING" else ""
                print(f"job {number} is {state.lower()}{why and f' ({why})'}", flush=True)
            before = state
            text = log.read_text(errors="replace") if log.is_file() else ""
            shown = shown if shown <= len(text) else 0  # a job that is queued again may write it anew
            print("".join(c for c in text[shown:] if c.isprintable() or c in "\n\t"), end="", flush=True)
            shown = len(text)
            if not state:
                return self._ended(number)
            self._sleep(POLL_S)

    def run_folder(self) -> str | None:
        run = self._order.run(job_lines.one_spelling(f"runs/{self._order.title}"))
        return run and job_lines.one_spelling(run)

    def next_run(self) -> str | None:
        return self.run_folder()

    @property
    def _run(self) -> str:
        return self.run_folder() or "RUN"

    def nodes(self) -> list[str]:
        return [f"job {job.number}, {job.state.lower()}: {known.run}" for known, job in self._there()]

    def elsewhere(self) -> list[str]:
        return []  # `nodes` has all jobs

    def is_own(self) -> bool:
        return True  # only jobs of its own state and script are ended

    def down(self) -> None:
        jobs = {job.number: job for _, job in self._there()}
        in_each(jobs, lambda number: self._cancel(jobs[number]))
        waited = 0.0
        while self._there() and waited < ENDS_S:
            self._sleep(POLL_S)
            waited += POLL_S
        self._jobs.forget_ended()

    def left(self) -> list[str]:
        return [f"job {job.number}" for _, job in self._there()]

    def others(self) -> list[str]:
        """The other searches of this user, as of another folder or of a state that was lost."""
        return [self._line_of(job) for job in self._jobs.others(self._jobs.queue())]

    def where(self) -> str:
        named = os.environ.get("SLURM_CLUSTERS") or self._jobs.here
        but = " but searches of other folders" if self._of_others() else ""
        return f"the queue of {_user()}{f' on {named}' if named else ''} (squeue --me){but}"

    def unseen(self) -> list[str]:
        return [*self._jobs.unseen(self._jobs.queue()).values()]

    def kept(self) -> list[str]:
        state = read(self._order.folder)
        runs = dict.fromkeys((*state.runs.values(), *state.jobs, *self._seen))
        return [*self._of_others(), *(f"{run}: its record; the same up line goes on with it" for run in runs)]

    def _of_others(self) -> list[str]:
        jobs = self._jobs.others(self._jobs.queue())
        return [self._line_of(job) for job in jobs if self._jobs.is_of_another(job)]

    def _line_of(self, job: Job) -> str:
        return f"{job_lines.described(job)}, not started from {self._order.folder}; scancel {job.number} ends it"

    def _words(self) -> list[str]:
        order, name = self._order, f"--job-name={own_jobs.name_of(self._run)}"
        words = [
            "sbatch",
            "--parsable",
            *([] if any(option.startswith(("--job-name", "-J")) for option in order.sbatch) else [name]),
            *order.sbatch,
            str(self._script),
            str(Path(order.config_path or "CONFIG").resolve()),
        ]
        overrides = order.with_defaults(gpus_per_worker=1)
        words += [self._run, *(word for override in overrides for word in ("--set", override))]
        return words + [word for module in order.modules for word in ("--import", _place(module))]

    def _there(self) -> list[tuple[Submitted, Job]]:
        found = self._jobs.there(self._jobs.queue())
        self._seen |= dict.fromkeys(known.run for known, _ in found)
        return found

    def _cancel(self, job: Job) -> None:
        programs.run("scancel", *squeue.only(job.cluster), job.number)

    def _ended(self, job: str) -> int:
        """Whether the record says that the search is done, which is what the job's own exit status says too."""
        from evonas.runs.run import Run  # what is read by pandas is not needed before

        try:
            how = str(Run(self._run).status()["state"])
        except (OSError, UserError) as error:
            how = str(error)
        if how.startswith("finished"):
            return 0
        print(f"job {job} has ended and the search has not: {how}")
        return 1


def _user() -> str:
    with suppress(KeyError, OSError):  # a container may have no name for who runs in it
        return getpass.getuser()
    return f"user {os.getuid()}"


def _place(module: object) -> str:
    return str(getattr(module, "__file__", None) or getattr(module, "__name__", ""))
