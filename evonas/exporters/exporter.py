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
from evonas.tasks.shipped import Shipped
from evonas.text import describe_error

Array = npt.NDArray[Any]
TOLERANCE = 1e-3
"""Largest difference of an exported network's output, as a share of the largest output, in float32."""


@dataclass(frozen=True, slots=True)
class Exporter:
    """A format of files.

    Args:
        write: (network in evaluation mode on the CPU, its input with two examples) -> the file. The number of examples
            must stay free. The network is left as it was.
        run: (the file, an input as numpy arrays) -> the output, by the runtime that the file is for; None where nothing
            can run it. A missing library is an ImportError.
        hint: how a person opens the file, with `{path}` in it; "" where nothing is to be said.

    Raises:
        ValueError: the hint has another field than `{path}`.
    """

    write: Callable[[nn.Module, Any], bytes]
    run: Callable[[bytes, Any], Array] | None = None
    hint: str = ""

    def __post_init__(self) -> None:
        try:
            self.hint.format(path="")
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            raise ValueError(
                f"the hint {self.hint!r} has another field than {{path}}: {describe_error(error)}"
            ) from None


def shipped(prepare: nn.Module, network: nn.Module) -> nn.Module:
    """A copy of both as one network, in evaluation mode on the CPU."""
    return Shipped(copy.deepcopy(prepare), copy.deepcopy(network)).cpu().eval()


def written(exporter: Exporter, network: nn.Module, x: Any) -> tuple[bytes, str]:
    """The file, which computes what the network does.

    Args:
        exporter: of the format.
        network: in evaluation mode on the CPU.
        x: its input with two examples, tensors on the CPU.

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
        raise UserError(f"export: the network cannot be converted: {describe_error(error)}") from error
    if not isinstance(file, bytes) or not file:
        what = "nothing" if file == b"" else type(file).__name__
        raise UserError(f"export: write gave {what}, not bytes")
    return file, _checked(exporter, file, network, x)


def _checked(exporter: Exporter, file: bytes, network: nn.Module, x: Any) -> str:
    if exporter.run is None:
        return "weights alone, which nothing runs: not checked"
    three = mapped(lambda part: torch.cat([part, part[:1]]), x)  # as many as it was not written with
    try:
        found = exporter.run(file, mapped(lambda part: part.numpy(), three))
    except ImportError as error:
        return f"not checked: {error}"
    except Exception as error:
        raise UserError(f"export: the file does not run: {describe_error(error)}") from error
    with torch.no_grad():
        expected = called(network, three).numpy()
    largest = float(np.abs(expected).max()) or 1.0
    if not isinstance(found, np.ndarray):
        raise UserError(f"export: run of the exporter gave a {type(found).__name__}, not the output as an array")
    if found.shape != expected.shape:
        raise UserError(f"export: the file's output for 3 examples has the shape {found.shape}, not {expected.shape}")
    off = float(np.abs(found - expected).max()) / largest
    if not off <= TOLERANCE:
        raise UserError(f"export: the file's output differs by {off:.2g} of the largest; {TOLERANCE:g} is allowed")
    return f"its output differs by {off:.1g} of the largest from the network's"


def named(x: Any) -> dict[str, Tensor]:
    """The inputs by name; a single one is `input`."""
    return dict(x) if isinstance(x, Mapping) else {"input": x}
