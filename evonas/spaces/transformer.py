"""Transformers for anything that comes in tokens: what mixes them, how deep, how wide."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

from evonas.inputs import in_words
from evonas.records import InputSpec, TaskSpec
from evonas.spaces.columns import are_columns, columns_of
from evonas.spaces.genes import Arch, Choice, Group, Integer, OneOf, Repeat
from evonas.spaces.options import beyond, check_cuts, first_and_last, listed, shares, some, values_of
from evonas.spaces.space import Space

if TYPE_CHECKING:
    from torch import nn

Mixer = Literal["full", "local", "linear", "conv"]
Norm = Literal["layer", "rms"]
Positions = Literal["learned", "rotary"]
Pool = Literal["mean", "class"]


class Transformer(Space):
    """Transformers (Vaswani et al. 2017) for tokens, series, images and vectors.

    Tokens (length,) of whole numbers are embedded; frames of a series (channels, length) and patches of images
    (channels, height, width), row by row, are projected (Dosovitskiy et al. 2021); each number of a vector (features,)
    is a token (Gorishniy et al. 2021). A task whose output is (length, classes), as for the next character, gets an
    answer at each place, and no block sees what is behind a place. Any other output is made of the mean of all tokens
    or of a token for the class.

    Heads have a size of their own and their number need not divide a width. `queries` heads of queries share one of
    keys and values (Ainslie et al. 2023), which is what a cache of them takes (metric `kv_cache_mb`).

    Args:
        widths: of a token, through all blocks.
        layers: the least and the largest number of blocks.
        mixers: of a block. full: attention to all tokens; local: to those in a window; linear: with a fixed memory of
            all (Katharopoulos et al. 2020); conv: a depthwise convolution.
        heads: of keys and values in an attention.
        queries: heads of queries for each of them; 1: as many.
        head_sizes: of all heads, even numbers.
        windows: tokens that local attention sees of one side, itself included.
        kernels: tokens that a convolution takes in.
        ratios: how many times wider than a token the network for each token is inside.
        gated: whether that is SwiGLU (Shazeer 2020), two thirds as wide; else it has a GELU.
        norms: layer normalisation, or by the root of the mean square (Zhang & Sennrich 2019).
        positions: learned, or rotary: turned queries and keys (Su et al. 2021), of which convolutions have no need.
        patches: pixels of a side of an image's patches.
        frames: places of a series in one token; 1 where there is an answer at each.
        pools: what the answer is made of where there is one for all.
        dropout: shares of a block's outputs that are dropped in training, one for all blocks.
    """

    def __init__(
        self,
        *,
        widths: int | Sequence[int] = (32, 64, 128),
        layers: tuple[int, int] = (1, 4),
        mixers: Sequence[Mixer] = get_args(Mixer),
        heads: int | Sequence[int] = (1, 2, 4),
        queries: int | Sequence[int] = (1, 2),
        head_sizes: int | Sequence[int] = 16,
        windows: int | Sequence[int] = (8, 16, 32),
        kernels: int | Sequence[int] = (3, 7),
        ratios: int | Sequence[int] = (2, 4),
        gated: Sequence[bool] = (False, True),
        norms: Sequence[Norm] = get_args(Norm),
        positions: Sequence[Positions] = get_args(Positions),
        patches: int | Sequence[int] = 4,
        frames: int | Sequence[int] = 1,
        pools: Sequence[Pool] = ("mean",),
        dropout: Sequence[float] = (0.0, 0.1),
    ) -> None:
        if any(size % 2 for size in listed("head_sizes", head_sizes)):
            raise ValueError(f"head_sizes: takes even numbers, not {head_sizes}")
        attention = {"heads": Choice(*listed("heads", heads)), "queries": Choice(*listed("queries", queries))}
        branches = {
            "full": Group(**attention),
            "local": Group(**attention, window=Choice(*listed("windows", windows))),
            "linear": Group(**attention),
            "conv": Group(kernel=Choice(*listed("kernels", kernels, least=2))),
        }
        known = some("mixers", mixers, get_args(Mixer))
        self.width = Choice(*listed("widths", widths))
        self.blocks = Repeat(
            Integer(*first_and_last("layers", layers)),
            mixer=OneOf(**{name: branches[name] for name in known}),
            ratio=Choice(*listed("ratios", ratios)),
        )
        self.head_size = Choice(*listed("head_sizes", head_sizes))
        self.gated = Choice(*some("gated", gated, (False, True)))
        self.norm = Choice(*some("norms", norms, get_args(Norm)))
        self.positions = Choice(*some("positions", positions, get_args(Positions)))
        self.patch = Choice(*listed("patches", patches))
        self.frame = Choice(*listed("frames", frames))
        self.pool = Choice(*some("pools", pools, get_args(Pool)))
        self.dropout = Choice(*shares("dropout", dropout))

    def check_task(self, task: TaskSpec) -> None:
        """Raises ValueError where the input is none of these, the output has other axes, a place has no token, or a
        patch or frame is larger than the input."""
        self._check_takes(task)
        if isinstance(task.input, InputSpec) and not task.input.is_integer:
            size = task.input.shape[1:]
            if size:
                name, gene = ("patches", "patch") if len(size) == 2 else ("frames", "frame")
                check_cuts(name, values_of(self.leaves, gene), size)

    def task_notes(self, task: TaskSpec) -> list[str]:
        """Windows that see all tokens, and kernels that are longer than there are tokens."""
        tokens = self._most_tokens(task)
        windows, kernels = (values_of(self.leaves, name) for name in ("window", "kernel"))
        alike = f"local attention of so many sees all {tokens} tokens, as full attention does"
        longer = f"more than the {tokens} tokens; the rest of a kernel takes in zeros"
        return [*beyond("windows", windows, tokens - 1, alike), *beyond("kernels", kernels, tokens, longer)]

    def _most_tokens(self, task: TaskSpec) -> int:
        inputs = task.input
        classed = "class" in self.pool.values and len(task.output_shape) == 1
        if not isinstance(inputs, InputSpec):
            return sum(columns_of(inputs)[:2]) + classed
        if len(inputs.shape) == 1:
            return inputs.shape[0] + classed
        side = min(values_of(self.leaves, "patch" if len(inputs.shape) == 3 else "frame"))
        return math.prod([-(-length // side) for length in inputs.shape[1:]]) + classed

    def _check_takes(self, task: TaskSpec) -> None:
        inputs = task.input
        if are_columns(inputs):
            if len(task.output_shape) != 1:
                raise ValueError(
                    f"transformer gives (outputs,) for rows of a table, not outputs of {task.output_shape}"
                )
            return
        if not isinstance(inputs, InputSpec) or not 1 <= len(inputs.shape) <= (1 if inputs.is_integer else 3):
            raise ValueError(
                "transformer builds networks for tokens (length,) of whole numbers, series (channels, length), images "
                "(channels, height, width), vectors (features,) and rows of a table with categories, not for inputs of "
                f"{in_words(inputs)}"
            )
        if len(task.output_shape) == 1:
            return
        if not _in_a_row(inputs) or task.output_shape[:-1] != inputs.shape[-1:]:
            raise ValueError(
                "transformer gives (outputs,), or for tokens and series (length, outputs) as long as they are, not "
                f"outputs of {task.output_shape}"
            )
        if not inputs.is_integer and self.frame.values != (1,):
            raise ValueError(f"frames: takes 1 where there is an answer at each place, not {list(self.frame.values)}")

    def build(self, arch: Arch, task: TaskSpec) -> "nn.Module":
        """Raises ValueError where `check_task` does, but for patches and frames: of larger ones the rest is zeros."""
        from evonas.spaces.transformer_network import network  # a driver samples and breeds without torch

        self._check_takes(task)
        return network(arch, task)


def _in_a_row(inputs: InputSpec) -> bool:
    """Whether they are tokens or a series."""
    return len(inputs.shape) == (1 if inputs.is_integer else 2)
