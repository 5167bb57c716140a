"""Why torch finds no GPU, in one line: its build, the driver, or what CUDA says."""

import torch

from evonas.measuring.backends import devices
from evonas.text import describe_error, one_line


def why() -> str:
    """The reason, with what would be right where that is known; of a process in which CUDA is not available."""
    build = f"this torch ({torch.__version__})"
    if torch.version.cuda is None and torch.version.hip is None:
        return f"{build} is a build for CPUs; install one for CUDA (https://pytorch.org/get-started/locally)"
    driver = devices.driver().get("driver")
    there = f"NVIDIA's driver is {driver}" if driver else "NVIDIA's driver is not loaded (/sys/module/nvidia)"
    return one_line(f"{_said_by_cuda()}; {build} is built for CUDA {torch.version.cuda}, {there}")


def _said_by_cuda() -> str:
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except Exception as error:
        return describe_error(error)
    return "CUDA starts and shows no GPU (CUDA_VISIBLE_DEVICES?)"
