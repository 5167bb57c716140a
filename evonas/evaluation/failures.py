"""An exception as a status and one line that says where to look."""

import traceback
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile

from evonas.code_owner import line_of
from evonas.evaluation.gpu.errors import GpuError, chain, gpu_error, own_meaning
from evonas.evaluation.task_metrics import MetricError
from evonas.evaluation.training.loop import Diverged
from evonas.excerpt import shortened
from evonas.latency_tables.blocks import MissingBlock
from evonas.measuring.backends.export import ExportError
from evonas.measuring.remote.client import MeasureError
from evonas.records import Status
from evonas.text import describe_error, one_line

_HINTS = {
    GpuError.BROKEN: "after a CUDA error a process can use its GPU no more: ",
    GpuError.CAPTURE: "CUDA cannot capture it as a graph (`graph: true`), as where it waits for the GPU (.item()): ",
}


class BuildError(Exception):
    """A space made a network that cannot serve the task."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What is left of an error once it is let go, with the frames and tensors that it holds.

    Args:
        status: by its type and text.
        message: one line.
        log: its traceback.
        meaning: what it says of the GPU.
        built: whether the network was there and gave the right output.
    """

    status: Status
    message: str
    log: str = ""
    meaning: GpuError | None = None
    built: bool = True


def failure_of(error: BaseException, built: bool) -> Failure:
    """What is to be known of an error.

    Args:
        error: whatever was raised.
        built: whether the network was there and gave the right output.
    """
    return Failure(status_of(error, built), message_of(error), traceback_of(error), gpu_error(error), built)


def status_of(error: BaseException, built: bool) -> Status:
    """built: whether the network was there and gave the right output."""
    if isinstance(error, Diverged):
        return Status.FAILED_DIVERGED
    meaning = gpu_error(error)
    if meaning is GpuError.OOM:
        return Status.FAILED_OOM
    if meaning is GpuError.BROKEN:
        return Status.FAILED_CRASH
    return own_failure(built)


def own_failure(built: bool) -> Status:
    """The status of an error that is the candidate's own and says nothing of the process."""
    return Status.FAILED_ERROR if built else Status.FAILED_BUILD


def message_of(error: BaseException) -> str:
    """One line: the type, the first line of the text, the place in the user's code."""
    if isinstance(error, Diverged | BuildError | ExportError | MeasureError | MetricError | MissingBlock):
        return one_line(str(error))
    error = _telling(error)
    where, meaning = line_of(error, libraries=True), own_meaning(error)
    text = (_HINTS.get(meaning, "") if meaning else "") + describe_error(error)
    return one_line(f"{text} ({where})" if where else text)


def without_hint(message: str) -> str:
    """The message of an error that did not break what its text speaks of."""
    return message.removeprefix(_HINTS[GpuError.BROKEN])


def traceback_of(error: BaseException) -> str:
    """Where an error came from, in full; empty where it says nothing of anybody's code."""
    if isinstance(error, Diverged):
        return ""
    with suppress(Exception):  # it asks the error, whose class may be the user's, and takes memory
        return shortened("".join(traceback.format_exception(error)))
    return ""


def _telling(error: BaseException) -> BaseException:
    """Of an error and its causes the one that says what happened on the GPU, where one does. Of CUDA errors it is the
    first: those after it come from whatever had to be put back."""
    speaking = [each for each in chain(error) if own_meaning(each)]
    broken = list(takewhile(lambda each: own_meaning(each) is GpuError.BROKEN, speaking))
    return (broken[-1:] or speaking[:1] or [error])[0]
