"""What training lowers: scores (n, items) against the targets (n, 3 + most) of `ranking`.

All scores are there, so that sampling changes what is learned and not what a step costs. Negatives are drawn on the
device: `Draws` gives each example of a batch a random number from the generator of the training, of which the loss,
which has no randomness of its own, makes as many as it needs.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from evonas.tasks.recommendation.ranking import DRAW, ITEMS

Kind = Literal["sampled_softmax", "bpr", "softmax"]
NEVER = -1e9
"""The score of a negative that is a positive."""


class Draws(nn.Module):
    """Gives each target a random number; for `Task.augment`."""

    def forward(self, x: Any, y: Tensor, generator: Generator) -> tuple[Any, Tensor]:
        drawn = torch.randint(2**62, (len(y), 1), device=y.device, generator=generator)
        return x, torch.cat([y[:, :DRAW], drawn, y[:, DRAW + 1 :]], 1)


def negatives(draw: Tensor, count: int, items: int) -> Tensor:
    """(n, count) items, evenly drawn, of random numbers (n,) int64, by splitmix64 (Steele et al. 2014)."""
    mixed = draw[:, None] + torch.arange(1, count + 1, device=draw.device) * _signed(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ _right(mixed, shift)) * _signed(factor)
    drawn: Tensor = _right(mixed ^ _right(mixed, 31), 1) % items
    return drawn


def _signed(number: int) -> int:
    """64 bits as int64 has them."""
    return number - 2**64 if number >= 2**63 else number


def _right(x: Tensor, places: int) -> Tensor:
    """A shift to the right that fills with zeros."""
    kept: int = 2 ** (64 - places) - 1
    return x >> places & kept


@dataclass(frozen=True, slots=True)
class RecommendationLoss:
    """The loss; without gradients, where it only says how training goes, it is the softmax over all items.

    Args:
        kind: softmax: cross entropy over all items. sampled_softmax: over the item and negatives that are drawn evenly,
            whose scores are corrected by how rarely each is drawn (Bengio & Senecal 2008). bpr: the item above each
            negative (Rendle et al. 2009).
        negatives: drawn for each example.
    """

    kind: Kind
    negatives: int

    def __call__(self, output: Tensor, target: Tensor, label_smoothing: float) -> Tensor:
        """Items have no labels to smooth."""
        items = target[:, ITEMS:]
        there, own = items >= 0, output.gather(1, items.clamp_min(0))
        if self.kind == "softmax" or not torch.is_grad_enabled():
            losses = output.logsumexp(1, keepdim=True) - own
        else:
            drawn = negatives(target[:, DRAW], self.negatives, output.shape[1])
            hit = (drawn[:, :, None] == items[:, None]).any(2)
            losses = self._sampled(own, output.gather(1, drawn).masked_fill(hit, NEVER), output.shape[1])
        return torch.where(there, losses, 0.0).sum() / there.sum()

    def _sampled(self, own: Tensor, others: Tensor, items: int) -> Tensor:
        """(n, most) of scores (n, most) of items and (n, negatives) of what was drawn."""
        if self.kind == "bpr":
            return -F.logsigmoid(own[:, :, None] - others[:, None]).mean(2)
        rest = others.logsumexp(1, keepdim=True) + math.log(items / self.negatives)
        return torch.logaddexp(own, rest) - own
