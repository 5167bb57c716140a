"""An exception as a status and one line that says where to look."""

import os
import traceback
from types import TracebackType

import torch

from evonas.evaluation.training import Diverged
from evonas.records import Status

_OURS = os.path.dirname(__file__)
_TORCH = os.path.dirname(torch.__file__)
_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")


class BuildError(Exception):
    """A space made a network that cannot serve the task."""


def status_of(error: BaseException, built: bool) -> Status:
    """built: whether the network was there and gave the right output."""
    if isinstance(error, Diverged):
        return Status.FAILED_DIVERGED
    if _out_of_memory(error):
        return Status.FAILED_OOM
    return Status.FAILED_ERROR if built else Status.FAILED_BUILD


def message_of(error: BaseException) -> str:
    """One line: the type, the first line of the text, the place in the user's code."""
    if isinstance(error, Diverged | BuildError):
        return str(error)
    lines = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    where = _place(error.__traceback__)
    return f"{text} ({where})" if where else text


def _out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _NO_MEMORY)


def _place(trace: TracebackType | None) -> str:
    """file:line of the innermost frame that is neither torch's nor this package's."""
    for frame in reversed(traceback.extract_tb(trace)):
        if not frame.filename.startswith((_TORCH, _OURS, "<")):
            return f"{os.path.basename(frame.filename)}:{frame.lineno}"
    return ""
