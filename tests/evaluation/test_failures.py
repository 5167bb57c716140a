from collections.abc import Generator

import pytest
import torch

from evonas.evaluation.failures import BuildError, message_of, status_of, traceback_of
from evonas.evaluation.training.loop import Diverged
from evonas.records import Evaluation, RungReport, Status
from evonas.text import LONGEST, describe_error, one_line
from tests.evaluation.small import Moods, config, evaluator, job

ASSERTED = "CUDA error: device-side assert triggered\nCUDA kernel errors might be reported asynchronously"
CAPTURING = "operation not permitted when stream is capturing"
TAIL = "Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions."


class OrtError(Exception):
    """As onnxruntime's, which are no RuntimeError."""

    __module__ = "onnxruntime.capi.onnxruntime_pybind11_state"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Diverged("x"), Status.FAILED_DIVERGED),
        (MemoryError(), Status.FAILED_OOM),
        (OSError(12, "Cannot allocate memory"), Status.FAILED_OOM),
        (RuntimeError("unable to mmap 608 bytes from file <x>: Cannot allocate memory (12)"), Status.FAILED_OOM),
        (RuntimeError("NCCL WARN Failed to CUDA calloc async 608 bytes"), Status.FAILED_OOM),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), Status.FAILED_OOM),
        (torch.AcceleratorError("CUDA error: out of memory"), Status.FAILED_OOM),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), Status.FAILED_OOM),
        (torch.AcceleratorError(ASSERTED), Status.FAILED_CRASH),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), Status.FAILED_CRASH),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), Status.FAILED_CRASH),
        (RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`"), Status.FAILED_CRASH),
        (
            RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"),
            Status.FAILED_OOM,
        ),
        (RuntimeError("cuDNN error: CUDNN_STATUS_NOT_INITIALIZED"), Status.FAILED_OOM),
        (RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"), Status.FAILED_OOM),
        (RuntimeError("GET was unable to find an engine to execute this computation"), Status.FAILED_OOM),
        (RuntimeError("[cudnn_frontend] Error: No valid execution plans built."), Status.FAILED_OOM),
        (RuntimeError("Triton Error [CUDA]: out of memory"), Status.FAILED_OOM),
        (OrtError("RUNTIME_EXCEPTION : Failed to allocate memory for requested buffer of size 123"), Status.FAILED_OOM),
        (torch.AcceleratorError(f"CUDA error: {CAPTURING}\n{TAIL}"), Status.FAILED_ERROR),
        (
            torch.AcceleratorError("CUDA error: operation failed due to a previous error during capture"),
            Status.FAILED_ERROR,
        ),
        (RuntimeError("Triton Error [CUDA]: an illegal memory access was encountered"), Status.FAILED_CRASH),
        (RuntimeError("CUDA driver error: device not ready"), Status.FAILED_CRASH),
        (RuntimeError("NVML_SUCCESS == r INTERNAL ASSERT FAILED at CUDACachingAllocator.cpp"), Status.FAILED_CRASH),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED_CUBLAS"), Status.FAILED_CRASH),
        (OrtError("CUDA failure 700: an illegal memory access was encountered"), Status.FAILED_CRASH),
        (RuntimeError("No CUDA GPUs are available"), Status.FAILED_ERROR),
        (RuntimeError("cuDNN error: CUDNN_STATUS_NOT_SUPPORTED"), Status.FAILED_ERROR),
        (ValueError("my own CUDA error"), Status.FAILED_ERROR),
        (ValueError("there is a table out of memory"), Status.FAILED_ERROR),
        (SystemExit(3), Status.FAILED_ERROR),
    ],
)
def test_an_exception_is_a_status(error: BaseException, status: Status) -> None:
    assert status_of(error, built=True) is status
    assert status_of(error, built=False) is (Status.FAILED_BUILD if status is Status.FAILED_ERROR else status)


def test_an_error_of_a_gpu_says_that_its_process_is_lost() -> None:
    text = "after a CUDA error a process can use its GPU no more: AcceleratorError: CUDA error: device-side assert trig"
    assert message_of(torch.AcceleratorError(ASSERTED)).startswith(text)
    assert message_of(torch.AcceleratorError("CUDA error: out of memory")).startswith("AcceleratorError: CUDA error")


def test_the_first_of_many_errors_of_a_gpu_is_told() -> None:
    def fail() -> None:
        try:
            raise torch.AcceleratorError("CUDA error: the first")
        finally:
            raise torch.AcceleratorError("CUDA error: the second, of putting things back")

    with pytest.raises(torch.AcceleratorError) as caught:
        fail()
    assert "the first" in message_of(caught.value)


class Mute(RuntimeError):
    def __str__(self) -> str:
        raise SystemExit


def test_an_error_that_cannot_be_shown() -> None:
    assert message_of(Mute()) == "Mute: its text cannot be shown: SystemExit"
    assert status_of(Mute(), built=True) is Status.FAILED_ERROR


def test_a_message_is_one_short_line() -> None:
    assert describe_error(ValueError("\n\x1b[31mred\ttext\x00\ud800 \n more")) == "ValueError: red text"
    assert message_of(BuildError("one\ntwo")) == "one two"
    assert len(message_of(ValueError("x" * 10**6))) == LONGEST
    assert one_line("é…") == "é…"


def test_a_failure_has_its_traceback_and_divergence_none() -> None:
    *_, last = evaluator(Moods())(job(Moods.mood.values.index("raises")))
    assert isinstance(last, Evaluation)
    assert last.log.startswith("Traceback (most recent call last):")
    assert "small.py" in last.log
    assert last.log.endswith("ValueError: width 3 does not divide by heads 2\nsecond line\n")
    assert traceback_of(Diverged("not finite after epoch 1")) == ""
    assert traceback_of(Mute()).endswith("Mute: <exception str() failed>\n")
    assert len(traceback_of(ValueError("x" * 10**6))) < 2**17


def test_who_sits_at_the_terminal_can_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Moods, "build", interrupt)
    with pytest.raises(KeyboardInterrupt):
        list(evaluator(Moods())(job()))


def test_an_evaluation_can_be_ended_between_its_reports() -> None:
    reports = evaluator(of=config({"epochs": 3, "rungs": [1, 2]}))(job())
    assert isinstance(next(reports), RungReport)
    assert isinstance(reports, Generator)
    reports.close()
    assert next(reports, None) is None
