"""Modules and calls become text: short for people, and complete for telling one computation from another."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from evonas.spaces.places import PLACE

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
_OF_EVERY_MODULE = frozenset({*vars(nn.Module()), PLACE})


def is_layer(module: nn.Module) -> bool:
    """Whether a module has no parts, or is PyTorch's own and no mere container."""
    own = type(module).__module__.startswith("torch.nn.") and not isinstance(module, CONTAINERS)
    return own or next(module.children(), None) is None


def is_sequence(module: nn.Module) -> bool:
    """Whether a module does no more than run its parts one after another."""
    return isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward


def readable(module: nn.Module) -> str:
    """A module for people, e.g. "Conv2d(8,16,kernel_size=(1,1),stride=(1,1),bias=False)+BatchNorm2d"."""
    if is_sequence(module):
        return "+".join(map(readable, module.children()))
    if not is_layer(module):
        return f"{type(module).__name__}[{'+'.join(map(readable, module.children()))}]"
    shown = module.extra_repr().replace(" ", "")
    return f"{type(module).__name__}({shown})" if shown and "eps=" not in shown else type(module).__name__


def details(module: nn.Module) -> str:
    """A module with everything that can make a difference to what it computes, but for the values of its weights."""
    if is_sequence(module):
        return "+".join(map(details, module.children()))
    own = {name: text(value) for name, value in vars(module).items() if name not in _OF_EVERY_MODULE}
    sizes = {name: text(tensor) for name, tensor in (module._parameters | module._buffers).items()}
    parts = {name: details(part) for name, part in module.named_children()}
    return f"{type(module).__qualname__}{sorted(own.items())}{sorted(sizes.items())}{parts}"


def text(value: object) -> str:
    """A hyper-parameter or an argument, as text that is the same in every process."""
    if isinstance(value, Tensor):
        return f"{tuple(value.shape)}{value.dtype}"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {text(item)}' for key, item in value.items())}}}"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(text, value)))}}}"
    if isinstance(value, list | tuple):
        return f"({', '.join(map(text, value))})"
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def name(function: Callable[..., Any]) -> str:
    """`x + y`, `x.add(y)` and torch.add(x, y) are all "add"; the getter of a property has the property's name."""
    own = str(function.__name__)
    return str(function.__self__.__name__) if own == "__get__" else own.strip("_")  # type: ignore[attr-defined]
