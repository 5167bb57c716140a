"""What mixes the tokens of a transformer's block. All take and give (N, tokens, width)."""

from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CHUNK = 32
"""Tokens that causal linear attention compares one by one; what is behind them is one matrix."""


@runtime_checkable
class Caching(Protocol):
    """A module that keeps something of the tokens so far while a text is continued token by token.

    cached_numbers: how many it keeps of one example as long as the network's input.
    """

    cached_numbers: int


class Attention(nn.Module):
    """Queries, keys and values by projections apart, mixed by heads (Vaswani et al. 2017).

    Heads have a size of their own, so that their number divides nothing. Where several queries share a head of keys
    and values, these are fewer (Ainslie et al. 2023).

    Args:
        width: of a token.
        size: of a head.
        heads: of keys and values.
        queries: heads of queries for each of them.
        mixing: of queries, keys and values (N, heads * queries, tokens, size).
        rotary: of queries and keys.
        cached: see `Caching`.
    """

    def __init__(
        self, width: int, size: int, heads: int, queries: int, mixing: nn.Module, rotary: nn.Module, cached: int
    ) -> None:
        super().__init__()
        self.query = nn.Linear(width, heads * queries * size)
        self.key, self.value = nn.Linear(width, heads * size), nn.Linear(width, heads * size)
        self.out = nn.Linear(heads * queries * size, width)
        self.mixing, self.rotary = mixing, rotary
        self.size, self.queries, self.cached_numbers = size, queries, cached

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (self._heads(part(x)) for part in (self.query, self.key, self.value))
        q, k = self.rotary(q), self.rotary(k)
        if self.queries > 1:
            k, v = k.repeat_interleave(self.queries, 1), v.repeat_interleave(self.queries, 1)
        return self.out(self.mixing(q, k, v).transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _heads(self, x: Tensor) -> Tensor:
        return torch.unflatten(x, 2, (-1, self.size)).transpose(1, 2)


class Full(nn.Module):
    """Each token looks at all, or where it is causal at itself and those before."""

    def __init__(self, causal: bool) -> None:
        super().__init__()
        self.causal = causal

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)

    def extra_repr(self) -> str:
        return f"causal={self.causal}"


class Local(nn.Module):
    """Each token looks at a window before it, itself included, and as far ahead unless it is causal.

    Tokens are attended to in blocks of a window, each with its neighbours, so that the work grows with the length and
    not with its square (Beltagy et al. 2020).

    Args:
        window: tokens that one sees of one side, itself included.
        length: tokens.
        heads: of queries.
        causal: whether it looks back alone.
    """

    seen: Tensor

    def __init__(self, window: int, length: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.window, self.length, self.heads = window, length, heads
        self.blocks = -(-length // window)
        self.sides = (1, 0) if causal else (1, 1)
        self.register_buffer("seen", self._seen(causal).repeat(heads, 1, 1), persistent=False)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q = torch.unflatten(self._padded(q, 0, 0), 2, (self.blocks, self.window)).flatten(1, 2)
        y = F.scaled_dot_product_attention(q, self._near(k), self._near(v), attn_mask=self.seen)
        return torch.unflatten(y, 1, (self.heads, self.blocks)).flatten(2, 3)[:, :, : self.length]

    def extra_repr(self) -> str:
        return f"window={self.window}, sides={self.sides}"

    def _padded(self, x: Tensor, before: int, behind: int) -> Tensor:
        fill = self.blocks * self.window - self.length
        return F.pad(x, (0, 0, before * self.window, behind * self.window + fill))

    def _near(self, x: Tensor) -> Tensor:
        """(N, heads, length, size) -> (N, heads * blocks, tokens of a block and its neighbours, size)."""
        x = torch.unflatten(self._padded(x, *self.sides), 2, (-1, self.window))
        count = sum(self.sides) + 1
        return torch.cat([x[:, :, at : at + self.blocks] for at in range(count)], 3).flatten(1, 2)

    def _seen(self, causal: bool) -> Tensor:
        """(blocks, window, tokens nearby): which of these a token looks at."""
        own = torch.arange(self.blocks * self.window).view(self.blocks, self.window, 1)
        near = torch.arange(-self.window, sum(self.sides) * self.window)[None, None]
        near = near + own[:, :1]
        far = (own - near).abs() >= self.window
        return ~far & (near >= 0) & (near < self.length) & ((near <= own) if causal else True)


class Linear(nn.Module):
    """Attention whose weights are products of features, elu + 1, of queries and keys (Katharopoulos et al. 2020).

    The work grows with the length. Where it is causal, tokens of a chunk are compared one by one, and chunks before it
    are the sum of their keys times values (Hua et al. 2022).
    """

    def __init__(self, length: int, causal: bool) -> None:
        super().__init__()
        self.length, self.causal = length, causal
        self.chunks = -(-length // CHUNK)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k = F.elu(q) + 1, F.elu(k) + 1
        v = F.pad(v, (0, 1), value=1.0)  # whose sum is the sum of the weights
        y = self._causal(q, k, v) if self.causal else q @ (k.transpose(-2, -1) @ v)
        return y[..., :-1] / y[..., -1:]

    def extra_repr(self) -> str:
        return f"causal={self.causal}"

    def _causal(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = (self._chunked(part) for part in (q, k, v))
        y = (q @ k.transpose(-2, -1)).tril() @ v
        if self.chunks > 1:
            sums = (k.transpose(-2, -1) @ v).cumsum(2)
            y = y + q @ F.pad(sums[:, :, :-1], (0, 0, 0, 0, 1, 0))
        return y.flatten(2, 3)[:, :, : self.length]

    def _chunked(self, x: Tensor) -> Tensor:
        x = F.pad(x, (0, 0, 0, self.chunks * CHUNK - self.length))
        return torch.unflatten(x, 2, (self.chunks, CHUNK))


class Convolution(nn.Module):
    """A depthwise convolution along the tokens between two projections, as in ConvFormer (Yu et al. 2024).

    Args:
        width: of a token.
        kernel: tokens that it takes in: these and those before where it is causal, else half of them on each side.
        causal: whether it looks back alone.
    """

    def __init__(self, width: int, kernel: int, causal: bool) -> None:
        super().__init__()
        self.enter, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.convolution = nn.Conv1d(width, width, kernel, groups=width)
        self.padding = (kernel - 1, 0) if causal else (kernel // 2, (kernel - 1) // 2)
        self.cached_numbers = (kernel - 1) * width if causal else 0

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(self.enter(x)).transpose(1, 2)
        return self.out(self.convolution(F.pad(x, self.padding)).transpose(1, 2))  # type: ignore[no-any-return]


class Rotary(nn.Module):
    """Turns queries and keys by angles that grow with their place (Su et al. 2021): (N, heads, tokens, size)."""

    cos: Tensor
    sin: Tensor

    def __init__(self, length: int, size: int) -> None:
        super().__init__()
        rates = 10_000.0 ** -(torch.arange(0, size, 2) / size)
        angles = torch.arange(length)[:, None] * rates
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, -1)
        return torch.cat([a * self.cos - b * self.sin, b * self.cos + a * self.sin], -1)
