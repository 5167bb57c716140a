"""The networks of `transformer`. Blocks take and give (N, tokens, width)."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evonas.records import InputSpec, TaskSpec
from evonas.spaces.column_network import ColumnTokens, OnColumns
from evonas.spaces.genes import Arch
from evonas.spaces.mixers import Attention, Convolution, Full, Linear, Local, Rotary
from evonas.spaces.places import placed

EPSILON = 1e-6
"""Of the norms, as in ViT."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the blocks work on.

    Args:
        length: tokens of an example.
        causal: whether none sees what is behind it.
    """

    length: int
    causal: bool


def network(arch: Arch, task: TaskSpec) -> nn.Module:
    """An untrained network.

    Args:
        arch: of the space `transformer`.
        task: that the space takes.
    """
    inputs, columns = task.input, None
    if isinstance(inputs, InputSpec):
        stem, length = _stem(arch, inputs)
    else:
        columns = ColumnTokens(inputs, arch.width)
        stem, length = nn.Identity(), columns.tokens
    pool = "places" if len(task.output_shape) == 2 else arch.pool
    length += pool == "class"
    tokens = Tokens(length, causal=pool == "places")
    made = nn.Sequential(
        stem,
        Start(arch.width, length, pool == "class", arch.positions == "learned", arch.dropout),
        *(placed(f"block_{place}", Block(arch, block, tokens)) for place, block in enumerate(arch.blocks)),
        placed("norm", _norm(arch)),
        placed(f"head-{pool}", Head(arch.width, task.output_shape[-1], pool)),
    )
    initialise(made, len(arch.blocks))
    return OnColumns(columns, made) if columns else made


def _stem(arch: Arch, inputs: InputSpec) -> tuple[nn.Module, int]:
    """Inputs -> (N, tokens, width), and how many tokens these are."""
    shape = inputs.shape
    if inputs.high:
        return nn.Embedding(inputs.high, arch.width), shape[0]
    if len(shape) == 1:
        return Features(shape[0], arch.width), shape[0]
    side = arch.patch if len(shape) == 3 else arch.frame
    return placed(f"stem-{side}", Patches(shape, side, arch.width)), math.prod(
        -(-length // side) for length in shape[1:]
    )


class Patches(nn.Module):
    """Frames of a series or square patches of images, of which zeros fill the last ones up, as one token each."""

    def __init__(self, shape: tuple[int, ...], side: int, width: int) -> None:
        super().__init__()
        self.fill = tuple(places for length in reversed(shape[1:]) for places in (0, -length % side))
        convolution = nn.Conv1d if len(shape) == 2 else nn.Conv2d
        self.project = convolution(shape[0], width, side, stride=side)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, self.fill) if any(self.fill) else x
        return self.project(x).flatten(2).transpose(1, 2)  # type: ignore[no-any-return]


class Features(nn.Module):
    """A number times a vector of its own, to which learned positions add another (Gorishniy et al. 2021)."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(features, width))

    def forward(self, x: Tensor) -> Tensor:
        return x.unsqueeze(2) * self.weight


class Start(nn.Module):
    """Puts a token for the class before the others, and tells them where they are."""

    def __init__(self, width: int, length: int, classed: bool, learned: bool, dropout: float) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.empty(width)) if classed else None
        self.positions = nn.Parameter(torch.empty(length, width)) if learned else None
        self.dropout = nn.Dropout(dropout)
        placed(f"start-{length}", self)

    def forward(self, x: Tensor) -> Tensor:
        if self.token is not None:
            x = torch.cat([self.token.expand(x.size(0), 1, -1), x], 1)
        return self.dropout(x if self.positions is None else x + self.positions)  # type: ignore[no-any-return]


class Block(nn.Module):
    """x + mixed tokens, then x + a network for each token, both normalised before (Xiong et al. 2020)."""

    residual_branches = ("mixer", "forwards")

    def __init__(self, arch: Arch, block: Arch, tokens: Tokens) -> None:
        super().__init__()
        mixer = placed(_kind(arch, block.mixer), _mixer(arch, block.mixer, tokens))
        self.mixer = nn.Sequential(_norm(arch), mixer, nn.Dropout(arch.dropout))
        hidden = arch.width * block.ratio
        forward = GatedForward(arch.width, hidden) if arch.gated else PlainForward(arch.width, hidden)
        placed("gated" if arch.gated else "plain", forward)
        self.forwards = nn.Sequential(_norm(arch), forward, nn.Dropout(arch.dropout))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.mixer(x)
        return x + self.forwards(x)  # type: ignore[no-any-return]


class RootMeanSquare(nn.Module):
    """Tokens divided by the root of their mean square (Zhang & Sennrich 2019).

    As `nn.RMSNorm`, which exporters to ONNX by tracing do not know.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPSILON) * self.weight


class PlainForward(nn.Module):
    """Two projections with a GELU between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.enter, self.out = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.gelu(self.enter(x)))  # type: ignore[no-any-return]


class GatedForward(nn.Module):
    """SwiGLU (Shazeer 2020): as many multiplications as without the gate, as it is two thirds as wide inside.

    That is a multiple of 8, but where tokens are so narrow that two ratios would be one.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        step = 8 if width >= 12 else 1
        own = round(hidden * 2 / 3 / step) * step
        self.enter, self.gate, self.out = nn.Linear(width, own), nn.Linear(width, own), nn.Linear(own, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.enter(x) * F.silu(self.gate(x)))  # type: ignore[no-any-return]


class Head(nn.Module):
    """(N, tokens, width) -> (N, outputs), of the mean or of the token for the class, or (N, tokens, outputs)."""

    def __init__(self, width: int, outputs: int, pool: str) -> None:
        super().__init__()
        self.pool = pool
        self.linear = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        if self.pool != "places":
            x = x.mean(1) if self.pool == "mean" else x[:, 0]
        return self.linear(x)  # type: ignore[no-any-return]


def _norm(arch: Arch) -> nn.Module:
    return nn.LayerNorm(arch.width, EPSILON) if arch.norm == "layer" else RootMeanSquare(arch.width)


def _mixer(arch: Arch, mixer: Arch, tokens: Tokens) -> nn.Module:
    if mixer.kind == "conv":
        return Convolution(arch.width, mixer.kernel, tokens.causal)
    size, heads, length = arch.head_size, mixer.heads, tokens.length
    numbers = heads * size * (size + 1) if mixer.kind == "linear" else 2 * heads * size * _kept(mixer, length)
    rotary = Rotary(length, size) if arch.positions == "rotary" else nn.Identity()
    mixing = _mixing(mixer, heads * mixer.queries, tokens)
    return Attention(arch.width, size, heads, mixer.queries, mixing, rotary, numbers if tokens.causal else 0)


def _kind(arch: Arch, mixer: Arch) -> str:
    """Where a mixer stands among those that may be a part of one another, by fewer heads or narrower tokens."""
    if mixer.kind == "conv":
        return f"conv-{mixer.kernel}"
    return f"{mixer.kind}-{arch.head_size}-{mixer.queries}"


def _kept(mixer: Arch, length: int) -> int:
    """Tokens whose keys and values are looked at."""
    return min(mixer.window, length) if mixer.kind == "local" else length


def _mixing(mixer: Arch, heads: int, tokens: Tokens) -> nn.Module:
    if mixer.kind == "linear":
        return Linear(tokens.length, tokens.causal)
    if mixer.kind == "local" and mixer.window < tokens.length:
        return Local(mixer.window, tokens.length, heads, tokens.causal)
    return Full(tokens.causal)


@torch.no_grad()
def initialise(made: nn.Module, layers: int) -> nn.Module:
    """Normally distributed weights of variance 1 / inputs, biases of 0; what is added to the tokens is smaller the more
    layers add to them (Radford et al. 2019).

    Args:
        made: a network.
        layers: its blocks.
    """
    for name, part in made.named_modules():
        if isinstance(part, nn.Linear):
            added = name.endswith(".out") and not isinstance(part, Head)
            nn.init.normal_(part.weight, std=part.in_features**-0.5 / (math.sqrt(2 * layers) if added else 1))
            nn.init.zeros_(part.bias)
        if isinstance(part, Start | Features):
            for parameter in part.parameters():
                nn.init.normal_(parameter, std=0.02 if isinstance(part, Start) else 1.0)
    return made
