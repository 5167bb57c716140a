"""After a failure: what it has left of the GPU, which decides whose fault it is and whether the process goes on."""

from dataclasses import replace

from evonas.evaluation.failures import Failure, own_failure, without_hint
from evonas.evaluation.gpu.errors import GpuError, GpuProbe, gpu_error
from evonas.records import Status
from evonas.text import describe_error, one_line


class GpuLost(Exception):
    """The card, its driver or its service is gone: no candidate is to blame."""


def settle(failure: Failure, gpus: GpuProbe) -> Failure:
    """A failure as it is once the GPUs have been asked, whatever its text says.

    Args:
        failure: of a candidate, whose tensors are free by now.
        gpus: those that this process uses.

    Returns:
        Where they work, one that is the candidate's own; else FAILED_CRASH, after which its process is replaced. The
        same failure where there is no GPU to ask.

    Raises:
        GpuLost: they do not work, and the error or they themselves say that the card or its service is gone.
    """
    if not gpus:
        return failure
    error = gpus.failure()
    if error is None:
        if failure.status is not Status.FAILED_CRASH:
            return failure
        return replace(failure, status=own_failure(failure.built), message=without_hint(failure.message))
    if GpuError.LOST in (failure.meaning, gpu_error(error)):
        raise GpuLost(one_line(f"the GPU of a worker is gone: {describe_error(error)}"))
    if failure.status is Status.FAILED_CRASH:
        return failure
    message = one_line(f"its process can use its GPU no more ({describe_error(error)}): {failure.message}")
    return replace(failure, status=Status.FAILED_CRASH, message=message)
