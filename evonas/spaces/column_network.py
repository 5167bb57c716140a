"""Layers that take in rows of a table: as one vector of features, or as a token a column."""

import math

import torch
from torch import Tensor, nn

from evonas.records import Inputs
from evonas.spaces.columns import columns_of

UNIT = 0.3
"""Deviation of the numbers that a category begins as, beside numbers of deviation 1: a value that training never shows
stays there, and says little."""


class ColumnFeatures(nn.Module):
    """Numbers, and behind them an embedding of each category: (n, features).

    Args:
        inputs: of a table.
        width: numbers that a category becomes.
        of_numbers: what numbers (n, numbers) go through: (n, numbers, each); default: they stay as they are.
        each: numbers that a number becomes there.

    Raises:
        ValueError: the inputs are none of a table.
    """

    def __init__(self, inputs: Inputs, width: int, of_numbers: nn.Module | None = None, each: int = 1) -> None:
        super().__init__()
        numbers, columns, values = columns_of(inputs)
        self.features = numbers * (each if of_numbers is not None else 1) + columns * width
        self.of_numbers = of_numbers
        self.embedding = _embedding(values, width) if columns else None

    def forward(self, numbers: Tensor | None = None, categories: Tensor | None = None) -> Tensor:
        parts = []
        if numbers is not None:
            parts.append(numbers if self.of_numbers is None else self.of_numbers(numbers).flatten(1))
        if self.embedding is not None and categories is not None:
            parts.append(self.embedding(categories).flatten(1))
        return torch.cat(parts, 1) if len(parts) > 1 else parts[0]


class ColumnTokens(nn.Module):
    """A token for each number and for each category: (n, columns, width).

    A number is a vector of its own times the number, and a bias; a category is an embedding and the bias of its column
    (Gorishniy et al. 2021, section 3.3).

    Args:
        inputs: of a table, or one tensor (features,).
        width: of a token.

    Raises:
        ValueError: the inputs are none of a table.
    """

    def __init__(self, inputs: Inputs, width: int) -> None:
        super().__init__()
        numbers, columns, values = columns_of(inputs)
        self.tokens, bound = numbers + columns, width**-0.5
        self.weight = nn.Parameter(torch.empty(numbers, width).uniform_(-bound, bound)) if numbers else None
        self.bias = nn.Parameter(torch.empty(self.tokens, width).uniform_(-bound, bound))
        self.embedding = _embedding(values, width) if columns else None

    def forward(self, numbers: Tensor | None = None, categories: Tensor | None = None) -> Tensor:
        parts = []
        if self.weight is not None and numbers is not None:
            parts.append(numbers[:, :, None] * self.weight)
        if self.embedding is not None and categories is not None:
            parts.append(self.embedding(categories))
        return (torch.cat(parts, 1) if len(parts) > 1 else parts[0]) + self.bias


class OnColumns(nn.Module):
    """A network behind layers that take in a table's inputs by their names."""

    def __init__(self, columns: ColumnFeatures | ColumnTokens, network: nn.Module) -> None:
        super().__init__()
        self.columns, self.network = columns, network

    def forward(self, numbers: Tensor | None = None, categories: Tensor | None = None) -> Tensor:
        output: Tensor = self.network(self.columns(numbers, categories))
        return output


def embedding_width(inputs: Inputs, most: int = 8) -> int:
    """Numbers for a category, where a space has no gene for it: the root of the values of a column, 2 to `most`."""
    _, columns, values = columns_of(inputs)
    return min(most, max(2, math.ceil((values / columns) ** 0.5))) if columns else 0


def _embedding(values: int, width: int) -> nn.Embedding:
    embedding = nn.Embedding(values, width)
    nn.init.normal_(embedding.weight, std=UNIT)
    return embedding
