"""What a network gets of encoded rows: part of the network wherever it goes."""

from typing import Any

import torch
from torch import Tensor, nn

from evonas.records import Inputs, InputSpec
from evonas.spaces.columns import CATEGORIES, NUMBERS
from evonas.tasks.constructors import Prepared
from evonas.tasks.table.record import TableRecord

CLIP = 3.0
"""No number gets beyond this, however far it is from the middle."""
FAR = 1e6
"""From here on a number is `CLIP` in float32, whose squares must stay finite."""


class TableColumns(nn.Module):
    """Encoded rows -> scaled numbers with marks of gaps (n, features), and one count of all categories (n, columns).

    Numbers are scaled by median and quartiles, and clipped smoothly: x / sqrt(1 + (x / 3)^2) (Holzmueller et al. 2024,
    section 3). Gaps are 0, the median. Categories that have no number are 0; those of each column begin where those of
    the column before end, so that one embedding holds all.

    Args:
        record: of the columns.
        wide: numbers are stored in float64.
    """

    middle: Tensor
    scale: Tensor
    marked: Tensor
    starts: Tensor
    sizes: Tensor

    def __init__(self, record: TableRecord, wide: bool = False) -> None:
        super().__init__()
        self.record, self.wide = record, wide
        kind = torch.float64 if wide else torch.float32
        self.register_buffer("middle", torch.tensor([each.middle for each in record.numbers], dtype=kind))
        self.register_buffer("scale", torch.tensor([each.scale for each in record.numbers], dtype=kind))
        marked = [place for place, each in enumerate(record.numbers) if each.gaps]
        self.has_marks = bool(marked)
        self.register_buffer("marked", torch.tensor(marked, dtype=torch.int64))
        sizes = torch.tensor([each.size for each in record.categories], dtype=torch.int64)
        self.register_buffer("sizes", sizes)
        self.register_buffer("starts", sizes.cumsum(0) - sizes)

    @property
    def inputs(self) -> Inputs:
        """What it gives."""
        numbers = InputSpec((len(self.middle) + len(self.marked),)) if len(self.middle) else None
        if not len(self.sizes):
            assert numbers
            return numbers
        categories = InputSpec((len(self.sizes),), "int64", int(self.sizes.sum()))
        return {**({NUMBERS: numbers} if numbers else {}), CATEGORIES: categories}

    @property
    def prepared(self) -> Prepared:
        """For a task."""
        return Prepared(self, self.inputs)

    def forward(self, x: Any) -> Any:
        if not len(self.record.categories):
            return self._numbers(x)
        numbers = {NUMBERS: self._numbers(x[NUMBERS])} if self.record.numbers else {}
        codes = x[CATEGORIES].long()
        known = torch.where((codes < self.sizes) & (codes >= 0), codes, torch.zeros_like(codes))
        return {**numbers, CATEGORIES: known + self.starts}

    def _numbers(self, x: Tensor) -> Tensor:
        gap = torch.isnan(x)
        distance = ((torch.where(gap, self.middle, x) - self.middle) * self.scale).float().clamp(-FAR, FAR)
        clipped = distance / (1 + (distance / CLIP).square()).sqrt()
        return torch.cat([clipped, gap[:, self.marked].float()], 1) if self.has_marks else clipped
