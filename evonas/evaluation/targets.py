"""Devices that networks run on. A backend is one class and one line in TARGETS."""

import copy
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from evonas.config import TargetConfig
from evonas.evaluation.isolation import cpu_threads, no_garbage_collection, seeded
from evonas.evaluation.latency import Pass, samples
from evonas.records import UserError


class Target(Protocol):
    """A device, ready to measure."""

    @property
    def conditions(self) -> Mapping[str, str]:
        """What a number measured here depends on, as text."""

    def measure(self, network: nn.Module, input_shape: tuple[int, ...]) -> tuple[float, ...]:
        """Milliseconds of single forward passes; the network is left as it was."""


class TorchTarget:
    """PyTorch as a user calls it: eager, float32, evaluation mode, a batch that is already on the device.

    On a GPU a sample is the time between two events around the pass, its launches included.

    Raises:
        UserError: the device is not there.
    """

    def __init__(self, name: str, config: TargetConfig) -> None:
        self.config = config
        self.device = available(config.device, f"targets.{name}.device")

    @property
    def conditions(self) -> Mapping[str, str]:
        return {
            "device": device_name(self.device),
            "threads": str(self.config.threads),
            "batch": str(self.config.batch),
            "dtype": "float32",
        }

    def measure(self, network: nn.Module, input_shape: tuple[int, ...]) -> tuple[float, ...]:
        config = self.config
        probe = copy.deepcopy(network).to(self.device).eval()
        with cpu_threads(config.threads), seeded(0, self.device), torch.inference_mode(), no_garbage_collection():
            x = torch.randn(config.batch, *input_shape).to(self.device)
            return samples(_pass(probe, x), config.samples, config.max_seconds)


TARGETS: dict[str, Callable[[str, TargetConfig], Target]] = {"torch": TorchTarget}
"""Backend -> constructor, from the target's name and its section of the config."""


def available(device: str, what: str) -> torch.device:
    """The device, if this machine has it.

    Raises:
        UserError: it has not; says what there is.
    """
    found = torch.device(device)
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if found.type == "cuda" and (found.index or 0) >= gpus:
        there = "only cpu" if not gpus else f"cpu, cuda:0 to cuda:{gpus - 1}"
        raise UserError(f"{what}: there is no {device} on {platform.node()}, {there} (torch {torch.__version__})")
    return found


def device_name(device: torch.device) -> str:
    """The model of a GPU or CPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


def _pass(network: nn.Module, x: Tensor) -> Pass:
    def on_cpu() -> float:
        start = time.perf_counter_ns()
        network(x)
        return (time.perf_counter_ns() - start) / 1e6

    def on_gpu() -> float:
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        start.record(stream)
        network(x)
        end.record(stream)
        end.synchronize()
        return float(start.elapsed_time(end))

    if not x.is_cuda:
        return on_cpu
    stream = torch.cuda.current_stream(x.device)
    return on_gpu
