"""Random changes of a batch of training images, on the device they lie on, no loop over examples.

Images are float (n, channels, height, width), standardised: what is painted over or padded is 0, the mean. The task
says what happens to the targets. All randomness comes from the generator that is given, which lives on the images'
device.
"""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from evonas.config import AugmentConfig
from evonas.errors import UserError
from evonas.evaluation.training.random_ops import random_ops
from evonas.inputs import in_words, mapped
from evonas.tasks.task import MIXING, Effect, Task
from evonas.text import describe_error

FEW = 4
"""Training examples that a task's own augmentation is tried with."""


def check(config: AugmentConfig, task: Task) -> None:
    """Make sure that the task takes the augmentation that the config asks for, and that its own gives what it must.

    Raises:
        UserError: it does not; says what would be right.
    """
    for name in config.asked:
        if name == "mixup" and name in task.effects:
            continue
        if name in MIXING:
            _check_mixing(name, task)
        if not task.image_shape:
            raise UserError(
                "training.augment is for images (channels, height, width), not for examples "
                f"{in_words(task.spec.input)}; leave it out, or give the task a module of its own as `augment`"
            )
        if name not in task.effects:
            raise UserError(
                f"training.augment.{name}: the task {task.spec.name} does not say what it does to its targets "
                f"{task.splits.train.y.shape[1:]}; leave it out, or give the Task augmentations={{{name!r}: "
                "'unchanged'}, or 'transformed' where the targets are images themselves"
            )
    side = max(config.crop, config.cutout)
    if side and side > min(task.image_shape[1:]):
        _, height, width = task.image_shape
        raise UserError(f"training.augment: {side} pixels are more than an image of {height} x {width} has")
    if task.augment is not None:
        _check_own(task)


def _check_mixing(name: str, task: Task) -> None:
    if name not in task.effects:
        raise UserError(
            f"training.augment.{name} mixes the classes of two examples, and their numbers"
            f"{'' if name == 'mixup' else ', which must be images'}; the examples of {task.spec.name} are "
            f"{in_words(task.spec.input)}, their targets {task.splits.train.y.dtype} {task.splits.train.y.shape[1:]}; "
            "leave it out"
        )


def _check_own(task: Task) -> None:
    """The task's own augmentation gives the same shapes and types, and the same batch of the same generator."""
    where, own = f"task {task.spec.name}: augment", copy.deepcopy(task.augment)
    assert own is not None
    stored, targets = task.splits.train.read(np.arange(min(FEW, len(task.splits.train))))
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        x = copy.deepcopy(task.prepare).eval()(mapped(torch.from_numpy, stored))
        y = torch.from_numpy(targets)
        try:
            batches = [own(mapped(torch.clone, x), y.clone(), Generator().manual_seed(0)) for _ in range(2)]
            first, again = ({"targets": target, **_named(inputs)} for inputs, target in batches)
        except Exception as error:
            raise UserError(f"{where} of {len(y)} training examples raises {describe_error(error)}") from None
    for name, before in {"targets": y, **_named(x)}.items():
        if (after := first.get(name)) is None or (after.shape, after.dtype) != (before.shape, before.dtype):
            have = "none" if after is None else f"{after.dtype} {tuple(after.shape)}"
            raise UserError(f"{where} gives {name} {have} for {before.dtype} {tuple(before.shape)}; both must stay")
        if not torch.equal(after, again[name]):
            raise UserError(f"{where} gives other {name} each time; draw with the generator that it is given")


def _named(x: Any) -> dict[str, Tensor]:
    return {f"input {name}": part for name, part in x.items()} if isinstance(x, Mapping) else {"inputs": x}


def augment(
    x: Tensor,
    y: Tensor,
    config: AugmentConfig,
    effects: Mapping[str, Effect],
    generator: Generator,
    mirrored: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Pad and crop, then flip, then random operations, then cutout, each where the config asks for it.

    Args:
        x: (n, channels, height, width) float images.
        y: (n, ...) their targets.
        config: what is asked for.
        effects: augmentation -> what it does to the targets.
        generator: of all that is drawn.
        mirrored: (n,) bool, which images are flipped, where that is not drawn.

    Returns:
        Images and targets.
    """
    if config.crop:
        alike = effects.get("crop") == "transformed"
        x, y = crop_both(x, y, config.crop, generator) if alike else (crop(x, config.crop, generator), y)
    if config.flip:
        if mirrored is None:
            mirrored = _draw(2, (len(x),), generator).bool()
        x = flip(x, mirrored)
        y = flip(y, mirrored) if effects.get("flip") == "transformed" else y
    if config.random_ops:
        x = random_ops(x, config.random_ops, config.magnitude, generator)
    if config.cutout:
        x = cutout(x, config.cutout, generator)
    return x, y


def crop(x: Tensor, padding: int, generator: Generator) -> Tensor:
    """Each image moved by -padding .. padding pixels in both directions; zeros move in."""
    n, _, height, width = x.shape
    windows = F.pad(x, (padding,) * 4).unfold(2, height, 1).unfold(3, width, 1)
    top, left = _draw(2 * padding + 1, (2, n), generator)
    return windows[torch.arange(n, device=x.device), :, top, left]


def crop_both(x: Tensor, y: Tensor, padding: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Each image and its target (n, ..., height, width) moved alike, as by `crop`; their edges are repeated, since no
    value of a target stands for what is outside."""
    n, _, height, width = x.shape
    down, right = _draw(2 * padding + 1, (2, n, 1), generator) - padding
    rows = (torch.arange(height, device=x.device) + down).clamp(0, height - 1)
    columns = (torch.arange(width, device=x.device) + right).clamp(0, width - 1)

    def moved(image: Tensor) -> Tensor:
        flat = image.reshape(n, -1, height, width)
        at = torch.arange(n, device=x.device)[:, None, None], slice(None), rows[:, :, None], columns[:, None, :]
        return flat[at].movedim(-1, 1).reshape(image.shape)

    return moved(x), moved(y)


def flip(x: Tensor, mirrored: Tensor) -> Tensor:
    """Images (n, ..., width) mirrored left to right where `mirrored` (n,) is true."""
    return torch.where(mirrored.reshape(-1, *(1,) * (x.ndim - 1)), x.flip(-1), x)


def cutout(x: Tensor, side: int, generator: Generator) -> Tensor:
    """A square set to 0 around a random pixel of each image, cut off at the borders (DeVries & Taylor 2017)."""
    n, _, height, width = x.shape
    centres = torch.stack([_draw(height, (n, 1), generator), _draw(width, (n, 1), generator)])
    inside = _within(centres, side, max(height, width))
    hole = inside[0, :, :height, None] & inside[1, :, None, :width]
    return x.masked_fill(hole[:, None], 0.0)


def _within(centres: Tensor, side: int, length: int) -> Tensor:
    """(..., 1) centres -> (..., length): which positions a square of this side covers."""
    distance = torch.arange(length, device=centres.device) - centres + side // 2
    return (distance >= 0) & (distance < side)


def _draw(below: int, shape: tuple[int, ...], generator: Generator) -> Tensor:
    return torch.randint(below, shape, generator=generator, device=generator.device)
