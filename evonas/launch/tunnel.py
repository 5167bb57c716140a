"""A way from this machine to a cluster's dashboard, open for as long as it is needed."""

import fcntl
import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil

from evonas.errors import UserError
from evonas.launch.programs import find
from evonas.launch.state import State, alter, read
from evonas.measuring.machine_folder import machine_folder
from evonas.submit.ray_jobs import is_open

PORTS = range(8266, 8366)
"""8265 is that of a Ray on this machine, which would get the search instead."""
OPENS_S = 90.0
LOG = "tunnel.log"


@contextmanager
def free_port() -> Iterator[int]:
    """A port of the loopback at which nothing listens, and that no other line of this user takes during the block.

    Of two that took one, the later would find the other's tunnel at it, and send its search to the other's cluster.

    Raises:
        UserError: None of a hundred is free.
    """
    for port in PORTS:
        path = machine_folder() / f"port-{port}"
        with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600), "rb") as file:
            if _is_taken(file.fileno(), port):
                continue
            yield port
            return
    raise UserError(f"no port of {PORTS.start} to {PORTS.stop - 1} is free on this machine")


def _is_taken(file: int, port: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with socket.socket() as tried:
            tried.bind(("127.0.0.1", port))
    except OSError:
        return True
    return False


@contextmanager
def tunnel(folder: Path, words: Callable[[int], Sequence[str]]) -> Iterator[str]:
    """Opens a tunnel and closes it.

    Args:
        folder: of the cluster, where its output goes and which process it is.
        words: port of this machine -> the line that opens it and stays until it is ended.

    Yields:
        `http://127.0.0.1:8266`, where the job API of the cluster answers.

    Raises:
        ConnectionError: It does not open; with what its program said.
    """
    close(folder)
    with free_port() as port, _opened(folder, list(words(port))) as process:
        _wait(process, url := f"http://127.0.0.1:{port}", folder / LOG)
        yield url


@contextmanager
def _opened(folder: Path, line: list[str]) -> "Iterator[subprocess.Popen[bytes]]":
    """The program of a tunnel, noted and ended."""
    print(f"$ {shlex.join(line)}", flush=True)
    with (folder / LOG).open("wb") as log:
        # In a session of its own, so that ctrl-C reaches it by `close` alone, with all that it has started (ssh).
        process = subprocess.Popen(
            [find(line[0]) or line[0], *line[1:]],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    alter(folder, lambda state: _with(state, {str(process.pid): os.getpid()}))
    try:
        yield process
    finally:
        _end(process.pid)
        process.wait()
        alter(folder, lambda state: _without(state, str(process.pid)))


def close(folder: Path, all_of_it: bool = False) -> None:
    """Ends the tunnels that lines which were killed have left open.

    Args:
        folder: of the cluster.
        all_of_it: also those of lines that show a search now.
    """
    for group, opener in read(folder).tunnels.items():
        with suppress(psutil.Error):
            process = psutil.Process(int(group))
            if not all_of_it and process.ppid() == opener:
                continue  # who has lost its parent is another's child
            # The number may be another process's by now; that of a tunnel leads its group, and says what it is.
            line = " ".join(process.cmdline())
            if os.getpgid(int(group)) == int(group) and ("dashboard" in line or "port-forward" in line):
                _end(int(group))
        alter(folder, lambda state, group=group: _without(state, group))  # type: ignore[misc]


def _with(state: State, tunnels: Mapping[str, int]) -> State:
    return replace(state, tunnels={**state.tunnels, **tunnels})


def _without(state: State, group: str) -> State:
    return replace(state, tunnels={name: pid for name, pid in state.tunnels.items() if name != group})


def _end(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGTERM)


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    end, why = time.monotonic() + OPENS_S, "nothing answers"
    while process.poll() is None and time.monotonic() < end:
        try:
            is_open(url)
            return
        except UserError as error:
            why = str(error).removeprefix("--address: ")
        time.sleep(0.5)
    if process.poll() is not None:
        why = (log.read_text(errors="replace").strip().splitlines() or [f"it ended with {process.returncode}"])[-1]
    raise ConnectionError(f"no way to the cluster: {why}; {log} has it all, and the same line tries again")
