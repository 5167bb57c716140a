"""How a child interpreter is started, with the import paths of this one."""

import json
import os
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence

from evonas.ipc.framing import Channel, K

BOOT = """
import gc, importlib, json, sys
sys.path[:] = json.loads(sys.argv[1])
gc.disable()
module = importlib.import_module(sys.argv[2])
gc.freeze()
gc.enable()
module.main(*sys.argv[3:])
"""
"""`python -m` would put the working directory before everything, and knows only what is installed. What is imported
stays, and to look through it again and again takes a sixth of the time."""


def standard_first(paths: Sequence[str]) -> list[str]:
    """Returns import paths with the standard library before all others.

    A file `queue.py` or `profile.py` in a user's folder is then no part of torch.
    """
    folders = {os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")}
    folders |= {os.path.join(folder, "lib-dynload") for folder in folders}
    return sorted(paths, key=lambda path: not path or os.path.realpath(path) not in folders)


def command(module: str, *arguments: object) -> list[str]:
    """Returns the command line of an interpreter that calls the module's `main`.

    Args:
        module: The full name of a module with a function `main`.
        arguments: The arguments of `main`, which gets them as text.
    """
    return [sys.executable, "-P", "-c", BOOT, json.dumps(standard_first(sys.path)), module, *map(str, arguments)]


def start(
    module: str,
    kinds: type[K],
    *arguments: object,
    descriptors: Sequence[int] = (),
    environment: Mapping[str, str] | None = None,
) -> tuple["subprocess.Popen[bytes]", Channel[K]]:
    """Starts a child interpreter in a session of its own, so that the terminal's Ctrl-C is for the parent to act on.

    Args:
        module: As of `command`. Its `main` gets the descriptor of its end of the channel before all other arguments.
        kinds: The kinds of frames on the channel.
        arguments: The other arguments of `main`.
        descriptors: What the child keeps open besides, under the same numbers.
        environment: The child's; None for this process's.

    Returns:
        The process, and the parent's end of the channel to it.

    Raises:
        OSError: The process cannot be started.
    """
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            process = subprocess.Popen(
                command(module, theirs.fileno(), *arguments),
                stdin=subprocess.DEVNULL,
                env=environment,
                pass_fds=(theirs.fileno(), *descriptors),
                start_new_session=True,
            )
    except BaseException:
        ours.close()
        raise
    return process, Channel(ours, kinds)
