"""Flips that alternate: each image as it is in one epoch and mirrored in the next, half of them mirrored in the first.

Two epochs together show both sides of every image, where random flips show a quarter of them one side twice
(Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024).
"""

from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from evonas.seeding import seed_for


class AlternatingFlip:
    """Which images of each batch are mirrored.

    Args:
        examples: how many are trained on.
        seed: of the training.
        device: that it is on.
    """

    def __init__(self, examples: int, seed: int, device: torch.device) -> None:
        generator = Generator(device).manual_seed(seed_for(seed, "flip"))
        self._first = torch.randint(2, (examples,), generator=generator, device=device).bool()

    def mirrored(self, epoch: int, batch: int, generator: Generator) -> Iterator[Tensor]:
        """(batch,) bool, for each full batch of an epoch.

        Args:
            epoch: from 0.
            batch: examples in each.
            generator: in the state in which `Examples.shuffled` of the epoch got its own: that draws the order first.
        """
        order = torch.randperm(len(self._first), generator=generator, device=self._first.device)
        flipped = self._first if epoch % 2 == 0 else ~self._first
        for i in range(len(order) // batch):
            yield flipped[order[i * batch : (i + 1) * batch]]
