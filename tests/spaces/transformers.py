"""Transformers that have a block of each mixer, for tests."""

from typing import Any

import torch
from torch import nn

from evonas.records import InputSpec, TaskSpec
from evonas.spaces import SPACES

MIXERS: dict[str, dict[str, Any]] = {
    "full": {"kind": "full", "heads": 2, "queries": 1},
    "grouped": {"kind": "full", "heads": 1, "queries": 2},
    "local": {"kind": "local", "heads": 1, "queries": 2, "window": 8},
    "linear": {"kind": "linear", "heads": 2, "queries": 2},
    "conv": {"kind": "conv", "kernel": 3},
}
LENGTH = 43
"""More than a chunk of linear attention, and no multiple of it or of a window."""
TEXT = TaskSpec("text", InputSpec((LENGTH,), "int64", 7), (LENGTH, 7), {"error": "minimize"})
SERIES = TaskSpec("series", InputSpec((3, LENGTH)), (4,))
IMAGES = TaskSpec("images", InputSpec((3, 30, 23)), (4,))
VECTORS = TaskSpec("table", InputSpec((LENGTH,)), (1,))


def arch(*mixers: str, **others: Any) -> dict[str, Any]:
    """An architecture with these mixers, one block each."""
    given = {"width": 24, "head_size": 8, "gated": True, "norm": "rms", "positions": "rotary", "dropout": 0.0}
    blocks = [{"mixer": MIXERS[name], "ratio": 2} for name in mixers]
    return {**given, "patch": 4, "frame": 1, "pool": "mean", "blocks": blocks, **others}


def built(spec: TaskSpec, *mixers: str, **others: Any) -> nn.Module:
    """Its network in evaluation mode, with weights by which places differ clearly."""
    wanted = arch(*mixers, **others)
    lists = {"widths": "width", "head_sizes": "head_size", "patches": "patch", "frames": "frame"}
    space = SPACES["transformer"](
        **{name: wanted[key] for name, key in lists.items()},
        layers=(1, 12),
        dropout=[0.0, 0.1],
        pools=["mean", "class"],
    )
    torch.manual_seed(0)
    made: nn.Module = space.build(space.decode(space.encode(wanted)), spec)
    return made.eval()
