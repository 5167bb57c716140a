"""A forward pass that is followed: which modules and operations run, and on what.

A layer is one operation, and so is a module with parts of its own, because its forward may do more than they do. Opened
are the network itself, each nn.Sequential of more than layers, and each module that holds a list or dictionary of
modules: their parts are operations or are opened in turn, and so is each function that they call by themselves. In a
Sequential that is opened, layers without a weight matrix belong to the operation before them, which runtimes fuse.
"""

import copy
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_leaves

from evonas.inputs import called, example, mapped
from evonas.latency_tables import describe
from evonas.latency_tables.operations import Call, First, Function, Row, Shape, TensorOf
from evonas.latency_tables.output_cache import OutputCache
from evonas.records import Inputs, InputSpec

Classes = tuple[type[nn.Module], ...]
HOOKS = frozenset(name for name in vars(nn.Module()) if "hooks" in name)
LISTS = (nn.ModuleList, nn.ModuleDict)
LOOKUPS = (nn.Embedding, nn.EmbeddingBag)
REMEMBERED = 4096
"""Outputs of modules that are kept in memory; a large space has some thousand different layers and input shapes."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of a forward pass.

    Args:
        what: the modules or the call.
        input: what one example of its input is like.
        single: whether it gives one tensor.
    """

    what: Row | Call
    input: InputSpec
    single: bool

    def module(self) -> nn.Module:
        """(batch, *input.shape) -> its output, or the first of several."""
        own = self.what.module()
        return own if self.single else First(own)


def trace(network: nn.Module, inputs: Inputs, whole: Classes, batch: int, device: str) -> list[Operation]:
    """Follow one forward pass of a copy of the network in evaluation mode.

    Args:
        network: left as it was.
        inputs: what it takes in.
        whole: classes of modules that are not opened.
        batch: examples in the pass.
        device: "meta", where nothing is computed, or "cpu".

    Returns:
        The operations in order. Left out are those that see nothing of the examples, and those that see of them only
        whole numbers or truth values that the network made of something else.

    Raises:
        Exception: whatever the network raises.
    """
    probe = _copied(network, device).eval()
    tracer = Tracer(whole, batch)
    for module, original in zip(probe.modules(), network.modules(), strict=True):
        module.forward = tracer.over(module, original)
    with torch.no_grad(), torch.device(device):
        x = mapped(lambda array: torch.from_numpy(array).to(device), example(inputs, batch))
        tracer.begin(x, inputs)
        with tracer:
            called(probe, x)
    return tracer.found


class Tracer(TorchFunctionMode):
    """The tracer follows a forward pass of a copy of a network, with the forwards that `over` makes for its modules.

    Args:
        whole: classes of modules that are not opened.
        batch: examples in the pass.
    """

    outputs: ClassVar = OutputCache(REMEMBERED)
    """One for all networks of this process: those of a space share most layers."""

    def __init__(self, whole: Classes, batch: int) -> None:
        super().__init__()
        self.found: list[Operation] = []
        """What ran, in order."""
        self._whole, self._batch = whole, batch
        self._open: list[nn.Module] = []
        self._in_block = False
        self._growing: nn.Module | None = None  # the sequence whose last block the next layer may join
        self._dependent: dict[int, Tensor] = {}  # what depends on the examples, kept so that an id stays its own
        self._usable: dict[
            int, int | None
        ] = {}  # those that a block can have as its input: how many values whole ones have

    def begin(self, x: Any, inputs: Inputs) -> None:
        """Take these as the network's inputs."""
        specs = {"": inputs} if isinstance(inputs, InputSpec) else inputs
        for name, tensor in ({"": x} if isinstance(x, Tensor) else x).items():
            self._note(tensor, specs[name].high)

    def over(self, module: nn.Module, original: nn.Module) -> Function:
        """The forward of a module of the copy, followed."""
        forward = module.forward

        def followed(*args: Any, **kwargs: Any) -> Any:
            if self._in_block:
                return forward(*args, **kwargs)
            if self._opens(original):
                return self._opened(original, forward, args, kwargs)
            return self._block(original, forward, args, kwargs)

        return followed

    def __torch_function__(self, func: Function, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if not self._in_block and any(isinstance(leaf, Tensor) for leaf in tree_leaves(result)):
            self._call(func, args, kwargs or {}, result)
        return result

    def _note(self, result: Any, values: int | None = None) -> None:
        """Results depend on the examples and can be the input of a block; `values` of whole numbers: how many they can
        have, if that is known."""
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._dependent[id(leaf)] = leaf
                if leaf.is_floating_point() or (_is_whole(leaf) and values):
                    self._usable[id(leaf)] = None if leaf.is_floating_point() else values

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
            if len(args) == 1 and not kwargs and id(args[0]) in self._dependent and self._plain(args[0]):
                return self._layer(module, forward, args[0])
            result = forward(*args, **kwargs)
        finally:
            self._in_block = False
        self._call(module, args, kwargs, result)
        return result

    def _plain(self, x: Tensor) -> bool:
        """Whether the first axis is the batch."""
        return x.shape[:1] == (self._batch,)

    def _layer(self, module: nn.Module, forward: Function, x: Tensor) -> Any:
        details, parent = describe.details(module), self._open[-1] if self._open else None
        row = self.found[-1].what if self.found else None
        values = self._usable.get(id(x))
        result = self.outputs.output(details, forward, x)
        if parent is not None and parent is self._growing and isinstance(row, Row) and _joins(module):
            row.add(module, details)
        else:
            spec = _spec(x, tuple(x.shape[1:]), _rows(module) or values)
            self.found.append(Operation(Row([module], [details]), spec, isinstance(result, Tensor)))
            self._growing = parent if parent is not None and describe.is_sequence(parent) else None
        self._note(result, values)
        return result

    def _call(self, function: Function, args: Any, kwargs: Any, result: Any) -> None:
        given, spec = tree_flatten((args, kwargs))
        dependent = [leaf for leaf in given if id(leaf) in self._dependent]
        usable = sorted((leaf for leaf in dependent if id(leaf) in self._usable), key=_is_whole)  # floats first
        if not usable:
            self._dependent.update({id(leaf): leaf for leaf in tree_leaves(result) if dependent})
            return
        self._growing = None
        x = usable[0]
        at, values, plain = next(i for i, leaf in enumerate(given) if leaf is x), self._usable[id(x)], self._plain(x)
        self._note(result, values)
        leaves = [TensorOf(tuple(leaf.shape), leaf.dtype) if isinstance(leaf, Tensor) else leaf for leaf in given]
        one = tuple(x.shape[1:]) if plain else (-(-x.numel() // self._batch),)
        what = Call(function, leaves, spec, at, plain)
        self.found.append(Operation(what, _spec(x, one, values), isinstance(result, Tensor)))


def _is_whole(x: Tensor) -> bool:
    return not (x.is_floating_point() or x.is_complex() or x.dtype == torch.bool)


def _spec(x: Tensor, shape: Shape, values: int | None) -> InputSpec:
    """The input of one example; zeros where nothing is known of whole numbers, which are an index into anything."""
    return InputSpec(shape, str(x.dtype).removeprefix("torch."), values or 1) if _is_whole(x) else InputSpec(shape)


def _rows(module: nn.Module) -> int | None:
    """The length of the table that a module looks its input up in; None where it is no such module."""
    first = next(module.children(), None) if describe.is_sequence(module) else module
    return first.num_embeddings if isinstance(first, LOOKUPS) else None


def _joins(module: nn.Module) -> bool:
    return describe.is_layer(module) and all(parameter.dim() < 2 for parameter in module.parameters())


def _copied(network: nn.Module, device: str) -> nn.Module:
    """A copy on that device. Hooks are shared: copying them would take longer than all the rest."""
    modules = list(network.modules())
    hooks = {id(value): value for module in modules for name, value in vars(module).items() if name in HOOKS}
    tensors = {id(own): _moved(own, device) for own in [*network.parameters(), *network.buffers()]}
    return copy.deepcopy(network, {**hooks, **tensors})


def _moved(tensor: Tensor, device: str) -> Tensor:
    moved = tensor.detach().to(device, copy=True)
    return nn.Parameter(moved, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else moved
