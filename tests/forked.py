"""`evonas` as a command on the PATH whose processes are forks of one that has everything imported.

A start takes hundredths of a second in the place of seconds of a processor. All else is as of a process of its own:
arguments, folder, environment, standard streams, signals, exit status. It dies with its client.
"""

import contextlib
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import types
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).parents[1]
IMPORTED = (
    "evonas.report",
    "evonas.start",
    "evonas.terminal.front",
    "evonas.terminal.watching",
    "scipy.stats",
    "sklearn.metrics",
)
"""What commands import, and what tests compare with."""
CLIENT = """\
#!{python} -S
import json, os, signal, socket, sys

server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
request = json.dumps([sys.argv, os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(server, [len(request).to_bytes(8, "little")], [0, 1, 2])
server.sendall(request)
process = int.from_bytes(server.recv(8), "little")
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: os.kill(process, number))
sys.exit(int.from_bytes(server.recv(8), "little"))
"""


@contextlib.contextmanager
def commands(folder: Path) -> Iterator[Path]:
    """A folder for the PATH with the command `evonas`, and with `run-script` and `run-code` in the place of `python`
    and `python -c`; `run-worker` is a `python -u -c` for those that share the tests. Ray is not imported, for it reads
    its settings from the environment when it is.

    Args:
        folder: with a short name, as sockets need it.
    """
    address, binaries = str(folder / "commands.socket"), folder / "commands"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        number = listening.fileno()
        command = [sys.executable, "-m", "tests.forked", str(number)]
        server = subprocess.Popen(command, cwd=ROOT, pass_fds=[number], stdin=subprocess.DEVNULL)
    binaries.mkdir()
    for name in ("evonas", "run-script", "run-code", "run-worker"):
        (binaries / name).write_text(CLIENT.format(python=sys.executable, address=address))
        (binaries / name).chmod(0o755)
    try:
        yield binaries
    finally:
        server.kill()
        server.wait()


def serve(listening: socket.socket) -> None:
    """One watcher for each command, which forks it and waits for it."""
    gc.disable()
    for module in IMPORTED:
        import_module(module)
    from evonas.ipc.lifetime import die_with_parent

    die_with_parent(os.getppid())
    gc.freeze()
    gc.enable()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # watchers are not waited for
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        client, _ = listening.accept()
        if not os.fork():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            watch(client)
            os._exit(0)
        client.close()


def watch(client: socket.socket) -> None:
    size, streams, _, _ = socket.recv_fds(client, 8, 3)
    words, folder, environment = json.loads(_exactly(client, int.from_bytes(size, "little")))
    process = os.fork()
    if not process:
        client.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        command(words)
    for stream in streams:
        os.close(stream)
    client.sendall(process.to_bytes(8, "little"))
    status = _ended(process, client)
    with contextlib.suppress(OSError):  # the client was killed
        client.sendall((status if status >= 0 else 128 - status).to_bytes(8, "little"))


def _ended(process: int, client: socket.socket) -> int:
    """The exit code of a process, as of `subprocess`; it is killed where its client is gone before it."""
    poll, descriptor = select.poll(), os.pidfd_open(process)
    poll.register(descriptor, select.POLLIN)
    poll.register(client, select.POLLIN)
    if not any(at == descriptor for at, _ in poll.poll()):
        os.kill(process, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def command(words: list[str]) -> NoReturn:
    from evonas.cli import main

    tempfile.tempdir = None  # which the server may have asked for
    name, *sys.argv = words
    if Path(name).name == "run-code":
        code, sys.argv[0] = sys.argv[0], "-c"
        sys.path[0] = ""
        exec(code, sys.modules["__main__"].__dict__)
        sys.exit(0)
    if Path(name).name == "run-worker":
        _kept, sys.modules["__main__"] = sys.modules["__main__"], types.ModuleType("__main__")
        code, sys.argv[:] = sys.argv[-1], ["-c"]
        exec(code, sys.modules["__main__"].__dict__)
        sys.exit(0)
    if Path(name).name == "run-script":
        sys.path[0] = str(Path(sys.argv[0]).parent)
        runpy.run_path(sys.argv[0], run_name="__main__")
        sys.exit(0)
    sys.argv = ["evonas", *sys.argv]
    sys.exit(main(sys.argv[1:]))


def _exactly(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += client.recv(size - len(data))
    return data


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
