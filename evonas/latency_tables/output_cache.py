"""What modules give is remembered, so that a network of a hundred layers is followed in milliseconds."""

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor

from evonas.latency_tables.operations import Function, Shape


class OutputCache:
    """Shape and dtype of what modules give, the most recent ones. torch is slow to tell: it takes tens of milliseconds
    for a network of a hundred layers.

    Args:
        size: how many are kept.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._held: OrderedDict[tuple[str, Shape, torch.dtype], tuple[Shape, torch.dtype]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def output(self, details: str, forward: Function, x: Tensor) -> Any:
        """What a module gives for an input; on the meta device from memory, where it is known.

        Args:
            details: text that tells the module from others.
            forward: what runs it.
            x: its input.
        """
        key = details, tuple(x.shape), x.dtype
        if x.is_meta and (known := self._held.get(key)):
            self._held.move_to_end(key)
            return torch.empty(known[0], dtype=known[1], device=x.device)
        result = forward(x)
        if isinstance(result, Tensor):
            self._held[key] = tuple(result.shape), result.dtype
            if len(self._held) > self._size:
                self._held.popitem(last=False)
        return result
