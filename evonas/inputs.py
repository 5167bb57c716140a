"""Inputs of networks: made up ones, which are the same on every machine, and the way a network takes them. Numpy only.

All made-up inputs come from here, because what is right for floats is wrong for tokens: those must lie below the size
of the vocabulary.
"""

from collections.abc import Callable, Mapping
from keyword import iskeyword
from typing import Any

import numpy as np
import numpy.typing as npt

from evonas.records import Inputs, InputSpec

Array = npt.NDArray[Any]


def example(inputs: Inputs, batch: int, seed: int = 0) -> Array | dict[str, Array]:
    """A made-up batch: floats are normally distributed, whole numbers uniform in what they can be.

    Args:
        inputs: one tensor or several by name.
        batch: number of examples.
        seed: another one gives another batch.

    Returns:
        (batch, *shape) in the dtype of the input, or such an array by name; the same on every machine.
    """
    if isinstance(inputs, InputSpec):
        return _drawn(inputs, batch, np.random.default_rng(seed))
    return {
        name: _drawn(spec, batch, np.random.default_rng([seed, i])) for i, (name, spec) in enumerate(inputs.items())
    }


def in_dtype(array: Array, dtype: str) -> Array:
    """An array in another precision; whole numbers stay as they are."""
    return array.astype(np.dtype(dtype)) if np.issubdtype(array.dtype, np.floating) else array


def mapped(function: Callable[[Any], Any], x: Any) -> Any:
    """`function` of a tensor, or of each tensor of a mapping."""
    return {name: function(part) for name, part in x.items()} if isinstance(x, Mapping) else function(x)


def called(network: Callable[..., Any], x: Any) -> Any:
    """What a network gives for its input: several tensors are its keyword arguments."""
    return network(**x) if isinstance(x, Mapping) else network(x)


def size(x: Any) -> int:
    """Examples in a batch."""
    return len(next(iter(x.values()))) if isinstance(x, Mapping) else len(x)


def to_plain(inputs: Inputs) -> dict[str, Any]:
    """As JSON has it."""
    if isinstance(inputs, InputSpec):
        return {"shape": list(inputs.shape), "dtype": inputs.dtype, "high": inputs.high}
    return {name: to_plain(spec) for name, spec in inputs.items()}


def from_plain(plain: Mapping[str, Any]) -> Inputs:
    """The reverse of `to_plain`.

    Args:
        plain: shape, dtype and high of one tensor, or of several by the names of arguments.

    Raises:
        ValueError: it is no description of inputs, or of impossible ones. The message is one line.
    """
    if isinstance(plain.get("shape"), list | tuple):
        return _spec(plain)
    if not plain:
        raise ValueError("a network takes one input or more")
    for name in plain:
        if not (isinstance(name, str) and name.isidentifier()) or iskeyword(name):
            raise ValueError(f"an input has the name of an argument, not {name!r}")
    return {name: _spec(part, f"{name}: ") for name, part in plain.items()}


def in_words(inputs: Inputs) -> str:
    """For people, and different for different inputs: "1 x 8 x 8", "tokens: 128 of int64 below 65"."""
    if isinstance(inputs, Mapping):
        return ", ".join(f"{name}: {in_words(spec)}" for name, spec in inputs.items())
    shape = " x ".join(map(str, inputs.shape)) or "a number"
    kind = "" if inputs.dtype == "float32" else f" of {inputs.dtype}"
    return f"{shape}{kind} below {inputs.high}" if inputs.is_integer else f"{shape}{kind}"


def _spec(plain: Any, what: str = "") -> InputSpec:
    match plain:
        case {"shape": list() | tuple() as shape, "dtype": str(dtype), "high": None | int() as high, **rest}:
            whole = all(type(length) is int for length in shape) and type(high) is not bool
            if whole and not rest:
                try:
                    return InputSpec(tuple(shape), dtype, high)
                except ValueError as error:
                    raise ValueError(f"{what}{error}") from None
    raise ValueError(f"{what}an input has a shape of whole numbers, dtype and high, not {str(plain)[:80]!r}")


def _drawn(spec: InputSpec, batch: int, rng: np.random.Generator) -> Array:
    shape = (batch, *spec.shape)
    values = 2 if spec.dtype == "bool" else spec.high
    drawn: Any = rng.integers(0, values, shape) if values else rng.standard_normal(shape)
    return np.ascontiguousarray(drawn, dtype=np.dtype(spec.dtype))
