"""A network as lines of text: its parts from input to output, what each gives, and where the parameters are."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any

import torch
from torch import nn

from evonas.exporters.exporter import in_words, named
from evonas.inputs import called
from evonas.tasks.shipped import Shipped
from evonas.text import one_line

LONGEST = 48
"""Letters of what a part is made of."""
BAR = 20
"""Letters of the bar of the part with the most parameters."""


@dataclass(slots=True)
class _Part:
    name: str
    module: nn.Module
    gives: str = "not called"
    parameters: int = field(init=False)

    def __post_init__(self) -> None:
        self.parameters = sum(weights.numel() for weights in self.module.parameters())


def drawing(network: nn.Module, x: Any) -> str:
    """Lines of text that draw a network.

    Args:
        network: in evaluation mode on the CPU.
        x: its input with two examples.
    """
    parts = list(_parts(network))
    hooks = [part.module.register_forward_hook(partial(_note, part)) for part in parts]
    try:
        with torch.no_grad():
            y = called(network, x)
    finally:
        for hook in hooks:
            hook.remove()
    most = max((part.parameters for part in parts), default=0)
    names = max(len(part.name) for part in parts)
    made = [one_line(_made_of(part.module)) for part in parts]
    wide, gives = max(map(len, made)), max(len(part.gives) for part in parts)
    lines = [
        f" ├─ {part.name:{names}}  {what:{wide}}  → {part.gives:{gives}}  {part.parameters:>9,} "
        f"{'█' * -(-BAR * part.parameters // most) if most else ''}".rstrip()
        for part, what in zip(parts, made, strict=True)
    ]
    return "\n".join([f"{in_words(x)}", *lines, f" └─ {in_words(y)}"])


def _parts(network: nn.Module) -> Iterator[_Part]:
    """Those that a network is put together from; one that is all of it is looked into."""
    if isinstance(network, Shipped):
        yield _Part("prepare", network.prepare)
        yield from _parts(network.network)
        if network.finish is not None:
            yield _Part("finish", network.finish)
        return
    children = list(network.named_children())
    while len(children) == 1 and list(children[0][1].children()):
        network = children[0][1]
        children = list(network.named_children())
    yield from (_Part(name, module) for name, module in children or [("", network)])


def _note(part: _Part, module: nn.Module, args: Any, output: Any) -> None:
    if isinstance(output, torch.Tensor | dict):
        part.gives = ", ".join(f"({', '.join(['N', *map(str, t.shape[1:])])})" for t in named(output).values())


def _made_of(module: nn.Module) -> str:
    """The layers inside by their classes, each row of equal ones once: "Conv2d, BatchNorm2d, ReLU"."""
    leaves = [type(part).__name__ for part in module.modules() if not list(part.children())]
    words = [f"{len(row)} {name}" if len(row) > 1 else name for name, row in ((n, list(r)) for n, r in groupby(leaves))]
    text = ", ".join(words)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
