"""A network cut into the blocks that a forward pass runs through, so that an estimate can add up their latencies.

A layer is a block, and so is a module with parts of its own, because its forward may do more than they do. Opened are
the network itself, each nn.Sequential of more than layers, and each module that holds a list or dictionary of modules:
their parts are blocks or are opened in turn, and each operation that they run by themselves is a block too. In a
Sequential that is opened, layers without a weight matrix belong to the block before them, which runtimes fuse.
"""

import copy
import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import TreeSpec, tree_flatten, tree_leaves, tree_unflatten

from evonas.inputs import called, example, mapped
from evonas.latency_tables import describe
from evonas.records import Inputs

Classes = tuple[type[nn.Module], ...]
Function = Callable[..., Any]
Shape = tuple[int, ...]
HOOKS = frozenset(name for name in vars(nn.Module()) if "hooks" in name)
OVERHEAD = "pass"
"""The entry for what a pass takes that runs nothing."""
LISTS = (nn.ModuleList, nn.ModuleDict)
READABLE = 160
"""Characters of a key before its shape."""
_GIVEN: dict[tuple[str, Shape, torch.dtype], tuple[Shape, torch.dtype]] = {}
"""Module and input -> output. torch is slow to tell: tens of milliseconds for a network of a hundred layers."""


class MissingBlock(Exception):
    """A table has no entry for a block of a network. The message is one line."""


@dataclass(frozen=True, slots=True)
class Block:
    """Something that a forward pass runs.

    key: what it is and the shape that it takes, for people, and a digest of all its hyper-parameters: equal for two
        blocks exactly when they are the same computation but for the values of their weights.
    input_shape: of one example.
    """

    key: str
    input_shape: Shape
    _made: Callable[[], nn.Module] = field(repr=False, compare=False)

    @property
    def module(self) -> nn.Module:
        """(batch, *input_shape) -> what it gives, for the batch of that pass. It shares the network's layers."""
        return self._made()


def blocks(network: nn.Module, inputs: Inputs, whole: Classes = (), batch: int = 1) -> list[Block]:
    """Those of one forward pass in evaluation mode, in order, each as often as it runs. The network is left as it was.

    inputs: what the network takes. whole: classes of modules that are not to be opened. Operations that see nothing of
    the examples, or only whole numbers, are left out. Nothing is computed, unless the network looks at values.

    Raises:
        Whatever the network raises.
    """
    try:
        return _passed(network, inputs, whole, batch, "meta")
    except Exception:  # it looks at values, or makes tensors on a device of its own choice
        return _passed(network, inputs, whole, batch, "cpu")


def estimate(network: nn.Module, inputs: Inputs, table: Mapping[str, float], whole: Classes = ()) -> float:
    """Milliseconds of a forward pass: the sum of the entries of its blocks, and of `OVERHEAD` if the table has that.

    Raises:
        MissingBlock: the table has no entry for one of them.
    """
    found = blocks(network, inputs, whole)
    if missing := next((block.key for block in found if block.key not in table), None):
        raise MissingBlock(f"the latency table lacks the block {missing}; make it anew, from this space and this task")
    return table.get(OVERHEAD, 0.0) + sum(table[block.key] for block in found)


def _passed(network: nn.Module, inputs: Inputs, whole: Classes, batch: int, device: str) -> list[Block]:
    probe = _copied(network, device).eval()
    watch = _Watch(whole, batch)
    for module, original in zip(probe.modules(), network.modules(), strict=True):
        module.forward = watch.over(module, original)
    with torch.no_grad(), torch.device(device):
        x = watch.seen(mapped(lambda array: torch.from_numpy(array).to(device), example(inputs, batch)))
        with watch:
            called(probe, x)
    return [Block(_key(str(what), what.details(), shape), shape, what.module) for what, shape in watch.found]


def _copied(network: nn.Module, device: str) -> nn.Module:
    """On that device. Shares what modules have for their hooks: copying that would take longer than all the rest."""
    modules = list(network.modules())
    hooks = {id(value): value for module in modules for name, value in vars(module).items() if name in HOOKS}
    tensors = {id(own): _moved(own, device) for own in [*network.parameters(), *network.buffers()]}
    return copy.deepcopy(network, {**hooks, **tensors})


def _moved(tensor: Tensor, device: str) -> Tensor:
    moved = tensor.detach().to(device, copy=True)
    return nn.Parameter(moved, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else moved


class _Watch(TorchFunctionMode):
    """Follows a forward pass.

    found: what ran, in order, and the shape of one example of its input.
    """

    def __init__(self, whole: Classes, batch: int) -> None:
        super().__init__()
        self.found: list[tuple[_Row | _Call, Shape]] = []
        self._whole, self._batch = whole, batch
        self._open: list[nn.Module] = []
        self._in_block = False
        self._growing: nn.Module | None = None  # the sequence whose last block the next layer may join
        self._seen: dict[int, Tensor] = {}  # what depends on the examples, kept so that an id stays its own

    def seen(self, result: Any) -> Any:
        self._seen.update({id(leaf): leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)})
        return result

    def over(self, module: nn.Module, original: nn.Module) -> Function:
        """The forward of a module of the copy, watched."""
        forward = module.forward

        def watched(*args: Any, **kwargs: Any) -> Any:
            if self._in_block:
                return forward(*args, **kwargs)
            if self._opens(original):
                return self._opened(original, forward, args, kwargs)
            return self._block(original, forward, args, kwargs)

        return watched

    def __torch_function__(self, func: Function, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if not self._in_block and any(isinstance(leaf, Tensor) for leaf in tree_leaves(result)):
            self._call(func, args, kwargs or {}, result)
        return result

    def _opens(self, module: nn.Module) -> bool:
        if isinstance(module, self._whole) or describe.is_layer(module):
            return False
        if not self._open:
            return True
        if describe.is_sequence(module):
            return not all(map(describe.is_layer, module.children()))
        return any(isinstance(part, LISTS) for part in module.children())

    def _opened(self, module: nn.Module, forward: Function, args: Any, kwargs: Any) -> Any:
        self._open.append(module)
        self._growing = None
        try:
            return forward(*args, **kwargs)
        finally:
            self._open.pop()
            self._growing = None

    def _block(self, module: nn.Module, forward: Function, args: Any, kwargs: Any) -> Any:
        self._in_block = True
        try:
            if len(args) == 1 and not kwargs and isinstance(args[0], Tensor) and self._plain(args[0]):
                return self._layer(module, forward, args[0])
            result = forward(*args, **kwargs)
        finally:
            self._in_block = False
        self._call(module, args, kwargs, result)
        return result

    def _plain(self, x: Tensor) -> bool:
        """Whether its first axis is the batch."""
        return x.shape[:1] == (self._batch,)

    def _layer(self, module: nn.Module, forward: Function, x: Tensor) -> Any:
        details, parent = describe.details(module), self._open[-1] if self._open else None
        row = self.found[-1][0] if self.found else None
        if parent is not None and parent is self._growing and isinstance(row, _Row) and _joins(module):
            row.add(module, details)
        else:
            self.found.append((_Row([module], [details]), tuple(x.shape[1:])))
            self._growing = parent if parent is not None and describe.is_sequence(parent) else None
        return self.seen(_given(details, forward, x))

    def _call(self, function: Function, args: Any, kwargs: Any, result: Any) -> None:
        given, spec = tree_flatten((args, kwargs))
        at = next((i for i, leaf in enumerate(given) if id(leaf) in self._seen and leaf.is_floating_point()), None)
        if at is None:
            return
        self._growing = None
        self.seen(result)
        shape = tuple(given[at].shape)
        leaves = [_Of(tuple(x.shape), x.dtype) if isinstance(x, Tensor) else x for x in given]
        plain = self._plain(given[at])
        one = shape[1:] if plain else (-(-given[at].numel() // self._batch),)
        self.found.append((_Call(function, leaves, spec, at, plain), one))


def _given(details: str, forward: Function, x: Tensor) -> Any:
    """What a module makes of an input; on the meta device, from memory where it is known."""
    known = _GIVEN.get((details, tuple(x.shape), x.dtype)) if x.is_meta else None
    if known:
        return torch.empty(known[0], dtype=known[1], device=x.device)
    result = forward(x)
    if isinstance(result, Tensor):
        _GIVEN[details, tuple(x.shape), x.dtype] = tuple(result.shape), result.dtype
    return result


@dataclass(frozen=True, slots=True)
class _Row:
    """Modules that run one after another."""

    modules: list[nn.Module]
    texts: list[str]

    def add(self, module: nn.Module, details: str) -> None:
        self.modules.append(module)
        self.texts.append(details)

    def __str__(self) -> str:
        return "+".join(map(describe.readable, self.modules))

    def details(self) -> str:
        return "+".join(self.texts)

    def module(self) -> nn.Module:
        return self.modules[0] if len(self.modules) == 1 else nn.Sequential(*self.modules)


@dataclass(frozen=True, slots=True)
class _Of:
    """Stands for a tensor in the arguments of a call."""

    shape: Shape
    dtype: torch.dtype

    def __repr__(self) -> str:
        return "x".join(map(str, self.shape)) or "scalar"


@dataclass(frozen=True, slots=True)
class _Call:
    """A function or module, and the arguments that it was called with.

    at: which leaf of them is the input. plain: whether that has the batch as its first axis.
    """

    function: Function
    leaves: list[Any]
    spec: TreeSpec
    at: int
    plain: bool

    def __str__(self) -> str:
        args, kwargs = tree_unflatten(self.leaves, self.spec)
        given = [*map(describe.text, args), *(f"{name}={describe.text(value)}" for name, value in kwargs.items())]
        own = self.function
        return f"{describe.readable(own) if isinstance(own, nn.Module) else describe.name(own)}({', '.join(given)})"

    def details(self) -> str:
        dtypes = [leaf.dtype for leaf in self.leaves if isinstance(leaf, _Of)]
        own = describe.details(self.function) if isinstance(self.function, nn.Module) else ""
        return f"{self} {self.at} {dtypes} {own}"

    def module(self) -> nn.Module:
        return Replay(self)

    def __deepcopy__(self, memo: object) -> "_Call":
        return self


class Replay(nn.Module):
    """A call again, of the block's input, and of ones in the place of all other tensors."""

    def __init__(self, call: _Call) -> None:
        super().__init__()
        self.call, self.function = call, call.function
        self.others = [i for i, leaf in enumerate(call.leaves) if isinstance(leaf, _Of) and i != call.at]
        for i in self.others:
            self.register_buffer(f"tensor_{i}", torch.ones(call.leaves[i].shape, dtype=call.leaves[i].dtype))

    def forward(self, x: Tensor) -> Any:
        call = self.call
        leaves = list(call.leaves)
        shape = leaves[call.at].shape
        leaves[call.at] = x if call.plain else x.flatten()[: math.prod(shape)].view(shape)
        for i in self.others:
            leaves[i] = self.get_buffer(f"tensor_{i}")
        args, kwargs = tree_unflatten(leaves, call.spec)
        return self.function(*args, **kwargs)

    def extra_repr(self) -> str:
        return str(self.call)


def _key(short: str, details: str, shape: Shape) -> str:
    digest = hashlib.sha256(details.encode()).hexdigest()[:12]
    cut = short if len(short) <= READABLE else f"{short[:READABLE]}..."
    return f"{cut} @{'x'.join(map(str, shape))} #{digest}"


def _joins(module: nn.Module) -> bool:
    return describe.is_layer(module) and all(parameter.dim() < 2 for parameter in module.parameters())
