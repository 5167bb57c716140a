"""Macro search: how wide, how deep and of which blocks each stage of a convolutional network is."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

from evonas.records import Genome, TaskSpec
from evonas.spaces.genes import Arch, Choice, Group, Integer, Node, OneOf, Optional, Repeat
from evonas.spaces.options import at_least, beyond, beyond_halving, image_shape, listed, per_stage, some, values_of
from evonas.spaces.space import Space

if TYPE_CHECKING:
    from torch import nn

Block = Literal["residual", "inverted", "separable", "fused"]
Activation = Literal["relu", "hardswish", "silu"]


class Mobile(Space):
    """Stages of searched blocks: MnasNet (Tan et al. 2019), ProxylessNAS and Once-for-all (Cai et al. 2019, 2020).

    All blocks of a stage are alike, as in MnasNet, or each is searched, as in ProxylessNAS. The first block of each
    stage but the first halves height and width, down to 2 pixels.

    Args:
        stages: number of stages.
        stem: channels of the first convolution.
        strides: of the first convolution; 2 halves the resolution of the whole network.
        pools: whether 2x2 max-pooling halves it behind the first convolution: what wide networks of few epochs have.
        widths: channels of a stage: one list for all stages, or a list for each.
        depths: blocks in a stage; 0 among them: the stage may be absent.
        blocks: residual (two 3x3 convolutions, He et al. 2016), inverted (Sandler et al. 2018), separable (Howard
            et al. 2017) or fused (inverted, with one full convolution in the place of its first two: Gupta & Tan 2019,
            Tan & Le 2021), which is not among them by default.
        kernels: of the depthwise convolutions, and of fused ones, odd.
        expansions: how many times wider an inverted or fused block is inside.
        squeeze: whether a stage has squeeze-and-excitation (Hu et al. 2018).
        activations: of the whole network.
        per: what has a block, its kernel, expansion and squeeze of its own: a stage, or each block of it. For blocks,
            depths are evenly spaced.
        resolutions: heights to which a network scales its pictures first, their proportions kept (Tan & Le 2019), none
            above that of the task; none: they stay as the task gives them.
    """

    def __init__(
        self,
        *,
        stages: int = 3,
        stem: int | Sequence[int] = (8, 16),
        strides: int | Sequence[int] = (1, 2),
        pools: Sequence[bool] = (False,),
        widths: Sequence[int] | Sequence[Sequence[int]] = (8, 16, 24, 32),
        depths: int | Sequence[int] = (1, 2, 3),
        blocks: Sequence[Block] = ("residual", "inverted", "separable"),
        kernels: int | Sequence[int] = (3, 5, 7),
        expansions: int | Sequence[int] = (2, 4),
        squeeze: Sequence[bool] = (False, True),
        activations: Sequence[Activation] = ("relu", "hardswish", "silu"),
        per: Literal["stage", "block"] = "stage",
        resolutions: Sequence[int] = (),
    ) -> None:
        at_least("stages", stages, 1)
        if any(kernel % 2 == 0 for kernel in listed("kernels", kernels)):
            raise ValueError(f"kernels: takes odd numbers, not {kernels}")
        if not set(listed("strides", strides)) <= {1, 2, 4}:
            raise ValueError(f"strides: takes 1, 2 or 4, not {strides}")
        kernel, expansion = Choice(*listed("kernels", kernels)), Choice(*listed("expansions", expansions))
        groups = {
            "residual": Group(),
            "inverted": Group(kernel=kernel, expansion=expansion),
            "separable": Group(kernel=kernel),
            "fused": Group(kernel=kernel, expansion=expansion),
        }
        counts = listed("depths", depths, least=0)
        if counts == (0,):
            raise ValueError("depths: 0 alone leaves no blocks to search")
        form: dict[str, Node] = {
            "squeeze": Choice(*some("squeeze", squeeze, (False, True))),
            "block": OneOf(**{name: groups[name] for name in some("blocks", blocks, tuple(groups))}),
        }
        depth = [count for count in counts if count]
        self._per_block = per == "block"
        body = {"blocks": Repeat(_evenly(depth), **form)} if self._per_block else {"depth": Choice(*depth), **form}
        pooled = some("pools", pools, (False, True))
        pool = (
            {"pool": Choice(*pooled)} if any(pooled) else {}
        )  # without it, genes are what they were before it existed
        self.stem = Group(width=Choice(*listed("stem", stem)), stride=Choice(*listed("strides", strides)), **pool)
        self.activation = Choice(*some("activations", activations, get_args(Activation)))
        self._optional = 0 in counts
        self._stages = tuple(f"stage_{at}" for at in range(stages))
        for name, own in zip(self._stages, per_stage("widths", widths, stages), strict=True):
            stage = Group(width=Choice(*own), **body)
            setattr(self, name, Optional(stage) if self._optional else stage)
        self._resolutions = listed("resolutions", resolutions, least=4) if resolutions else ()
        if self._resolutions:
            self.resolution = Choice(*self._resolutions)

    def identity(self, genome: Genome) -> str:
        """Absent stages have no place: a network is told by its stages that are there."""
        if not self._optional:
            return super().identity(genome)
        arch = self.decode(genome)
        resolution = [self._resolution(arch)] if self._resolutions else []
        stages = (stage.to_dict() for stage in self._present(arch).values())
        return json.dumps([arch.stem.to_dict(), arch.activation, *resolution, *stages])

    def check_task(self, task: TaskSpec) -> None:
        """Raises ValueError where the task's inputs are no images, or smaller than a resolution."""
        _, height, _ = image_shape("mobile", task)
        if self._resolutions and max(self._resolutions) > height:
            raise ValueError(
                f"resolutions: {max(self._resolutions)} is more than the pictures have, {height}; give the task a "
                "larger size, or leave it out"
            )

    def task_notes(self, task: TaskSpec) -> list[str]:
        """Kernels that are larger than a picture, and stages that find nothing to halve."""
        _, *size = image_shape("mobile", task)
        larger = f"larger than pictures of {size[0]} x {size[1]}; the rest of a kernel takes in zeros"
        kernels = beyond("kernels", values_of(self.leaves, "kernel"), max(size), larger)
        halved = min(values_of(self.leaves, "stem.stride")).bit_length() - 1
        return [*kernels, *beyond_halving(len(self._stages), size, halved)]

    def build(self, arch: Arch, task: TaskSpec) -> "nn.Module":
        """Raises ValueError where the task's inputs are no images."""
        from evonas.spaces.mobile_network import Stage, mobile_network  # a driver samples and breeds without torch

        shape = image_shape("mobile", task)
        stages = [
            Stage(name, stage.width, stage.blocks if self._per_block else (stage,) * stage.depth)
            for name, stage in self._present(arch).items()
        ]
        return mobile_network(shape, task.outputs, arch.stem, arch.activation, stages, self._resolution(arch))

    def _resolution(self, arch: Arch) -> int:
        """0: pictures stay as they are."""
        return int(arch.resolution) if self._resolutions else 0

    def _present(self, arch: Arch) -> dict[str, Arch]:
        stages = {name: getattr(arch, name) for name in self._stages}
        return {name: stage for name, stage in stages.items() if stage is not None}


def _evenly(counts: Sequence[int]) -> int | Integer:
    """How many blocks, as a `Repeat` takes it."""
    first, *rest = sorted(counts)
    if not rest:
        return first
    found = Integer(first, rest[-1], rest[0] - first)
    if len(found.values) != len(counts) or set(found.values) != set(counts):
        raise ValueError(f"depths: takes evenly spaced ones where per is block, as 1, 2, 3, not {list(counts)}")
    return found
