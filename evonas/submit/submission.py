"""A search as a job of a Ray cluster: which job it is, and watching it from here."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from types import ModuleType

from evonas.config import BudgetConfig
from evonas.errors import UserError
from evonas.signals import Terminated
from evonas.submit.access import NOTHING, Access
from evonas.submit.following import Following
from evonas.submit.ray_jobs import RayJob, RayJobs, connect, parse
from evonas.submit.staging import Submission, stage
from evonas.submit.this_machine import is_own_ray

POLL_S = 1.0
PACE = 1e5
"""Characters of a job's output that watching it may fetch in a second, where it comes as a whole."""
LOST_S = 120.0
"""Longest that a cluster may not answer while its job is watched."""
DETACHED = 130
"""As after any ctrl-C: how the search ends is not known, and a script must not go on as if it had ended well."""


def submit(
    config: str,
    address: str,
    run: str,
    line: str,
    *,
    overrides: Sequence[str] = (),
    modules: Sequence[ModuleType] = (),
    follow: bool = False,
    insecure: bool = False,
    access: Access = NOTHING,
    stopping: Callable[[str], str] = str,
) -> int:
    """Have the cluster run a search, and say how it stands: the exit status.

    run: the folder, absolute on the cluster's head, or a URL. line: how this was asked for, to say how to come back.
    modules: the user's own. follow: show the search until it ends, and end as it does. insecure: also on a cluster that
    anybody on its network can give jobs to. access: what a proxy before the cluster asks for.
    stopping: the line that stops the job -> what has to be done for it to work, where the address goes with this line.

    Raises:
        UserError: the config is wrong, or the cluster does not take jobs from us, or takes them from everybody.
        ConnectionError: the cluster fails at it.
    """
    parse(address)  # before seconds go into what cannot be sent
    submission = stage(config, run, overrides, modules)
    jobs = connect(address, access)
    for note in (*submission.notes, *_risks(jobs, insecure)):
        print(f"note: {note}")
    job = place(jobs, submission)
    stop = access.ray_job(f"ray job stop {job.name} --address {jobs.address}")
    stop = stopping(f"RAY_AUTH_MODE=token {stop}" if jobs.has_token else stop)
    if not follow:
        if not job.ended:
            print(f"to watch it: {line} --follow\nto stop it: {stop}\nrun: {run}")
        return 0
    try:
        ended = watch(jobs, job.name, lambda text: print(text, end="", flush=True))
    except KeyboardInterrupt as ended_by:
        print(f"\ndetached; the search goes on. To come back: {line}\nto stop it: {stop}\nrun: {run}", flush=True)
        if isinstance(ended_by, Terminated):
            raise
        return DETACHED
    except ConnectionError as error:
        raise ConnectionError(f"{error}; the search may go on there. To come back: {line}") from None
    if ended.status != "SUCCEEDED":
        from evonas.runs.going_on import going_on  # pandas, which a search that ends well does without

        again = going_on(line, run, BudgetConfig.model_validate_json(submission.budget))
        print(f"{ended.name} {_how(ended)}. To go on: {again}")
    return ended.exit_status


def place(jobs: RayJobs, submission: Submission) -> RayJob:
    """The one job of a submission, which may be there: running, or ended with nothing left to do. Says which.

    Its last attempt counts. After one that failed or was stopped, or that succeeded with another budget,
    there comes another, which goes on in the same folder. Raises ConnectionError.
    """
    content, attempts = submission.content, _attempts(jobs.all(), submission.search)
    last = attempts[max(attempts)] if attempts else None
    if last and (not last.ended or (last.status == "SUCCEEDED" and last.metadata.get("budget") == submission.budget)):
        return _there(last, content)
    if last:
        print(f"{last.name} {_how(last)}; going on from there")
    package = f"_ray_pkg_{content[:32]}.zip"
    jobs.upload(package, submission.packed())
    number = max(attempts, default=0) + 1
    name = f"evonas-{submission.title}-{submission.search}{f'-{number}' if number > 1 else ''}"
    metadata = {"run": submission.run, "budget": submission.budget, "content": content, "evonas": version("evonas")}
    submitted = jobs.submit(name, submission.entrypoint, package, metadata)
    job = jobs.get(name)
    if not submitted:  # somebody was faster
        return _there(job, content)
    print(f"submitted as {name}")
    return job


def watch(jobs: RayJobs, name: str, show: Callable[[str], None]) -> RayJob:
    """Show what a job prints until it ends; the ended job.

    Raises:
        ConnectionError: the cluster has not answered for LOST_S.
    """
    shown, heard, following = 0, time.monotonic(), Following(jobs)
    while True:
        try:
            job = jobs.get(name)  # before its output, which then is whole if it has ended
            output = following.look(job)
            heard = time.monotonic()
        except ConnectionError:
            if time.monotonic() - heard > LOST_S:
                raise
            time.sleep(POLL_S)
            continue
        text = _own_output(job, output)
        if text[shown:]:
            show(_printable(text[shown:]))
            shown = len(text)
        if job.ended:
            return job
        time.sleep(max(POLL_S, following.fetched / PACE))


def _risks(jobs: RayJobs, insecure: bool) -> Iterator[str]:
    """What it means that there is no token or no encryption. Raises UserError where that must be accepted first."""
    address = jobs.address
    closed = jobs.has_token or jobs.is_guarded
    if not closed and not address.is_loopback and not insecure:
        cure = "start its head with RAY_AUTH_MODE=token, or accept it with --insecure"
        raise UserError(
            f"--address: {address} runs whatever anybody sends who reaches it, as it asks for no token; {cure}"
        )
    if address.is_loopback and is_own_ray(address.port or 80):
        yield f"{address} is a Ray of this machine: the search runs here, and on no cluster to which a tunnel was meant"
    if not closed:
        yield f"{address} asks for no token: whoever reaches it can run anything there"
    if names := jobs.access.in_the_open:
        better = f"a secret is given as --header {names[0]}=env:VARIABLE or =@FILE"
        yield f"--header {', '.join(names)}: whoever is on this machine reads it in the list of processes; {better}"
    sent = ["the token"] * jobs.has_token + ["the headers"] * bool(jobs.access.headers)
    if sent and address.scheme == "http" and not address.is_loopback:
        tunnel = f"ssh -L 8266:127.0.0.1:{address.port or 80} {address.host}, then --address http://127.0.0.1:8266"
        goes = f"{' and '.join(sent)} {'goes' if sent == ['the token'] else 'go'} to {address} unencrypted"
        yield f"{goes}; over an untrusted network use a tunnel: {tunnel}"


def _attempts(jobs: Sequence[RayJob], search: str) -> dict[int, RayJob]:
    """Those at one search, by their number."""
    pattern = re.compile(rf"evonas-.*-{search}(?:-(\d+))?")
    return {int(found[1] or 1): job for job in jobs if (found := pattern.fullmatch(job.name))}


def _there(job: RayJob, content: str) -> RayJob:
    if job.ended:
        print(f"{job.name} {_how(job)}; nothing is left to do")
        return job
    print(f"{job.name} is {job.status.lower()} already; it goes on")
    if job.metadata.get("content") != content:
        print("note: its budget, runtime or code is not what is here now; to change that stop it and submit it again")
    return job


def _how(job: RayJob) -> str:
    """How it ended, with the last of what it said where it failed."""
    if job.status != "FAILED":
        return {"SUCCEEDED": "has ended", "STOPPED": "was stopped"}[job.status]
    last = job.message.strip().splitlines()[-1:]
    return f"failed with exit status {job.exit_status}" + _printable("".join(f" ({text.strip()})" for text in last))


def _own_output(job: RayJob, output: str) -> str:
    """Behind what Ray says of the start; of a job that did not get so far, why."""
    _, begun, rest = output.partition(f"Running entrypoint for job {job.name}: ")
    if begun:
        return rest.partition("\n")[2]
    return f"{job.message.strip()}\n" if job.ended else ""


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() or c in "\n\t" else " " for c in text)
