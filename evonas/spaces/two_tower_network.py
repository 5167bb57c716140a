"""The networks of `two_tower`."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evonas.spaces.blocks import ACTIVATIONS
from evonas.spaces.genes import Arch
from evonas.spaces.places import placed

SCALE = 10.0
"""By which cosines are multiplied before anything is learned."""


class TwoTowers(nn.Module):
    """Numbers of users (N,) -> scores (N, items).

    Args:
        arch: of the space `two_tower`.
        towers: the hidden layers of the users' and of the items' tower.
        users: how many there are.
        items: how many there are.
    """

    def __init__(self, arch: Arch, towers: tuple[Sequence[Any], Sequence[Any]], users: int, items: int) -> None:
        super().__init__()
        size = arch.embedding
        self.users, self.items = nn.Embedding(users, size), nn.Embedding(items, size)
        for embedding in (self.users, self.items):
            nn.init.normal_(embedding.weight, std=size**-0.5)  # so that a product is about 1
        self.user_tower, self.item_tower = (_tower(size, own, arch) for own in towers)
        self.bias = nn.Parameter(torch.zeros(items))
        self.scale = nn.Parameter(torch.tensor(math.log(SCALE))) if arch.similarity == "cosine" else None

    def forward(self, user: Tensor) -> Tensor:
        own, items = self.user_tower(self.users(user)), self.item_tower(self.items.weight)
        if self.scale is None:
            return F.linear(own, items, self.bias)
        return F.linear(F.normalize(own, dim=1), F.normalize(items, dim=1)) * self.scale.exp() + self.bias


def _tower(size: int, layers: Sequence[Any], arch: Arch) -> nn.Sequential:
    parts: list[nn.Module] = [nn.Dropout(arch.dropout)] if arch.dropout else []
    inputs = size
    for place, layer in enumerate(layers):
        parts += [placed(f"layer_{place}", nn.Linear(inputs, layer.width)), ACTIVATIONS[arch.activation]()]
        inputs = layer.width
    return nn.Sequential(*parts, *([placed("last", nn.Linear(inputs, size))] if layers else []))
