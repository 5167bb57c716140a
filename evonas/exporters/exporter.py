"""The contract of an exporter, and what all of them share."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from evonas.errors import UserError
from evonas.inputs import called, mapped
from evonas.measuring.backends.conversion import reason
from evonas.measuring.backends.export import unloadable
from evonas.tasks.shipped import Shipped
from evonas.text import counted, describe_error

Array = npt.NDArray[Any]
TOLERANCE = 1e-3
"""Largest difference of an exported network's output, as a share of the largest output, in float32."""


@dataclass(frozen=True, slots=True)
class Labels:
    """Texts by name that a file of some format can hold beside the network.

    Args:
        put: (the file, texts by name) -> the file with them.
        get: a file -> the texts by name that are in it.
    """

    put: Callable[[bytes, Mapping[str, str]], bytes]
    get: Callable[[bytes], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Exporter:
    """A format of files.

    Args:
        write: (network in evaluation mode on the CPU, its input with two examples) -> the file. The number of examples
            must stay free, but for `examples`. The network is left as it was.
        run: (the file, an input as numpy arrays) -> the output, by the runtime that the file is for; None where nothing
            can run it. A missing library is an ImportError.
        hint: how a person opens the file, with `{path}` in it; "" where nothing is to be said.
        labels: how metadata get into the file (the classes, and where the network is from); None where they cannot.
        backends: those of a target that run such a file, by their names in a config.
        loaded: the file -> what these backends load: the file itself, or a module.
        examples: how many a file takes; None: any number, which must stay free when it is written.
        int8: (network, its file, batches of inputs as numpy arrays to calibrate by) -> the file in 8 bits; None where
            the format has none.
        session: the file -> what runs it as often as one likes, of a format with `int8`.

    Raises:
        ValueError: the hint has another field than `{path}`.
    """

    write: Callable[[nn.Module, Any], bytes]
    run: Callable[[bytes, Any], Array] | None = None
    hint: str = ""
    labels: Labels | None = None
    backends: tuple[str, ...] = ()
    loaded: Callable[[bytes], Any] = bytes
    examples: int | None = None
    int8: Callable[[nn.Module, bytes, Any], bytes] | None = None
    session: Callable[[bytes], Callable[[Any], Array]] | None = None

    def __post_init__(self) -> None:
        try:
            self.hint.format(path="")
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            raise ValueError(
                f"the hint {self.hint!r} has another field than {{path}}: {describe_error(error)}"
            ) from None


def shipped(prepare: nn.Module, network: nn.Module, finish: nn.Module | None = None) -> nn.Module:
    """A copy of them as one network, in evaluation mode on the CPU."""
    return Shipped(*copy.deepcopy((prepare, network, finish))).cpu().eval()


def written(
    exporter: Exporter, network: nn.Module, x: Any, labels: Mapping[str, str] | None = None
) -> tuple[bytes, str]:
    """The file, which computes what the network does.

    Args:
        exporter: of the format.
        network: in evaluation mode on the CPU.
        x: its input with two examples, tensors on the CPU.
        labels: texts by name that the file is to hold, where its format can.

    Returns:
        The file, and one line that says how its output was checked, or why it was not.

    Raises:
        UserError: the network cannot be converted, a library is missing, or the file computes something else.
    """
    try:
        file = exporter.write(network, x)
    except ImportError as error:
        raise UserError(f"export: {error}") from None
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"export: the network cannot be converted: {reason(error)}") from error
    if not isinstance(file, bytes) or not file:
        what = "nothing" if file == b"" else type(file).__name__
        raise UserError(f"export: write gave {what}, not bytes")
    file = labelled(exporter, file, labels or {})
    return file, _checked(exporter, file, network, x)


def labelled(exporter: Exporter, file: bytes, labels: Mapping[str, str]) -> bytes:
    """The file with texts by name, where its format can hold them.

    Raises:
        UserError: they cannot be put into it.
    """
    if not labels or exporter.labels is None:
        return file
    try:
        return exporter.labels.put(file, labels)
    except Exception as error:
        raise UserError(f"export: the metadata cannot be put into the file: {describe_error(error)}") from error


def _checked(exporter: Exporter, file: bytes, network: nn.Module, x: Any) -> str:
    """By as many examples as it was not written with, and by one alone, of which numbers have the other sign."""
    if exporter.run is None:
        return "weights alone, which nothing runs: not checked"
    batches = [mapped(lambda part: torch.cat([part, part[:1]]), x)]
    if exporter.examples is None:
        batches.append(mapped(lambda part: -part[:1] if part.is_floating_point() else part[:1], x))
    off = 0.0
    for batch in batches:
        try:
            off = max(off, _difference(exporter, file, network, batch))
        except ImportError as error:
            return f"not checked: {error}"
        if off > TOLERANCE:
            raise UserError(f"export: the file's output differs by {off:.2g} of the largest; {TOLERANCE:g} is allowed")
    return f"its output differs by {off:.1g} of the largest from the network's ({TOLERANCE:g} is allowed)"


def _difference(exporter: Exporter, file: bytes, network: nn.Module, x: Any) -> float:
    """Largest difference of the file's output, as a share of the largest output; infinite where it is no number.

    Raises:
        ImportError: a library is missing.
        UserError: the file does not run, or gives no output of this shape.
    """
    try:
        found = exporter.run(file, mapped(lambda part: part.numpy(), x)) if exporter.run else None
    except ImportError:
        raise
    except Exception as error:
        raise UserError(f"export: the file does not run: {_refused(exporter, network, x, error)}") from error
    with torch.no_grad():
        expected = called(network, x).numpy()
    if not isinstance(found, np.ndarray):
        raise UserError(f"export: run of the exporter gave a {type(found).__name__}, not the output as an array")
    if found.shape != expected.shape:
        of = counted(len(expected), "example")
        raise UserError(f"export: the file's output for {of} has the shape {found.shape}, not {expected.shape}")
    off = float(np.abs(found - expected).max()) / (float(np.abs(expected).max()) or 1.0)
    return off if np.isfinite(off) else float("inf")


def _refused(exporter: Exporter, network: nn.Module, x: Any, error: Exception) -> str:
    """Why a runtime does not run a file: by the call of the network that it is about, where that is found."""
    one = mapped(lambda part: part[: exporter.examples], x)
    tried = (unloadable(backend, network, one, error) for backend in exporter.backends)
    found = next(filter(None, tried), None)
    return reason(found) if found else describe_error(error)


def in_words(x: Any, examples: int | None = None) -> str:
    """What a network takes in, for people: "uint8 (N, 1, 8, 8)", "image: float32 (N, 3), tokens: int64 (N, 6)"; a
    number in the place of N where it is the only one."""
    shapes = {name: shape_of(part).replace("N", str(examples or "N"), 1) for name, part in named(x).items()}
    kinds = {name: f"{str(part.dtype).removeprefix('torch.')} {shapes[name]}" for name, part in named(x).items()}
    return ", ".join(f"{name}: {kind}" for name, kind in kinds.items()) if isinstance(x, Mapping) else kinds["input"]


def shape_of(part: Tensor) -> str:
    """The shape of a tensor, whose first axis are the examples: "(N, 1, 8, 8)"."""
    return f"({', '.join(['N', *map(str, part.shape[1:])])})"


def named(x: Any) -> dict[str, Tensor]:
    """The inputs by name; a single one is `input`."""
    return dict(x) if isinstance(x, Mapping) else {"input": x}


class InOrder(nn.Module):
    """A network of one input, called as one of several is."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *parts: Tensor) -> Any:
        return self.network(*parts)
