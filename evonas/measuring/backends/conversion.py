"""Why a network cannot become a file, and whether a traced one computes with numbers that it read once.

A converter says at length that it failed; which operator of which line it was, stands somewhere in a chain of errors.
"""

import re
import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.jit._trace import TracerWarning
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from evonas.code_owner import distance, line_of
from evonas.text import describe_error, error_text, one_line

OPERATOR = re.compile(r"torch\._?ops\.(\w+\.\w+)|OpOverload\(op='(\w+\.\w+)'|operator '(\w+::\w+)'")
LINE = re.compile(r'File "([^"]+)", line (\d+)')
HANGS_ON_VALUES = ("GuardOnDataDependentSymNode", "DataDependentOutputException")
"""Names of torch's errors."""
TRACES_ITSELF = (2, 9)
"""Before this version of PyTorch the other converter traces what it cannot do better."""
AS_NUMBERS = re.compile(r"Converting a tensor to a (NumPy array|Python list)")
"""In a warning of the tracer's: what is read past PyTorch."""
BY_MAKE_FX = re.compile(r"trying to get value out of a tracing tensor")
"""What make_fx says of a network that makes a number of Python of a tensor's value."""
IN_NUMPY = re.compile(r"\.numpy\(\) is not supported for tensor subclasses")
"""What torch.export says of a network that goes to NumPy and back."""


class ReadOnce(Exception):
    """A network makes a number of Python of its input's values; a traced file would keep the number. One line.

    Args:
        place: where, as file:line; "" where its traceback says so, or nothing does.
    """

    def __init__(self, place: str = "") -> None:
        super().__init__("it computes with, or branches on, a value of its input as a number of Python")
        self.place = place


class NoOperator(Exception):
    """A runtime has no operator that a network calls, or not as it is called there. One line.

    Args:
        runtime: as configs name it.
        operator: as PyTorch names it: "aten.erfinv".
        origin: of the call, for people, such as "module encoder.0 (Block), my_net.py:12"; "" where that is not known.
        why: the operator cannot be converted or run there, where the runtime has it.
        does: what it cannot: "convert" or "run".
    """

    def __init__(self, runtime: str, operator: str, origin: str, why: str = "", does: str = "convert") -> None:
        text = f"{runtime} cannot {does} this call of {operator}: {why}" if why else f"{runtime} has no {operator}"
        super().__init__(f"{text}: {origin}" if origin else text)


def reason(error: BaseException) -> str:
    """One line: the first of a chain of errors, the operator that it is about, and the line of the user's code.

    Args:
        error: of a converter.
    """
    if isinstance(error, NoOperator):
        return one_line(str(error))
    chain = _chain(error)
    first, texts = chain[0], [error_text(each) for each in chain]
    reads = isinstance(first, ReadOnce) or type(first).__name__ in HANGS_ON_VALUES or BY_MAKE_FX.search(texts[0])
    said = str(ReadOnce()) if reads else describe_error(first)
    if IN_NUMPY.search(texts[0]):
        said = "it computes in NumPy, past PyTorch"
    place = user_line_of(error)
    named = "" if reads else next(filter(None, map(_operator, texts)), "")
    beside = [part for part in (named, place) if part and part not in said]
    return f"{said} ({', '.join(beside)})" if beside else said


def user_line_of(error: BaseException) -> str:
    """The innermost line of the user's own that an error is about, as file:line: of its text, which may quote code, or
    of its traceback, and of those of the errors that it comes from; "" where none has one."""
    chain = _chain(error, contexts=True)
    known = (each.place for each in chain if isinstance(each, ReadOnce))
    return next(filter(None, (*known, *map(user_line, map(error_text, chain)), *map(line_of, chain))), "")


def _chain(error: BaseException, contexts: bool = False) -> list[BaseException]:
    """The errors that one comes from, the first of them first, and itself.

    Args:
        error: the last.
        contexts: also those during whose handling another came up.
    """
    found, following = list[BaseException](), [error]
    while following and following[0] not in found:
        found.insert(0, following[0])
        own = found[0].__cause__ or (found[0].__context__ if contexts else None)
        following = [own] if own else []
    return found


def traced_or(
    trace: Callable[[], bytes], convert: Callable[[], bytes], network: nn.Module, x: Sequence[Tensor]
) -> bytes:
    """The file of a tracer, which is fast; where it cannot, or would keep a number that hangs on the input, that of a
    slower converter.

    Args:
        trace: writes the file by tracing.
        convert: writes it in the other way, which takes onnxscript.
        network: called with `x`; it is left as it was, but for what its own `forward` changes.
        x: the tensors that the file is traced with.

    Raises:
        ReadOnce: neither can say what the network does.
        Exception: whatever the last converter that is there raises.
    """
    kept: ReadOnce | None = None
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", TracerWarning)
            file = trace()
        kept = _read_once([each for each in said if each.category is TracerWarning], network, x)
        if kept is None:
            return file
    except Exception:
        if find_spec("onnxscript") is None:
            raise
    old = torch.__version__ < TRACES_ITSELF  # type: ignore[operator]  # it compares with tuples as well
    if kept and (find_spec("onnxscript") is None or old):
        raise kept
    try:
        return convert()
    except Exception:
        if kept is None:
            raise
        raise kept from None


def _read_once(warned: Sequence[warnings.WarningMessage], network: nn.Module, x: Sequence[Tensor]) -> ReadOnce | None:
    """What makes a number of the input's values. The tracer warns of sizes and weights as well, which are the same for
    all inputs, and not of each operator that gives a number."""
    if read := [each for each in warned if AS_NUMBERS.search(str(each.message))]:
        own = next((each for each in read if distance(each.filename) == 0), None)
        return ReadOnce(f"{Path(own.filename).name}:{own.lineno}" if own else "")
    try:
        with torch.no_grad(), _Watch(x):
            network(*x)
    except ReadOnce as found:
        return found
    except Exception:  # it can be traced and not followed: what it gives is compared, as ever
        return None
    return None


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows what is computed from some tensors.

    Raises:
        ReadOnce: an operator makes a number of Python of it.
    """

    def __init__(self, x: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._known = {id(part): part for part in x}  # the tensors as well, so that no other gets their place

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        follows = any(id(part) in self._known for part in tree_leaves((args, named)))
        found = func(*args, **named)
        if not follows:
            return found
        for part in tree_leaves(found):
            if isinstance(part, bool | int | float | complex):
                raise ReadOnce
            if isinstance(part, Tensor):
                self._known[id(part)] = part
        return found


def _operator(text: str) -> str:
    found = OPERATOR.search(text)
    return next(filter(None, found.groups()), "") if found else ""


def user_line(text: str) -> str:
    """The last line of the user's code that a text names."""
    own = [(file, number) for file, number in LINE.findall(text) if distance(file) == 0]
    return f"{Path(own[-1][0]).name}:{own[-1][1]}" if own else ""
