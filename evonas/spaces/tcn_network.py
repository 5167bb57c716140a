"""The networks of `tcn`. Blocks take and give (N, channels, length)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evonas.records import InputSpec, TaskSpec
from evonas.spaces.blocks import ACTIVATIONS
from evonas.spaces.genes import Arch
from evonas.spaces.places import placed


def network(arch: Arch, task: TaskSpec) -> nn.Module:
    """An untrained network.

    Args:
        arch: of the space `tcn`.
        task: with tokens (length,) or a series (channels, length).
    """
    inputs = task.input
    assert isinstance(inputs, InputSpec)
    stem = TokenStem(inputs.high, arch.width) if inputs.high else nn.Conv1d(inputs.shape[0], arch.width, 1)
    blocks = (
        Block(arch.width, block.kernel, block.dilation, block.convolution, arch.activation, arch.dropout)
        for block in arch.blocks
    )
    head = PlaceHead if len(task.output_shape) == 2 else SequenceHead
    return nn.Sequential(
        stem,
        *blocks,
        placed("norm", Norm(arch.width)),
        placed("head", head(arch.width, task.output_shape[-1])),
    )


class TokenStem(nn.Module):
    """Whole numbers (N, length) -> (N, channels, length)."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.embedding(x).transpose(1, 2)  # type: ignore[no-any-return]


class Norm(nn.Module):
    """Layer normalisation over the channels of each place: a place knows of no other by it (Ba et al. 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.transpose(1, 2)).transpose(1, 2)  # type: ignore[no-any-return]


class CausalConv(nn.Conv1d):
    """A convolution that keeps the length: a place is made of itself and of those before it."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, ((self.kernel_size[0] - 1) * self.dilation[0], 0)))


class Block(nn.Module):
    """x + what a causal convolution and a pointwise one make of it, normalised before."""

    residual_branches = ("body",)

    def __init__(
        self, width: int, kernel: int, dilation: int, convolution: str, activation: str, dropout: float
    ) -> None:
        super().__init__()
        groups = width if convolution == "separable" else 1
        self.body = nn.Sequential(
            Norm(width),
            # a kernel ends at its place, so that its middle is that of no other
            placed(f"conv_{kernel}", CausalConv(width, width, kernel, dilation=dilation, groups=groups)),
            ACTIVATIONS[activation](),
            nn.Conv1d(width, width, 1),
            *([nn.Dropout(dropout)] if dropout else []),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)  # type: ignore[no-any-return]


class PlaceHead(nn.Module):
    """(N, channels, length) -> (N, length, outputs)."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.transpose(1, 2))  # type: ignore[no-any-return]


class SequenceHead(nn.Module):
    """The mean over all places and the last one: (N, channels, length) -> (N, outputs)."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(torch.cat([x.mean(2), x[:, :, -1]], 1))  # type: ignore[no-any-return]
