"""Recall and NDCG over all items that a user has not had.

A target is a row of whole numbers (user, seen, draw, item, item, ...): `seen` says which interactions are no answer any
more, those of training (0) or of training and validation (1); `draw` is of the loss; -1 stands behind the last item.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evonas.tasks.metrics import TaskMetric
from evonas.tasks.task import Array

USER, SEEN, DRAW, ITEMS = 0, 1, 2, 3
"""Where in a target they are; items from the last on."""


class Seen:
    """Which items users have had, a bit each.

    Args:
        bits: (2, users, bytes) uint8, of training, and of training and validation.
        items: how many there are.
    """

    def __init__(self, bits: Array, items: int) -> None:
        self.bits, self.items = bits, items
        self._on: dict[torch.device, Tensor] = {}

    def __reduce__(self) -> Any:
        return Seen, (self.bits, self.items)

    @classmethod
    def of(cls, pairs: Mapping[str, Array], users: int, items: int) -> "Seen":
        """Of the pairs (n, 2) of train and valid."""
        had = np.zeros((2, users, items), bool)
        for number, parts in enumerate((("train",), ("train", "valid"))):
            for part in parts:
                had[number, pairs[part][:, 0], pairs[part][:, 1]] = True
        return cls(np.packbits(had, axis=2), items)

    def __call__(self, target: Tensor) -> Tensor:
        """(n, items) bool of targets (n, 3 + most)."""
        if target.device not in self._on:
            self._on[target.device] = torch.from_numpy(self.bits).to(target.device)
        own = self._on[target.device][target[:, SEEN], target[:, USER]]
        places = torch.arange(7, -1, -1, device=target.device, dtype=torch.uint8)
        return (own[:, :, None] >> places & 1).flatten(1)[:, : self.items].bool()


def ranks(output: Tensor, target: Tensor, seen: Seen) -> Tensor:
    """(n, most) how many unseen items have a score that is not below that of each item of a target.

    0 is the first place. Of equal scores all count, so that a network that says the same of each item has found none.
    """
    scores = output.masked_fill(seen(target), -torch.inf)
    own = scores.gather(1, target[:, ITEMS:].clamp_min(0))
    return torch.stack([(~(scores < one[:, None])).sum(1) - 1 for one in own.unbind(1)], 1)


def recall(output: Tensor, target: Tensor, seen: Seen, k: int) -> Tensor:
    """(n,) the share of a user's items that are among the first k."""
    there = target[:, ITEMS:] >= 0
    hits = (ranks(output, target, seen) < k) & there
    return hits.sum(1) / there.sum(1)


def ndcg(output: Tensor, target: Tensor, seen: Seen, k: int) -> Tensor:
    """(n,) normalised discounted cumulative gain of the first k (Jaervelin & Kekaelaeinen 2002), of gains 0 and 1."""
    there, found = target[:, ITEMS:] >= 0, ranks(output, target, seen)
    gain = torch.where((found < k) & there, 1 / torch.log2(found + 2.0), 0.0).sum(1)
    first = torch.arange(there.shape[1], device=target.device)
    best = torch.where((first < k) & (first < there.sum(1, keepdim=True)), 1 / torch.log2(first + 2.0), 0.0).sum(1)
    return gain / best


def metric(name: str, seen: Seen) -> TaskMetric | None:
    """The metric of a name such as recall@10; None where it is no such name."""
    kind, _, k = name.partition("@")
    known = {"recall": recall, "ndcg": ndcg}
    if kind not in known or not (k.isascii() and k.isdigit() and int(k)):
        return None
    return TaskMetric(partial(known[kind], seen=seen, k=int(k)), direction="maximize")
