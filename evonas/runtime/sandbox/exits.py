"""How a worker process ended, as a status and one line that a person can act on.

`faulthandler` says where in the code it was: it writes the Python stack even while C code holds the interpreter or has
just crashed.
"""

import os
import re
import signal

from evonas.code_owner import distance
from evonas.records import Status
from evonas.runtime.runtime import WorkerExit

_FRAME = re.compile(r'^  File "(.*)", line (\d+) in (.*)$', re.MULTILINE)  # the innermost comes first


def over_deadline(seconds: float, stack: str) -> WorkerExit:
    """Returns the exit of a worker that was killed at its deadline.

    Args:
        seconds: The deadline.
        stack: What `faulthandler` wrote, "" for nothing.
    """
    limit = f"{seconds:,.0f}" if seconds >= 10 else f"{seconds:g}"
    return WorkerExit(
        Status.FAILED_TIMEOUT, f"over its deadline of {limit} s (runtime.deadline_minutes){source_line(stack)}"
    )


def silent(seconds: float, epoch_s: float, stack: str) -> WorkerExit:
    """Returns the exit of a worker that was killed because its training on a GPU stood still.

    Args:
        seconds: For how long.
        epoch_s: How long its longest epoch took.
        stack: What `faulthandler` wrote, "" for nothing.
    """
    return WorkerExit(
        Status.FAILED_TIMEOUT,
        f"no step of its training on the GPU ended in {seconds:,.0f} s, where an epoch took {epoch_s:.3g} s"
        f"{source_line(stack)}",
    )


def from_wait_status(wait_status: int, stack: str) -> WorkerExit:
    """Returns the exit of a worker that ended by itself or was killed from outside.

    Args:
        wait_status: As of `os.waitpid`.
        stack: What `faulthandler` wrote, "" for nothing.
    """
    code = os.waitstatus_to_exitcode(wait_status)
    if code >= 0:
        return WorkerExit(Status.FAILED_CRASH, f"its process ended by itself with exit code {code} (os._exit?)")
    if -code == signal.SIGKILL:
        return WorkerExit(
            Status.FAILED_CRASH,
            "its process was killed from outside (SIGKILL), as the kernel does when memory runs out",
        )
    return WorkerExit(Status.FAILED_CRASH, f"{_signal(-code)}{source_line(stack)}")


def source_line(stack: str) -> str:
    """Returns ", at FILE:LINE in FUNCTION": the innermost frame of those that tell most; "" where there are none."""
    frames = [frame for frame in _FRAME.findall(stack) if not frame[0].startswith("<")]
    if not frames:
        return ""
    file, number, function = min(frames, key=lambda frame: distance(frame[0]))
    return f", at {os.path.basename(file)}:{number} in {function}"


def _signal(number: int) -> str:
    """ "segmentation fault (SIGSEGV)"; real-time signals have no names."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    return f"{(signal.strsignal(number) or 'ended').lower()} ({name})"
