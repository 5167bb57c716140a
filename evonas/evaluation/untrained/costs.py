"""What a network costs whatever it learns: parameters, multiply-accumulates, memory of a training step."""

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode, _FlopCounterMode

from evonas.config import TrainingConfig
from evonas.errors import UserError
from evonas.evaluation.batches.device_data import DeviceData
from evonas.evaluation.task_metrics import MetricError
from evonas.evaluation.training.loop import Trainer
from evonas.evaluation.training.scoring import outputs
from evonas.evaluation.untrained import block_scores, zero_cost
from evonas.inputs import called, example, mapped
from evonas.measuring.backends.storage import StorageMeter, stored, tensors, without_compiler
from evonas.measuring.torch_state import cpu_threads, seeded
from evonas.objectives.metrics import METRICS
from evonas.records import Inputs
from evonas.spaces.mixers import Caching
from evonas.tasks.task import Task

MB = 1e6
TRAIN_MEMORY = "train_memory_mb"
FEW = 2
"""Examples of the step on a CPU that only makes an optimiser's state, which is as large after any step; normalisation
over a batch wants two. A GPU takes the whole batch, as what its libraries keep may depend on it."""

without_compiler(_FlopCounterMode)


Compute = Callable[[nn.Module, Task, DeviceData, TrainingConfig], float]
"""(network, task, data, training) -> a finite number. The network is on `data.device` and is left as it was."""


def computed(
    metrics: Mapping[str, Compute], network: nn.Module, task: Task, data: DeviceData, training: TrainingConfig
) -> Iterator[tuple[str, float]]:
    """Name and value of each metric, in order.

    Raises:
        MetricError: a value is not finite. Whatever the network or the metric raises.
    """
    for name, compute in metrics.items():
        value = float(compute(network, task, data, training))
        if not math.isfinite(value):
            raise MetricError(f"metric {name}: it is {value}, and must be a finite number")
        yield name, value


def resolve(names: Iterable[str]) -> dict[str, Compute]:
    """What computes the metrics, evonas's own and those that `METRICS` has a function for; cheap ones first.

    Raises:
        UserError: nothing computes one of them.
    """
    found: dict[str, Compute] = {}
    for name in names:
        compute = METRICS[name].compute or COMPUTED.get(name)
        if compute is None:
            raise UserError(f"metric {name}: nothing computes it; give METRICS[{name!r}] a function as `compute`")
        found[name] = compute
    return found


def parameters(network: nn.Module) -> int:
    """How many numbers are trained; shared ones count once."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def multiply_accumulates(network: nn.Module, inputs: Inputs) -> int:
    """Of one example in evaluation mode. Counts convolutions, matrix products and attention, nothing elementwise.

    The counter cannot see into some fused layers (recurrent ones of oneDNN and cuDNN, attention on CPUs, encoder
    layers without gradients). Plain kernels on the CPU show every product, and the same number on every device.
    """
    probe = copy.deepcopy(network).cpu().eval()
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = _OfAllModules()  # type: ignore[assignment]
    with _plain_kernels(), counter:
        called(probe, mapped(torch.from_numpy, example(inputs, batch=1)))
    return int(counter.get_total_flops()) // 2


class _OfAllModules:
    """In the place of torch's tracker, which hooks every module to tell whose an operation is: half of the time that
    the count of a small network takes. (On the meta device nothing is computed, and the count takes longer still:
    kernels there are Python.)"""

    parents = frozenset({"Global"})

    def __enter__(self) -> None:
        """Nothing is hooked."""

    def __exit__(self, *reason: object) -> None:
        """Nothing was hooked."""


@contextmanager
def _plain_kernels() -> Iterator[None]:
    onednn: Any = torch.backends.mkldnn
    before = onednn.enabled
    onednn.enabled = False
    try:
        with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        onednn.enabled = before


def train_memory_mb(network: nn.Module, task: Task, data: DeviceData, config: TrainingConfig) -> float:
    """Peak memory of one training step at the config's batch size, in MB of 10^6 bytes.

    Counts parameters, buffers, gradients, the optimiser's state, the batch, and what the forward pass keeps for
    the backward pass. On a CPU: the storages of all tensors alive, so the same number every time and on every
    machine; what a kernel allocates for itself is not seen. On a GPU: the peak of torch's allocator, which sees it, and
    that of a validation pass where it is higher, for a GPU's memory cannot be exceeded there either.
    """
    probe = copy.deepcopy(network)
    trainer = Trainer(probe, data, task, config, seed=0)
    generator = Generator(data.device).manual_seed(0)
    x, y = data.sample(trainer.batch)

    def step() -> None:
        trainer.step(x, y, generator)

    def validate() -> None:
        next(outputs(probe, data.valid, data, config))

    def own() -> list[Tensor]:
        return [
            *tensors([x]),
            y,
            *probe.parameters(),
            *probe.buffers(),
            *tensors(list(trainer.optimizer.state.values())),
        ]

    probe.train()
    on_gpu = data.device.type == "cuda"
    few = (x, y) if on_gpu else (mapped(lambda part: part[:FEW], x), y[:FEW])
    with cpu_threads(config.threads), seeded(0, data.device):
        trainer.step(*few, generator)  # makes the optimiser's state
        trainer.optimizer.zero_grad()
        peak = _cuda_peak([step, validate], own, data.device) if on_gpu else _cpu_peak(step, own)
    return peak / MB


def _cpu_peak(step: Callable[[], None], own: Callable[[], list[Tensor]]) -> int:
    meter = StorageMeter()
    with meter:
        meter.count(own())
        step()
    return meter.peak


def _cuda_peak(runs: Iterable[Callable[[], None]], own: Callable[[], list[Tensor]], device: torch.device) -> int:
    """Relative to what else the process holds on the GPU (the whole data set, say)."""
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    for run in runs:
        run()
    torch.cuda.synchronize(device)
    return stored(own()) + int(torch.cuda.max_memory_allocated(device)) - before


def _params(network: nn.Module, task: Task, data: DeviceData, training: TrainingConfig) -> float:
    return parameters(network)


def _macs(network: nn.Module, task: Task, data: DeviceData, training: TrainingConfig) -> float:
    return multiply_accumulates(network, task.spec.input)


def kv_cache_mb(network: nn.Module, task: Task, data: DeviceData, training: TrainingConfig) -> float:
    """What its parts keep of one example of full length to go on with it, in MB of 10^6 bytes; see `Caching`."""
    kept = sum(part.cached_numbers for part in network.modules() if isinstance(part, Caching))
    return kept * next((p.element_size() for p in network.parameters()), 0) / MB


COMPUTED: dict[str, Compute] = {
    "params": _params,
    "macs": _macs,
    TRAIN_MEMORY: train_memory_mb,
    "kv_cache_mb": kv_cache_mb,
    "grad_norm": zero_cost.grad_norm,
    "snip": zero_cost.snip,
    "synflow": zero_cost.synflow,
    "naswot": zero_cost.naswot,
    "zico": zero_cost.zico,
    "az_expressivity": block_scores.az_expressivity,
    "az_progressivity": block_scores.az_progressivity,
    "az_trainability": block_scores.az_trainability,
}
"""What computes the metrics of stage "network" that are evonas's own."""
