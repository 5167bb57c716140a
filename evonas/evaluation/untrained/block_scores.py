"""The scores of AZ-NAS that look at a network block by block (Lee & Ham, CVPR 2024).

A block is a child of the outermost module that has several. Their method adds up the logarithms of ranks among
candidates, of these three and the complexity, which is `macs`: a column is of one candidate, so it has the parts.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from evonas.config import TrainingConfig
from evonas.evaluation.batches.device_data import DeviceData
from evonas.evaluation.task_metrics import MetricError
from evonas.evaluation.untrained.zero_cost import probed, rounded
from evonas.inputs import called
from evonas.tasks.task import Task

WORST = -1e6
"""Of a block that passes no gradient, or all of it unchanged."""


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """What went in and came out; the graph between them is kept."""

    given: Tensor
    came: Tensor


def az_expressivity(network: nn.Module, task: Task, data: DeviceData, training: TrainingConfig) -> float:
    """Sum over the blocks of the entropy of their features' principal components."""
    return rounded(sum(_entropy(block.came) for block in _blocks(network, data, training)))


def az_progressivity(network: nn.Module, task: Task, data: DeviceData, training: TrainingConfig) -> float:
    """By how much that entropy grows from a block to the next, at least."""
    entropies = [_entropy(block.came) for block in _blocks(network, data, training)]
    return rounded(min((b - a for a, b in pairwise(entropies)), default=0.0))


def az_trainability(network: nn.Module, task: Task, data: DeviceData, training: TrainingConfig) -> float:
    """Mean over the blocks of how near 1 the largest singular value of their Jacobian is; 0 is the best."""
    blocks = _blocks(network, data, training)
    generator = torch.Generator().manual_seed(0)
    found = [_trainability(block, generator) for block in blocks if block.given.requires_grad]
    return rounded(sum(found) / len(found)) if found else WORST


def _blocks(network: nn.Module, data: DeviceData, training: TrainingConfig) -> list[_Block]:
    """Of the blocks whose outputs are maps of features; what comes behind the last pooling is none."""
    found: list[_Block] = []
    handed_on: dict[int, Tensor] = {}
    kept: list[Tensor] = []

    def look(module: nn.Module, given: tuple[Tensor, ...], came: object) -> Tensor | None:
        if not (given and isinstance(came, Tensor) and came.ndim > 2):
            return None
        found.append(_Block(handed_on.get(id(given[0]), given[0]), came))
        own = came.detach().requires_grad_()  # the next block's gradients end here
        copied = own.clone()  # which may be changed in place
        handed_on[id(copied)] = own
        kept.append(copied)  # or its id would be another's
        return copied

    with probed(network, data, training) as (probe, x, _):
        outermost = probe
        while len(children := list(outermost.children())) == 1:
            outermost = children[0]
        for child in children:
            child.register_forward_hook(look)
        called(probe, x)
    if not found:
        raise MetricError(
            "metrics az_...: no module of the network gives a map of features, (N, channels, ...); of such networks "
            "synflow, naswot and params are known, and training.before: surrogate needs no score"
        )
    return found


def _rows(features: Tensor) -> Tensor:
    """(N, channels, ...) -> (N x places, channels)."""
    return features.detach().flatten(2).transpose(1, 2).flatten(0, 1)


def _entropy(features: Tensor) -> float:
    rows = _rows(features)
    rows = rows - rows.mean(0)
    values = torch.linalg.eigvalsh(rows.T @ rows / len(rows)).clamp_min(0)
    if not float(values.sum()) > 0:
        return 0.0
    shares = values / values.sum()
    return float(-(shares * shares.clamp_min(1e-12).log()).sum())


def _trainability(block: _Block, generator: torch.Generator) -> float:
    signs = torch.randint(0, 2, block.came.shape, generator=generator).double() * 2 - 1
    if not block.came.requires_grad:
        return WORST
    (back,) = torch.autograd.grad(block.came, block.given, signs, allow_unused=True)
    if back is None or (back.shape == signs.shape and torch.equal(back, signs)):
        return WORST
    if back.shape[2:] != signs.shape[2:]:
        pooled: Tensor = (
            nn.functional.adaptive_avg_pool2d(back, (signs.shape[2], signs.shape[3])) if back.ndim == 4 else back
        )
        back = pooled * (back[0, 0].numel() / signs[0, 0].numel())
    if back.shape[2:] != signs.shape[2:]:
        return WORST
    largest = float(torch.linalg.svdvals(_rows(back).T @ _rows(signs) / len(_rows(signs)))[0])
    return max(WORST, 2 - largest - 1 / (largest + 1e-6))
