"""Works that need a target which is not always there."""

import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from evonas.errors import UserError
from evonas.records import Candidate, Deferred, Endpoint, Evaluation, Job, RungReport, Status
from evonas.runtime import Message, Work

AWAY = "target phone: nothing answers"


def job(index: int) -> Job:
    return Job(Candidate(index, (index,), (), "random", 0, 0))


@dataclass
class Away:
    """Reports a rung, unless that is known; candidates in `times` are then postponed so often. folder: counts tries."""

    folder: Path
    times: Mapping[int, int] = field(default_factory=dict)

    def __call__(self, job: Job) -> Iterator[Message | Deferred]:
        index = job.candidate.index
        with (self.folder / f"{index}").open("a+") as file:
            file.write("tried\n")
            file.seek(0)
            tries = len(file.readlines())
        if not job.reached:
            yield RungReport(index, 0, {"error": 0.5})
        if tries <= self.times.get(index, 0):
            yield Deferred(index, AWAY)
            return
        endpoints = {name: endpoint.url for name, endpoint in job.endpoints.items()}
        yield Evaluation(job.candidate, Status.OK, {"tries": float(tries)}, rungs=job.reached, conditions=endpoints)


def by_board(job: Job) -> Iterator[Message | Deferred]:
    """Done by the server that the job's target is at: its answer is among the conditions."""
    endpoint = job.endpoints.get("phone")
    if endpoint is None:
        yield Deferred(job.candidate.index, AWAY)
        return
    try:
        with urlopen(f"{endpoint.url}/{endpoint.token}", timeout=5) as answer:
            yield Evaluation(job.candidate, Status.OK, conditions={"board": answer.read().decode()})
    except (URLError, ConnectionError):
        yield Deferred(job.candidate.index, AWAY)


def made(work: Work) -> Work:
    """A factory, with `functools.partial`."""
    return work


def leaving(job: Job) -> Iterator[Message | Deferred]:
    """Also leaves a process behind, whose number is the reason."""
    child = os.fork()
    if not child:
        threading.Event().wait()
    yield Deferred(job.candidate.index, str(child))


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"process {os.getpid()} asked for {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None: ...


def serve(address: str) -> Endpoint:
    """A server in a thread of this process."""
    server = ThreadingHTTPServer((address, 0), _Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return Endpoint(f"http://{address}:{server.server_port}", "secret")


def serve_nothing(address: str) -> Endpoint:
    raise UserError(f"targets.phone: no phone at {address}")


def serve_but_the_first(folder: Path, address: str) -> Endpoint:
    """The first that is asked has no phone."""
    try:
        (folder / "first").touch(exist_ok=False)
    except FileExistsError:
        return serve(address)
    raise UserError(f"targets.phone: no phone at {address}")
