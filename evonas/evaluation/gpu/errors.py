"""What an error of a GPU means: by its text, and by whether the GPU still does what it is asked after it.

Neither has met a GPU yet: the texts are those of CUDA, its libraries, torch, NCCL, Triton and onnxruntime, as their
sources have them.
"""

import errno
from collections.abc import Callable, Iterable, Iterator
from enum import Enum

import torch

from evonas.text import error_text


class GpuError(Enum):
    """What an error says of the candidate, of the process and of the card."""

    LOST = "the card or its service is gone: no candidate is to blame, and another worker may do the job"
    OOM = "memory ran out: the same process goes on"
    CAPTURE = "what ran cannot be captured as a CUDA graph: the candidate's own fault, and the same process goes on"
    BROKEN = "the process can use its GPU no more"


SIGNS = {
    GpuError.LOST: (
        "no cuda gpus are available",
        "no cuda-capable device",
        "no nvidia driver",
        "driver initialization failed",
        "driver version is insufficient",
        "driver on your system is too old",
        "forward compatibility was attempted",
        "remote process or device is not available",
        "display driver / cuda driver",  # cudaErrorSystemDriverMismatch: it was replaced under a running process
        "fallen off the bus",
        "cuda_error_no_device",
        "cuda_error_device_unavailable",
        "cuda_error_ecc_uncorrectable",
        "cuda_error_mps_",
        "cuda unknown error",
        "busy or unavailable",
        "mps client",
        "mps server",
        "mps control daemon",
        "terminated by mps",
        "uncorrectable ecc error",
        "uncorrectable nvlink error",
        "system not yet initialized",
        "gpu is lost",
    ),
    GpuError.OOM: (
        "out of memory",
        "out_of_memory",  # CUDA_ERROR_, NVRTC_ERROR_
        "not enough memory",
        "can't allocate memory",
        "cannot allocate memory",  # ENOMEM, as mmap has it
        "failed to allocate memory",
        "failed to cuda calloc",  # NCCL
        "failed to cuda malloc",
        "memory allocation failure",
        "resource allocation failed",
        "_alloc_failed",  # cuBLAS, cuDNN, cuFFT, cuSOLVER, cuSPARSE
        "_allocation_failed",  # cuDNN 9, cuRAND
        "cudaerrormemoryallocation",
        "cusparse_status_insufficient_resources",
        "cublas_status_not_initialized",  # its handle needs memory, which is nearly always what it lacks
        "cudnn_status_not_initialized",
        "cusolver_status_not_initialized",
        "cusparse_status_not_initialized",
        "unable to find an engine to execute",  # each engine that cuDNN has tried wanted more memory than there is
        "no valid execution plans",
    ),
    GpuError.CAPTURE: (
        "stream is capturing",
        "during capture",
        "graph capture",
        "uncaptured work",
        "capturing blocking stream",
    ),
    GpuError.BROKEN: (
        "cuda error:",
        "cuda driver error",
        "cuda failure",
        "cuda_error_",
        "nccl error",
        "ncclunhandledcudaerror",
        "triton error [cuda]",
        "illegal memory access",
        "device-side assert",
        "cudacachingallocator",
        "cudnn_status_execution_failed",
        "cudnn_status_internal_error",
        "cublas_status_execution_failed",
        "cublas_status_internal_error",
        "cufft_exec_failed",
        "cufft_internal_error",
        "curand_status_launch_failure",
        "curand_status_internal_error",
        "cusolver_status_execution_failed",
        "cusolver_status_internal_error",
        "cusparse_status_execution_failed",
        "cusparse_status_internal_error",
        "cublas_status_mapping_error",
    ),
}
"""What the text of an error holds, in lower case; the first line that fits counts, the more special come first."""
LIBRARIES = {"torch", "triton", "onnxruntime", "cupy", "numba", "evonas"}
"""Packages whose errors are heard whatever their type: onnxruntime's are no RuntimeError, and evonas passes on what
others say."""


def gpu_error(error: BaseException) -> GpuError | None:
    """What an error means, by the type and text of the first of `chain` that speaks of a GPU or memory; None where none
    does."""
    return next(filter(None, map(own_meaning, chain(error))), None)


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error, then what it came from, each once: its cause, else what was being handled. One that its author hides
    (`from None`) has happened all the same."""
    found: BaseException | None = error
    known = set[int]()
    while found is not None and id(found) not in known:
        yield found
        known.add(id(found))
        found = found.__cause__ or found.__context__


def own_meaning(error: BaseException) -> GpuError | None:
    """What an error itself means, whatever it came from. A candidate's own ValueError, say, speaks of no GPU, whatever
    its text is."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return GpuError.OOM
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return GpuError.OOM
    if not isinstance(error, RuntimeError) and type(error).__module__.partition(".")[0] not in LIBRARIES:
        return None
    text = error_text(error).lower()
    found = next((meaning for meaning, signs in SIGNS.items() if any(sign in text for sign in signs)), None)
    accelerator = getattr(torch, "AcceleratorError", None)  # since torch 2.8
    return found or (GpuError.BROKEN if accelerator and isinstance(error, accelerator) else None)


def touch(device: torch.device) -> None:
    """Have a GPU do something, and wait for it. Raises what CUDA then says."""
    torch.zeros(1, device=device).add_(1)
    torch.cuda.synchronize(device)


class GpuProbe:
    """Asks GPUs whether this process can still use them. CUDA reports an error that breaks a process to each later
    call, so what works after a failure is proof, whatever the error's text was.

    Args:
        devices: those that the process uses; others than GPUs are left out.
        touch: raises where a device does not work.
    """

    def __init__(self, devices: Iterable[torch.device], touch: Callable[[torch.device], None] = touch) -> None:
        self._devices = [device for device in dict.fromkeys(devices) if device.type == "cuda"]
        self._touch = touch

    def __bool__(self) -> bool:
        """Whether there is a GPU to ask; where there is none, texts are all that is known."""
        return bool(self._devices)

    def failure(self) -> Exception | None:
        """What a GPU raises; None where all work. A card that is merely full works."""
        for device in self._devices:
            try:
                self._touch(device)
            except Exception as error:
                if gpu_error(error) is not GpuError.OOM:
                    return error
        return None
