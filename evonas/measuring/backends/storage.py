"""The storages of tensors are counted: how many bytes are alive at once."""

import os
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def without_compiler(mode: type[TorchDispatchMode]) -> type[TorchDispatchMode]:
    """A dispatch mode of torch that does not import torch's compiler when it is first used.

    torch 2.13 wraps the dispatch of each mode into `torch._disable_dynamo`, which imports the compiler to turn it off:
    3 s of a processor and 70 MB in each process. Nothing changes where torch wraps it no more.
    """
    raw = getattr(mode.__torch_dispatch__, "__wrapped__", None)
    if raw:
        setattr(raw, "__dynamo_disable", raw)  # what the wrapper looks for; not to be mangled
    return mode


@without_compiler
class StorageMeter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The meter follows the storages that the operators inside the block return, until each is freed.

    `peak` is the largest sum of bytes alive at once. Views share a storage, which counts once. What a kernel allocates
    for itself is not seen, so that the number is the same every time and on every machine.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.alive = self.peak = 0
        self._known: dict[int, weakref.ref[torch.UntypedStorage]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.count(tensors(result))
        return result

    def count(self, found: Iterable[Tensor]) -> None:
        for tensor in found:
            self._count(tensor.untyped_storage())

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = id(storage)
        if key in self._known:
            return
        size = storage.nbytes()

        def freed(_: object) -> None:
            del self._known[key]
            self.alive -= size

        self._known[key] = weakref.ref(storage, freed)
        self.alive += size
        self.peak = max(self.peak, self.alive)


def tensors(tree: Any) -> list[Tensor]:
    """All tensors in nested lists, tuples and dicts."""
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def stored(found: Iterable[Tensor]) -> int:
    """Bytes of all storages of these tensors, each counted once."""
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in found}.values())


def recorded_peak(call: Callable[[], Any]) -> int:
    """The most bytes that torch's CPU allocator gave out at once during the call, over those before. This sees into
    compiled code, which no dispatch mode does."""
    with _quiet_profiler(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        call()
    results: Any = record.profiler
    found = [event for event in results.kineto_results.events() if event.name() == "[memory]"]
    sizes: list[int] = [event.nbytes() for event in sorted(found, key=lambda event: event.start_ns())]
    return max(accumulate(sizes, initial=0))


@contextmanager
def _quiet_profiler() -> Iterator[None]:
    """It writes to the terminal unless its environment says otherwise when it is first used."""
    before = os.environ.get("KINETO_LOG_LEVEL")
    os.environ["KINETO_LOG_LEVEL"] = before or "99"
    try:
        yield
    finally:
        if before is None:
            del os.environ["KINETO_LOG_LEVEL"]
