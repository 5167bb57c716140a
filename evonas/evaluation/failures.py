"""An exception as a status and one line that says where to look."""

import os
import traceback
from contextlib import suppress
from types import TracebackType

import torch

from evonas.code_owner import OURS, TORCH
from evonas.evaluation.task_metrics import MetricError
from evonas.evaluation.training import Diverged
from evonas.excerpt import shortened
from evonas.latency_tables.blocks import MissingBlock
from evonas.measuring.backends.export import ExportError
from evonas.measuring.remote.client import MeasureError
from evonas.records import Status
from evonas.text import describe_error, error_text, one_line

_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "_status_alloc_failed")
_BROKEN_GPU = (
    "cuda error",
    "cudnn_status_execution_failed",
    "cudnn_status_internal_error",
    "cublas_status_execution_failed",
    "cublas_status_internal_error",
)


class BuildError(Exception):
    """A space made a network that cannot serve the task."""


def status_of(error: BaseException, built: bool) -> Status:
    """built: whether the network was there and gave the right output."""
    if isinstance(error, Diverged):
        return Status.FAILED_DIVERGED
    if _out_of_memory(error):
        return Status.FAILED_OOM
    if _gpu_is_broken(error):
        return Status.FAILED_CRASH
    return Status.FAILED_ERROR if built else Status.FAILED_BUILD


def message_of(error: BaseException) -> str:
    """One line: the type, the first line of the text, the place in the user's code."""
    if isinstance(error, Diverged | BuildError | ExportError | MeasureError | MetricError | MissingBlock):
        return one_line(str(error))
    error = _first_cause(error)
    text, where = describe_error(error), _place(error.__traceback__)
    if _gpu_is_broken(error):
        text = f"after a CUDA error a process can use its GPU no more: {text}"
    return one_line(f"{text} ({where})" if where else text)


def traceback_of(error: BaseException) -> str:
    """Where an error came from, in full; empty where it says nothing of anybody's code."""
    if isinstance(error, Diverged):
        return ""
    with suppress(Exception):  # it asks the error, whose class may be the user's, and takes memory
        return shortened("".join(traceback.format_exception(error)))
    return ""


def _out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in error_text(error).lower() for sign in _NO_MEMORY)


def _gpu_is_broken(error: BaseException) -> bool:
    """CUDA reports such an error to each later call of the process. Out of memory is not one of them."""
    if _out_of_memory(error) or not isinstance(error, RuntimeError):
        return False
    accelerator = getattr(torch, "AcceleratorError", None)  # since torch 2.8
    if accelerator and isinstance(error, accelerator):
        return True
    return any(sign in error_text(error).lower() for sign in _BROKEN_GPU)


def _first_cause(error: BaseException) -> BaseException:
    """Of a chain of CUDA errors the first: those after it come from whatever had to be put back."""
    while _gpu_is_broken(error) and error.__context__ is not None and _gpu_is_broken(error.__context__):
        error = error.__context__
    return error


def _place(trace: TracebackType | None) -> str:
    """file:line of the innermost frame that is neither torch's nor evonas's."""
    for frame in reversed(traceback.extract_tb(trace)):
        if not frame.filename.startswith((*TORCH, OURS, "<")):
            return f"{os.path.basename(frame.filename)}:{frame.lineno}"
    return ""
