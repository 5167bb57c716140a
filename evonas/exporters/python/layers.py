"""A layer of torch's as the expression that makes it again: `nn.Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1))`."""

import re
from typing import Any

import torch
from torch import nn

WORD = re.compile(r"=([a-z][a-z_]*)(?=[,)])")
"""An option that a layer shows without its quotes: `padding_mode=circular`."""
INDENT = " " * 4
LONGEST = 100


def expression(layer: nn.Module, depth: int = 2) -> str | None:
    """How a layer, or a Sequential of such, is made.

    Args:
        layer: of a network.
        depth: how many indents lines begin with, where there are several.

    Returns:
        Python that needs `nn`; None where no expression makes it again, or its code is not torch's.
    """
    if type(layer) is nn.Sequential:
        return None if _is_changed(layer) else _sequential(layer, depth)
    kind = type(layer).__name__
    if getattr(nn, kind, None) is not type(layer) or _is_changed(layer):
        return None
    text = "nn." + WORD.sub(r'="\1"', repr(layer))
    return text if _makes(text, layer) else None


def _sequential(layers: nn.Sequential, depth: int) -> str | None:
    names = [name for name, _ in layers.named_children()]
    parts = [expression(layer, depth + 1) for layer in layers]
    if None in parts or names != list(map(str, range(len(names)))):
        return None
    made = [part for part in parts if part]
    line = f"nn.Sequential({', '.join(made)})"
    if len(line) <= LONGEST - 4 * depth and "\n" not in line:
        return line
    inner = "".join(f"{INDENT * (depth + 1)}{part},\n" for part in made)
    return f"nn.Sequential(\n{inner}{INDENT * depth})"


def _is_changed(layer: nn.Module) -> bool:
    """Whether it does something else than its class: hooks, another `forward`, parametrised weights."""
    return bool(layer._forward_hooks or layer._forward_pre_hooks) or "forward" in vars(layer)


def _makes(text: str, layer: nn.Module) -> bool:
    """Whether the text makes a layer of the same settings and the same shapes of weights."""
    if "\n" in text:
        return False
    try:
        with torch.device("meta"):
            made = eval(text, {"nn": nn})  # what a class of torch's own shows of itself
    except Exception:
        return False
    return type(made) is type(layer) and _settings(made) == _settings(layer) and _shapes(made) == _shapes(layer)


def _settings(layer: nn.Module) -> dict[str, Any]:
    return {name: value for name, value in vars(layer).items() if name[0] != "_" and name != "training"}


def _shapes(layer: nn.Module) -> dict[str, Any]:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in layer.state_dict().items()}
