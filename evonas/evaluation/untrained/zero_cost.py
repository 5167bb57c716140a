"""Zero-cost scores: what an untrained network says of itself on a few training examples.

On a copy, on the CPU, in float64 and rounded, so that a score is the same on every machine; of the weights that the
network was built with. Scores grow with networks: beside a cost they find the largest that is allowed.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from evonas.config import TrainingConfig
from evonas.evaluation.batches.device_data import DeviceData
from evonas.evaluation.task_metrics import MetricError
from evonas.inputs import called, mapped
from evonas.measuring.torch_state import cpu_threads, seeded
from evonas.tasks.task import Task

EXAMPLES = 64
"""The first training examples, of which the scores are."""
DIGITS = 6
"""Significant digits; sums of float64 in another order differ in the 15th."""
LEAST = 1e-3
"""Below it an eigenvalue of naswot's kernel, whose diagonal counts units, is none: two examples look the same."""
ACTIVATIONS = ("relu", "gelu", "silu", "hardswish", "hardtanh", "leaky_relu", "elu", "mish", "tanh", "sigmoid")
"""Operators whose inputs' signs are the code of an example."""

Gradients = list[tuple[Tensor, Tensor]]
"""Each weight and its gradient; biases and scales of normalisations are none."""


def grad_norm(network: nn.Module, task: Task, data: DeviceData, training: TrainingConfig) -> float:
    """Sum of the norms of the loss's gradients by the weights (Abdelfattah et al. 2021)."""
    with probed(network, data, training) as (probe, x, y):
        return rounded(sum(float(g.norm()) for _, g in _gradients(probe, task, x, y)))


def snip(network: nn.Module, task: Task, data: DeviceData, training: TrainingConfig) -> float:
    """Sum of |weight x gradient of the loss| (Lee, Ajanthan & Torr 2019)."""
    with probed(network, data, training) as (probe, x, y):
        return rounded(sum(float((w * g).abs().sum()) for w, g in _gradients(probe, task, x, y)))


def synflow(network: nn.Module, task: Task, data: DeviceData, training: TrainingConfig) -> float:
    """log(1 + sum of weight x gradient) of the output's sum, where all weights are positive and all inputs 1 (Tanaka et
    al. 2020). Normalisations do nothing in evaluation mode, before anything was trained."""
    with probed(network, data, training) as (probe, x, _), torch.no_grad():
        probe.eval()
        for parameter in probe.parameters():
            parameter.abs_()
        with torch.enable_grad():
            output = called(probe, mapped(lambda part: torch.ones_like(part[:1]), x))
            total = sum(float((w * g).sum()) for w, g in _by_weights(probe, output.sum()))
    return rounded(float(torch.tensor(total, dtype=torch.float64).log1p()))


def naswot(network: nn.Module, task: Task, data: DeviceData, training: TrainingConfig) -> float:
    """log det of how many units agree on each two examples, where a unit's sign is that before its activation (Mellor,
    Turner, Storkey & Crowley 2021)."""
    with probed(network, data, training) as (probe, x, y), torch.no_grad(), _Codes(len(y)) as codes:
        called(probe, x)
    if codes.units == 0:
        raise MetricError(f"metric naswot: the network has none of the activations {', '.join(ACTIVATIONS)}")
    return rounded(float(torch.linalg.eigvalsh(codes.kernel).clamp_min(LEAST).log().sum()))


def zico(network: nn.Module, task: Task, data: DeviceData, training: TrainingConfig) -> float:
    """Sum over the layers of log of the sum of mean |gradient| / its standard deviation, over two halves of the
    examples (Li et al. 2023)."""
    with probed(network, data, training) as (probe, x, y):
        half = max(1, len(y) // 2)
        parts = [
            [g for _, g in _gradients(probe, task, mapped(itemgetter(cut), x), y[cut])]
            for cut in (slice(half), slice(half, 2 * half))
        ]
    layers = (torch.stack(both) for both in zip(*parts, strict=True))
    return rounded(sum(_signal(layer) for layer in layers))


def rounded(value: float) -> float:
    """To as many digits as are the same on every machine."""
    return float(f"{value:.{DIGITS}g}")


def _signal(gradients: Tensor) -> float:
    """Of one layer, shape (halves, ...); 0 where nothing learns."""
    deviation = gradients.std(0, unbiased=False)
    some = deviation > 0
    total = float((gradients.abs().mean(0)[some] / deviation[some]).sum())
    return float(torch.tensor(total, dtype=torch.float64).log()) if total > 0 else 0.0


@contextmanager
def probed(network: nn.Module, data: DeviceData, training: TrainingConfig) -> Iterator[tuple[nn.Module, Any, Tensor]]:
    """A copy in training mode, and examples as it takes them."""
    x, y = data.sample(min(EXAMPLES, len(data.train)))
    with cpu_threads(training.threads), seeded(0):
        x = mapped(_double, data.prepare(x))
        yield copy.deepcopy(network).cpu().double().train(), x, _double(y)


def _double(part: Tensor) -> Tensor:
    return part.cpu().double() if part.is_floating_point() else part.cpu()


def _gradients(probe: nn.Module, task: Task, x: Any, y: Tensor) -> Gradients:
    loss: Callable[..., Tensor] = copy.deepcopy(task.loss) if isinstance(task.loss, nn.Module) else task.loss
    if isinstance(loss, nn.Module):
        loss.cpu().double()
    return _by_weights(probe, loss(called(probe, x), y, 0.0))


def _by_weights(probe: nn.Module, value: Tensor) -> Gradients:
    weights = [p for p in probe.parameters() if p.ndim > 1 and p.requires_grad]
    if not value.requires_grad or not weights:
        return [(w, torch.zeros_like(w)) for w in weights]
    found = torch.autograd.grad(value, weights, allow_unused=True)
    return [(w.detach(), torch.zeros_like(w) if g is None else g) for w, g in zip(weights, found, strict=True)]


class _Codes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Looks at what goes into activations, modules or not.

    Args:
        count: of examples.
    """

    def __init__(self, count: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kernel = torch.zeros(count, count, dtype=torch.float64)
        self.units = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__.rstrip("_")
        if name in ACTIVATIONS and len(args[0]) == len(self.kernel):
            codes = (args[0] > 0).flatten(1).double()
            self.kernel += codes @ codes.T + (1 - codes) @ (1 - codes).T
            self.units += codes.shape[1]
        return func(*args, **(kwargs or {}))
