"""What a CUDA graph does, on a CPU: operators are recorded with the memory that they read and write, and done again."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Generator, Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

HOST_DEPENDENT = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "bincount", "is_nonzero", "equal")
"""Operators whose result, or its shape, the host has to wait for."""


class RefusedOperator(RuntimeError):
    """What a capture would say."""


class Spy(TorchDispatchMode):
    """Fails on what the host would have to wait for; keeps the operators that ran, with their arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, list[Tensor]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name.startswith(HOST_DEPENDENT) or (name == "index" and any(_is_mask(i) for i in tree_leaves(args[1]))):
            raise RefusedOperator(f"operation not permitted when stream is capturing: {name}")
        out = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, _tensors(out)))
        return out


class RecordedCapture:
    """A `Capture` for a CPU. Other than a real one it does the work while it records; what that changed is put back.

    Args:
        changed: what the work changes: these tensors are as they were after the capture.
    """

    def __init__(self, changed: Callable[[], Sequence[Tensor]]) -> None:
        self._changed = changed
        self.replays = 0

    @contextmanager
    def aside(self) -> Iterator[None]:
        yield

    def record(self, work: Callable[[], None], generators: Sequence[Generator]) -> Callable[[], None]:
        drawing = [*generators, torch.default_generator]
        states, tensors = [g.get_state() for g in drawing], list(self._changed())
        kept = [tensor.detach().clone() for tensor in tensors]
        spy = Spy()
        try:
            with spy:
                work()
        finally:
            for generator, state in zip(drawing, states, strict=True):
                generator.set_state(state)
            with torch.no_grad():
                for tensor, value in zip(tensors, kept, strict=True):
                    tensor.copy_(value)
        return lambda: self._replay(spy.calls)

    @torch.no_grad()
    def _replay(self, calls: Sequence[tuple[Any, Any, Any, list[Tensor]]]) -> None:
        self.replays += 1
        for func, args, kwargs, before in calls:
            for old, new in zip(before, _tensors(func(*args, **kwargs)), strict=True):
                if old.data_ptr() != new.data_ptr():
                    old.copy_(new)


def _tensors(out: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]


def _is_mask(index: Any) -> bool:
    return isinstance(index, Tensor) and index.dtype == torch.bool
