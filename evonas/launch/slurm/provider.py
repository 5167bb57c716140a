"""Slurm: the search is a job that brings its own Ray; nothing outlives it."""

import getpass
import os
import re
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
from evonas.launch.places import in_each
from evonas.launch.provider import Plan
from evonas.launch.slurm.sbatch_options import asked
from evonas.launch.slurm.squeue import Job, jobs_of_user, of_job, searches
from evonas.launch.state import change, read
from evonas.prices import REST
from evonas.text import counted

FILE = "slurm.sbatch"
POLL_S = 2.0
ENDS_S = 120.0
"""After scancel; the script gives the search a minute to close its record."""
NAMED = "evonas-"
"""How the name of a job of a search begins."""


class Slurm:
    """A job of `cluster/slurm.sbatch`, as the `Provider` of an order.

    Args:
        order: what is asked for.
        sleep: waits for so many seconds.
    """

    def __init__(self, order: Order, sleep: Callable[[float], None] = time.sleep) -> None:
        self._order, self._sleep = order, sleep
        self._script = order.folder / FILE

    def plan(self, ask: bool) -> Plan:
        text = self._script.read_text() if self._script.exists() and not self._order.replace else shipped(FILE)
        asks = [shlex.join(self._words()), "squeue: how it is"]
        job = asked(text, self._order.sbatch, os.environ)
        if not re.search(r"^(?!\s*#).*RAY_AUTH_MODE=token", text, re.MULTILINE):
            raise UserError(f"{self._script} lacks RAY_AUTH_MODE=token: whoever reaches it could run anything there")
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
        run, jobs = self._run, read(self._order.folder).jobs
        if self._state(jobs.get(run)):
            of = [path for path, its in self._order.state.runs.items() if its == run]
            if of and of[0] != self._order.whole_path:
                raise UserError(f"job {jobs[run]} of {of[0]} is still there and writes {run}: --run, another one")
            return
        # --parsable: the number, and behind a semicolon the name of the cluster.
        job = programs.answer(*self._words()).partition(";")[0]
        change(self._order.folder, started=True, jobs={**jobs, run: job})
        print(f"submitted as job {job}")

    def search(self) -> int:
        job = read(self._order.folder).jobs[self._run]
        log, shown, before = Path(f"evonas-{job}.log"), 0, ""
        while True:
            state = self._state(job)
            if state and state != before:
                print(f"job {job} is {state.lower()}{self._why(job) if state == 'PENDING' else ''}", flush=True)
            before = state
            text = log.read_text(errors="replace") if log.exists() else ""
            print("".join(c for c in text[shown:] if c.isprintable() or c in "\n\t"), end="", flush=True)
            shown = len(text)
            if not state:
                return self._ended(job)
            self._sleep(POLL_S)

    def run_folder(self) -> str | None:
        return self._order.run(str(Path("runs", self._order.title).resolve()))

    @property
    def _run(self) -> str:
        return self.run_folder() or "RUN"

    def nodes(self) -> list[str]:
        return [f"job {job.number}, {job.state.lower()}: {run}" for run, job in self._own(jobs_of_user())]

    def elsewhere(self) -> list[str]:
        return []  # `nodes` has all jobs

    def is_own(self) -> bool:
        return True  # only jobs of its own state are ended

    def down(self) -> None:
        in_each([job.number for _, job in self._own(jobs_of_user())], lambda number: programs.run("scancel", number))
        waited = 0.0
        while self._own(jobs_of_user()) and waited < ENDS_S:
            self._sleep(POLL_S)
            waited += POLL_S
        change(self._order.folder, started=False)

    def left(self) -> list[str]:
        return [f"job {job.number}" for _, job in self._own(jobs_of_user())]

    def others(self) -> list[str]:
        """The other searches of this user, as of another folder or of a state that was lost."""
        numbers, here = read(self._order.folder).jobs.values(), self._order.folder
        queue = [job for job in jobs_of_user() if job.number not in numbers]
        of_other_name = searches() if any(not job.name.startswith(NAMED) for job in queue) else set[str]()
        found = [job for job in queue if job.name.startswith(NAMED) or job.number in of_other_name]
        way = "not started from {}; scancel {} ends it"
        return [f"job {j.number}, {j.state.lower()}: {j.name}, {way.format(here, j.number)}" for j in found]

    def where(self) -> str:
        named = os.environ.get("SLURM_CLUSTERS")
        return f"the queue of {_user()}{f' on {named}' if named else ''} (squeue --me)"

    def unseen(self) -> list[str]:
        return []  # a user has one queue

    def kept(self) -> list[str]:
        jobs = read(self._order.folder).jobs
        return [f"{run}: its record; the same up line goes on with it" for run in jobs]

    def _words(self) -> list[str]:
        order = self._order
        words = [
            "sbatch",
            "--parsable",
            *([] if any(option.startswith(("--job-name", "-J")) for option in order.sbatch) else [self._name()]),
            *order.sbatch,
            str(self._script),
            str(Path(order.config_path or "CONFIG").resolve()),
        ]
        overrides = order.with_defaults(gpus_per_worker=1)
        words += [self._run, *(word for override in overrides for word in ("--set", override))]
        return words + [word for module in order.modules for word in ("--import", _place(module))]

    def _name(self) -> str:
        """A job's name of its run's own, so that --dependency=singleton waits for jobs of the same run."""
        return f"--job-name={NAMED}{Path(self._run).name}"

    def _own(self, queue: list[Job]) -> list[tuple[str, Job]]:
        """Those that were started from this folder, each with its run folder."""
        runs = {number: run for run, number in read(self._order.folder).jobs.items()}
        return [(runs[job.number], job) for job in queue if job.number in runs]

    def _state(self, job: str | None) -> str:
        """As squeue says it; empty for what has ended."""
        return "" if job is None else of_job(job)

    def _why(self, job: str) -> str:
        code, said = programs.ask("squeue", "--noheader", f"--jobs={job}", "--format=%r")
        return f" ({said})" if not code and said not in ("", "None") else ""

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
