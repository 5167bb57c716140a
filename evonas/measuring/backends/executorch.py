"""ExecuTorch with XNNPACK as a backend: what phones run PyTorch's networks by."""

import importlib
import io
import re
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr
from typing import Any

import numpy as np

from evonas.inputs import example
from evonas.measuring.backends.backend import Array, Loaded
from evonas.measuring.backends.edge import EdgeRuntime
from evonas.measuring.backends.heard import heard
from evonas.measuring.backends.onnx_file import LoadedFile
from evonas.records import Inputs

MISSING = "Missing operator: "
"""What the runtime says before the name of an operator that it has no kernel for."""
REFUSED = re.compile(r"in operator (\w+::\w+)")
"""Where the runtime names the kernel that a pass has failed in."""
_threads: list[int] = []
"""What this process's pool has; XNNPACK holds on to it, so that it is never made anew."""


class ExecuTorch(EdgeRuntime):
    """ExecuTorch runs networks that were lowered to XNNPACK, as far as that has their operators, and else by its
    portable kernels.

    Args:
        name: of the target, for messages.
        config: the target's.

    Raises:
        UserError: executorch is not installed, or another target of this process has other threads.
    """

    kind = "executorch"
    package = "executorch"

    def _find(self) -> None:
        _need(self._config.threads)

    def _read(self, file: bytes, inputs: Inputs) -> Loaded:
        method, x = method_of(file), _tensors(example(inputs, self._config.batch))
        given: list[Any] = first_pass(method, x)

        def run() -> None:
            given[:] = method.execute(x)

        return LoadedFile(file, inputs, self._config, run, lambda: given[0].numpy())


def runner(file: bytes, threads: int) -> Callable[[Any], Array]:
    """What runs a file as often as one likes.

    Args:
        file: the program.
        threads: of a pass.

    Returns:
        A function (input as numpy arrays, as many examples as the file is made for) -> the output.

    Raises:
        ImportError: executorch is not installed.
        ValueError: it has no kernel for an operator of the file, which is named.
    """
    _need(threads)
    method = method_of(file)
    tried: list[bool] = []

    def run(x: Any) -> Array:
        found = method.execute(_tensors(x)) if tried else first_pass(method, _tensors(x))
        tried[:] = [True]
        return np.array(found[0].numpy(), np.float32)

    return run


def first_pass(method: Any, x: tuple[Any, ...]) -> list[Any]:
    """The first pass, in which a kernel may refuse what it is called with.

    Raises:
        ValueError: it does; it is named.
    """
    with heard() as said, redirect_stderr(io.StringIO()) as told:
        try:
            return list(method.execute(x))
        except RuntimeError as error:
            failure = error
    lines = [*said, *told.getvalue().splitlines()]
    named = next((found[1] for line in lines if (found := REFUSED.search(line))), "")
    why = next((line.partition("] ")[2] for line in lines if "Check failed" in line), str(failure))
    raise ValueError(f"executorch cannot run this call of {named}: {why}" if named else str(failure)) from None


def _need(threads: int) -> None:
    """
    Raises:
        ImportError: there is no executorch.
        ValueError: the process's pool has another number of threads.
    """
    with heard():  # it tells of each file of the system that this processor does not have
        importlib.import_module("executorch.runtime")
        library = importlib.import_module("executorch.extension.pybindings.portable_lib")
        if not _threads:
            library._unsafe_reset_threadpool(threads)
            _threads.append(threads)
    if _threads != [threads]:
        raise ValueError(
            f"executorch has one pool of threads in a process, here of {_threads[0]}, not of {threads}; give all of "
            "its targets the same threads"
        )


def method_of(file: bytes) -> Any:
    """What runs a program.

    Raises:
        ValueError: it has no kernel for an operator, which is named.
    """
    from executorch.runtime import Runtime

    with heard() as said, redirect_stderr(io.StringIO()) as told:  # it writes to the one or to the other
        try:
            program = Runtime.get().load_program(file)
            method = program.load_method("forward")
            method.program = program  # whose bytes it reads as it runs, and which it does not keep
            return method
        except RuntimeError as error:
            failure = error
    lines = [line for line in (*said, *told.getvalue().splitlines()) if MISSING in line]
    named = sorted({line.partition(MISSING)[2].partition("] ")[2] for line in lines})
    raise ValueError(f"executorch has no kernel for {', '.join(named)}" if named else str(failure)) from None


def _tensors(x: Any) -> tuple[Any, ...]:
    import torch

    parts = x.values() if isinstance(x, Mapping) else (x,)
    return tuple(torch.from_numpy(np.ascontiguousarray(part)) for part in parts)
