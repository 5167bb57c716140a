"""Convolutions along one axis: how wide, how deep and of which blocks each stage is, how it shortens, and the tail."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

from evonas.inputs import in_words
from evonas.records import Genome, InputSpec, TaskSpec
from evonas.spaces.genes import Arch, Choice, Group, OneOf, Optional
from evonas.spaces.options import at_least, beyond, listed, per_stage, shares, some, values_of
from evonas.spaces.space import Space

if TYPE_CHECKING:
    from torch import nn

Block = Literal["plain", "residual", "separable"]
Shortening = Literal["none", "stride", "max", "mean"]
Tail = Literal["mean", "max", "gru"]
Activation = Literal["relu", "hardswish", "silu"]


class Conv1D(Space):
    """Stages of convolutions over a series: M5 (Dai et al. 2017), DS-CNN (Zhang et al. 2017), CRNN (Choi et al. 2017).

    For series (channels, length), tokens (length,) and mel spectrograms (1, bands, frames), whose bands are channels.
    A place sees those before and behind it. All blocks of a stage are alike.

    Args:
        stages: number of stages.
        stem: channels of the first convolution.
        stem_kernels: places that it takes in.
        strides: how many times shorter it makes the series.
        widths: channels of a stage: one list for all stages, or a list for each.
        depths: blocks in a stage; 0 among them: the stage may be absent.
        blocks: plain (one convolution), residual (two beside a shortcut, He et al. 2016) or separable (of each channel
            for itself, then of all channels at each place; Howard et al. 2017).
        kernels: places that a convolution of a block takes in.
        dilations: how far these are apart.
        shortenings: how a stage begins: none, a stride of its first block, or pooling by maximum or mean before it. No
            stage leaves less than 2 places.
        factors: how many times shorter a stage makes the series.
        squeeze: whether a block has squeeze-and-excitation (Hu et al. 2018).
        activations: of the whole network.
        tails: what becomes of the places left: their mean, their maximum, or the last state of a gated recurrent unit
            (Cho et al. 2014).
        units: of the recurrent tail.
        dropout: shares of what the tail gives that are dropped in training.
    """

    def __init__(
        self,
        *,
        stages: int = 3,
        stem: int | Sequence[int] = (8, 16),
        stem_kernels: int | Sequence[int] = (3, 9),
        strides: int | Sequence[int] = (1, 2),
        widths: Sequence[int] | Sequence[Sequence[int]] = (16, 32, 64),
        depths: int | Sequence[int] = (1, 2),
        blocks: Sequence[Block] = get_args(Block),
        kernels: int | Sequence[int] = (3, 5, 9),
        dilations: int | Sequence[int] = (1, 2, 4),
        shortenings: Sequence[Shortening] = get_args(Shortening),
        factors: int | Sequence[int] = (2, 4),
        squeeze: Sequence[bool] = (False, True),
        activations: Sequence[Activation] = ("relu", "silu"),
        tails: Sequence[Tail] = get_args(Tail),
        units: int | Sequence[int] = (16, 32, 64),
        dropout: Sequence[float] = (0.0, 0.2),
    ) -> None:
        at_least("stages", stages, 1)
        counts = listed("depths", depths, least=0)
        if counts == (0,):
            raise ValueError("depths: 0 alone leaves no blocks to search")
        kinds = some("shortenings", shortenings, get_args(Shortening))
        by = Group(factor=Choice(*listed("factors", factors, least=2)))
        body = {
            "shortening": OneOf(**{kind: Group() if kind == "none" else by for kind in kinds}),
            "depth": Choice(*(count for count in counts if count)),
            "block": Choice(*some("blocks", blocks, get_args(Block))),
            "kernel": Choice(*listed("kernels", kernels)),
            "dilation": Choice(*listed("dilations", dilations)),
            "squeeze": Choice(*some("squeeze", squeeze, (False, True))),
        }
        self.stem = Group(
            width=Choice(*listed("stem", stem)),
            kernel=Choice(*listed("stem_kernels", stem_kernels)),
            stride=Choice(*listed("strides", strides)),
        )
        self._optional, self._stages = 0 in counts, tuple(f"stage_{at}" for at in range(stages))
        for name, own in zip(self._stages, per_stage("widths", widths, stages), strict=True):
            stage = Group(width=Choice(*own), **body)
            setattr(self, name, Optional(stage) if self._optional else stage)
        self.activation = Choice(*some("activations", activations, get_args(Activation)))
        unit = Group(units=Choice(*listed("units", units)))
        self.tail = OneOf(**{tail: unit if tail == "gru" else Group() for tail in some("tails", tails, get_args(Tail))})
        self.dropout = Choice(*shares("dropout", dropout))

    def identity(self, genome: Genome) -> str:
        """Absent stages have no place, and one place that a kernel takes in has no distance to others."""
        arch = self.decode(genome)
        stages = [stage.to_dict() for stage in self._present(arch).values()]
        for stage in stages:
            stage["dilation"] = 1 if stage["kernel"] == 1 else stage["dilation"]
        return json.dumps([arch.stem.to_dict(), arch.activation, arch.tail.to_dict(), arch.dropout, *stages])

    def check_task(self, task: TaskSpec) -> None:
        """Raises ValueError where the input is neither a series, nor tokens, nor a spectrogram."""
        if not _takes(task.input):
            raise ValueError(
                "conv1d builds networks for series (channels, length), tokens (length,) of whole numbers and "
                f"spectrograms (1, bands, frames), not for inputs of {in_words(task.input)}"
            )

    def task_notes(self, task: TaskSpec) -> list[str]:
        """What is longer than the input."""
        length = task.input_shape[-1]
        longer = f"more than an input of {length} places; the rest of a kernel takes in zeros"
        notes = beyond("stem_kernels", values_of(self.leaves, "stem.kernel"), length, longer)
        stages = [leaf for leaf in self.leaves if not leaf[0].startswith("stem.")]
        notes += beyond("kernels", values_of(stages, "kernel"), length, longer)
        if max(values_of(stages, "kernel")) > 1:
            far = f"no two of an input of {length} places are so far apart; a kernel takes in one and zeros"
            notes += beyond("dilations", values_of(stages, "dilation"), length - 1, far)
        short = f"would leave 1 of {length} places, and counts as 1"
        for name, gene in (("strides", "stem.stride"), ("factors", "factor")):
            notes += beyond(name, values_of(self.leaves, gene), max(1, length - 1), short)
        return notes

    def build(self, arch: Arch, task: TaskSpec) -> "nn.Module":
        """Raises ValueError where `check_task` does."""
        from evonas.spaces.conv1d_network import network  # a driver samples and breeds without torch

        self.check_task(task)
        return network(arch, self._present(arch), task)

    def _present(self, arch: Arch) -> dict[str, Arch]:
        stages = {name: getattr(arch, name) for name in self._stages}
        return {name: stage for name, stage in stages.items() if stage is not None}


def _takes(inputs: object) -> bool:
    """Whether they are a series, tokens or a spectrogram."""
    if not isinstance(inputs, InputSpec):
        return False
    axes = len(inputs.shape)
    return axes == 1 if inputs.is_integer else axes == 2 or (axes == 3 and inputs.shape[0] == 1)
