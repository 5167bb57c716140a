"""What follows from a failure on a GPU: decided by whether that still works, on a device that is made up."""

from collections.abc import Callable

import pytest
import torch

from evonas.evaluation.aftermath import GpuLost, settle
from evonas.evaluation.failures import failure_of
from evonas.evaluation.gpu.errors import GpuError, GpuProbe, gpu_error
from evonas.records import Deferred, Evaluation, Status
from tests.evaluation.small import Moods, evaluator, job

LOST = (
    "No CUDA GPUs are available",
    "CUDA error: no CUDA-capable device is detected",
    "The NVIDIA driver on your system is too old (found version 11040)",
    "CUDA error: the remote process or device is not available",
    "CUDA driver initialization failed, you might not have a CUDA gpu.",
    "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU",
    "Triton Error [CUDA]: CUDA_ERROR_NO_DEVICE",
    "CUDA unknown error - this may be due to an incorrectly set up environment",
    "CUDA error: CUDA-capable device(s) is/are busy or unavailable",
    "CUDA error: the client was terminated by MPS",
    "CUDA error: MPS server is not ready to accept new MPS client requests",
    "CUDA error: uncorrectable ECC error encountered",
)
ILLEGAL = torch.AcceleratorError("CUDA error: an illegal memory access was encountered")
GPU = torch.device("cuda")


OUT_OF_MEMORY = (
    "cuFFT error: CUFFT_ALLOC_FAILED",
    "nvrtc: error: NVRTC_ERROR_OUT_OF_MEMORY",
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "cusolver error: CUSOLVER_STATUS_ALLOC_FAILED, when calling `cusolverDnCreate(handle)`",
    "CUDA error: resource allocation failed when calling `cusparseCreate(handle)`",
    "CUDA error: CUSPARSE_STATUS_INSUFFICIENT_RESOURCES",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "CURAND_STATUS_ALLOCATION_FAILED",
    "NCCL error: unhandled cuda error. Last error: Cuda failure 2 'out of memory'",
    "Triton Error [CUDA]: out of memory",
    "CUDA driver error: CUDA_ERROR_OUT_OF_MEMORY",
)


def raising(error: Exception | None) -> Callable[[torch.device], None]:
    def touch(device: torch.device) -> None:
        assert device == GPU
        if error:
            raise error

    return touch


def probe(error: Exception | None = None) -> GpuProbe:
    return GpuProbe([GPU, torch.device("cpu")], raising(error))


@pytest.mark.parametrize("text", LOST)
def test_a_card_that_is_gone_is_nobodys_fault_whoever_says_it(text: str) -> None:
    error = RuntimeError(text)
    assert gpu_error(error) is GpuError.LOST
    with pytest.raises(GpuLost, match="the GPU of a worker is gone: "):
        settle(failure_of(error, built=True), probe(ILLEGAL))
    with pytest.raises(GpuLost):
        settle(failure_of(ValueError("x"), built=True), probe(error))


@pytest.mark.parametrize("text", OUT_OF_MEMORY)
def test_memory_that_runs_out_is_that_in_the_words_of_each_library(text: str) -> None:
    assert gpu_error(RuntimeError(text)) is GpuError.OOM


@pytest.mark.parametrize("text", [LOST[0], OUT_OF_MEMORY[-1], "CUDA error: an illegal memory access"])
def test_what_a_candidate_says_by_itself_is_its_own(text: str) -> None:
    assert gpu_error(ValueError(text)) is None
    assert failure_of(ValueError(text), built=True).status is Status.FAILED_ERROR
    foreign = type("Fail", (Exception,), {"__module__": "onnxruntime.capi.onnxruntime_pybind11_state"})
    assert gpu_error(foreign(text)) is gpu_error(RuntimeError(text)) is not None


@pytest.mark.parametrize(
    ("text", "meaning", "status"),
    [
        (LOST[0], GpuError.LOST, Status.FAILED_ERROR),
        (OUT_OF_MEMORY[-1], GpuError.OOM, Status.FAILED_OOM),
        (str(ILLEGAL), GpuError.BROKEN, Status.FAILED_CRASH),
    ],
)
@pytest.mark.parametrize("how", ["from", "while", "hidden"])
def test_what_an_error_came_from_counts_and_is_what_the_message_says(
    how: str, text: str, meaning: GpuError, status: Status
) -> None:
    error = wrapped(RuntimeError(text), how)
    assert gpu_error(error) is meaning
    failure = failure_of(error, built=True)
    assert failure.status is status
    assert f"RuntimeError: {text} (" in failure.message


def test_an_error_itself_counts_before_what_it_came_from() -> None:
    error = wrapped(RuntimeError("CUDA out of memory"), "while", RuntimeError(str(ILLEGAL)))
    assert gpu_error(error) is GpuError.BROKEN
    assert "illegal memory access" in failure_of(error, built=True).message


def test_of_cuda_errors_the_first_is_said() -> None:
    first = wrapped(RuntimeError("CUDA error: an illegal instruction"), "from")
    error = wrapped(first, "while", RuntimeError(str(ILLEGAL)))
    assert "an illegal instruction" in failure_of(error, built=True).message


def test_errors_that_came_from_each_other_have_an_end() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__context__, other.__cause__ = other, one
    assert gpu_error(one) is None
    assert failure_of(one, built=True).status is Status.FAILED_ERROR
    one, other = (RuntimeError(f"CUDA error: {text}") for text in ("the second", "the first"))
    one.__context__, other.__context__ = other, one
    assert "the first" in failure_of(one, built=True).message


def wrapped(cause: Exception, how: str, error: Exception | None = None) -> Exception:
    """An error that was raised while another was handled."""
    error = error or ValueError("mine")
    try:
        try:
            raise cause
        finally:
            if how == "while":
                raise error
            raise error from (cause if how == "from" else None)
    except Exception as raised:
        return raised


@pytest.mark.parametrize("text", [*LOST, "CUDA error: invalid argument"])
def test_whatever_its_text_an_error_after_which_the_gpu_works_is_the_candidates_own(text: str) -> None:
    found = settle(failure_of(RuntimeError(text), built=True), probe())
    assert (found.status, found.message) == (Status.FAILED_ERROR, f"RuntimeError: {text}")
    assert settle(failure_of(RuntimeError(text), built=False), probe()).status is Status.FAILED_BUILD


@pytest.mark.parametrize("error", [ValueError("mine"), torch.OutOfMemoryError("CUDA out of memory"), ILLEGAL])
def test_whatever_its_text_an_error_after_which_the_gpu_does_not_work_costs_the_process(error: Exception) -> None:
    found = settle(failure_of(error, built=True), probe(ILLEGAL))
    assert found.status is Status.FAILED_CRASH
    assert "can use its GPU no more" in found.message
    assert str(error) in found.message


def test_a_card_that_is_full_works() -> None:
    full = probe(torch.OutOfMemoryError("CUDA out of memory"))
    assert settle(failure_of(ValueError("mine"), built=True), full).status is Status.FAILED_ERROR


def test_without_a_gpu_texts_are_all_that_is_known() -> None:
    nothing = GpuProbe([torch.device("cpu")], raising(ILLEGAL))
    assert settle(failure_of(ILLEGAL, built=True), nothing).status is Status.FAILED_CRASH
    assert settle(failure_of(RuntimeError(LOST[0]), built=True), nothing).status is Status.FAILED_ERROR


def test_a_candidate_whose_gpu_goes_is_postponed_and_one_that_breaks_it_has_crashed() -> None:
    evaluate, mood = evaluator(Moods()), Moods.mood.values.index("bug")
    evaluate.gpus = probe(RuntimeError(LOST[0]))
    *_, last = evaluate(job(mood))
    assert isinstance(last, Deferred)
    assert last.lost_gpu
    evaluate.gpus = probe(ILLEGAL)
    *_, last = evaluate(job(mood))
    assert isinstance(last, Evaluation)
    assert last.status is Status.FAILED_CRASH
