"""How a worker process ended, as a status and one line that a person can act on.

Where in the code it was comes from `faulthandler`, which writes the Python stack even while C code holds the
interpreter or has just crashed.
"""

import os
import re
import signal

from evonas.records import Status
from evonas.runtime.runtime import WorkerExit
from evonas.user_code import distance

MB = 1e6
_FRAME = re.compile(r'^  File "(.*)", line (\d+) in (.*)$', re.MULTILINE)  # the innermost comes first


def over_deadline(seconds: float, stack: str) -> WorkerExit:
    limit = f"{seconds:,.0f}" if seconds >= 10 else f"{seconds:g}"
    return WorkerExit(Status.FAILED_TIMEOUT, f"over its deadline of {limit} s (runtime.deadline_minutes){place(stack)}")


def over_memory(held: int, share: int) -> WorkerExit:
    return WorkerExit(
        Status.FAILED_OOM,
        f"took {held / MB:,.0f} MB of host memory, its worker's share is {share / MB:,.0f} MB "
        "(runtime.memory_mb_per_worker)",
    )


def from_wait_status(wait_status: int, stack: str) -> WorkerExit:
    """wait_status: as of `os.waitpid`."""
    code = os.waitstatus_to_exitcode(wait_status)
    if code >= 0:
        return WorkerExit(Status.FAILED_CRASH, f"its process ended by itself with exit code {code} (os._exit?)")
    if -code == signal.SIGKILL:
        return WorkerExit(
            Status.FAILED_CRASH,
            "its process was killed from outside (SIGKILL), as the kernel does when memory runs out",
        )
    return WorkerExit(Status.FAILED_CRASH, f"{_signal(-code)}{place(stack)}")


def place(stack: str) -> str:
    """ ", at FILE:LINE in FUNCTION": the innermost frame of those that tell most; "" where there are none."""
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
