"""Checks that the constructors of spaces share. Every error is one line that begins with the option's name."""

from collections.abc import Sequence
from typing import TypeVar

from evonas.inputs import in_words
from evonas.records import InputSpec, TaskSpec
from evonas.spaces.genes import Choice

T = TypeVar("T")


def at_least(name: str, value: int, least: int) -> int:
    if value < least:
        raise ValueError(f"{name}: takes {least} or more, not {value}")
    return value


def listed(name: str, values: int | Sequence[int], least: int = 1) -> tuple[int, ...]:
    """One or several different whole numbers, each at least `least`."""
    numbers = (values,) if isinstance(values, int) else tuple(values)
    if not numbers or len(set(numbers)) < len(numbers) or min(numbers) < least:
        raise ValueError(f"{name}: takes different whole numbers of {least} or more, not {list(numbers)}")
    return numbers


def image_shape(kind: str, task: TaskSpec) -> tuple[int, int, int]:
    """(channels, height, width) of a task's inputs, or a ValueError."""
    if not isinstance(task.input, InputSpec) or len(task.input.shape) != 3 or task.input.is_integer:
        raise ValueError(
            f"{kind} builds networks for images (channels, height, width), not for inputs of {in_words(task.input)}"
        )
    channels, height, width = task.input.shape
    return channels, height, width


def check_cuts(name: str, values: Sequence[int], size: Sequence[int]) -> None:
    """That an input (channels, *size) can be cut into parts of so many places each way: of a larger one the rest would
    be zeros.

    Raises:
        ValueError: some of the values are larger than the input.
    """
    least = min(size)
    if wrong := [value for value in values if value > least]:
        shape = " x ".join(map(str, size)) + (" places" if len(size) == 1 else "")
        raise ValueError(f"{name}: {', '.join(map(str, wrong))}: larger than an input of {shape}; take {least} or less")


def beyond(name: str, values: Sequence[int], most: int, what: str) -> list[str]:
    """A sentence for people about those of an option's values that are larger than their input; none where none is.

    Args:
        name: of the option.
        values: of it.
        most: the largest that is not.
        what: becomes of those that are.
    """
    found = ", ".join(str(value) for value in values if value > most)
    return [f"space: {name}: {found}: {what}"] * bool(found)


def beyond_halving(stages: int, size: Sequence[int], halved: int = 0) -> list[str]:
    """A sentence where later stages find pictures too small to halve; none where each halves them.

    Args:
        stages: of a network at most; each but the first halves height and width, down to 2 pixels.
        size: of pictures.
        halved: how often the network halves them before the first stage, at least.
    """
    left = -(-max(size) // 2**halved)
    most = max(1, (left - 1).bit_length())
    what = (
        f"pictures of {size[0]} x {size[1]} have 2 pixels a side, or fewer, from stage {most} on, and stay so behind it"
    )
    return beyond("stages", [stages], most, what)


def values_of(leaves: Sequence[tuple[str, Choice]], name: str) -> list[int]:
    """The whole numbers that genes of this name may be, in order.

    Args:
        leaves: of a space.
        name: the last part of a gene's, or the whole.
    """
    own = [leaf for full, leaf in leaves if full == name or full.endswith(f".{name}")]
    return sorted({value for leaf in own for value in leaf.values if isinstance(value, int)})


def some(name: str, values: Sequence[T], known: Sequence[T]) -> tuple[T, ...]:
    """One or more different values of those known."""
    if not values or len(set(values)) < len(values) or not set(values) <= set(known):
        raise ValueError(f"{name}: takes different ones of {', '.join(map(str, known))}, not {list(values)}")
    return tuple(values)


def shares(name: str, values: Sequence[float]) -> tuple[float, ...]:
    """One or more shares from 0 to below 1."""
    if not values or not all(0 <= share < 1 for share in values):
        raise ValueError(f"{name}: takes shares from 0 to below 1, not {list(values)}")
    return tuple(values)


def positive(name: str, values: Sequence[float]) -> tuple[float, ...]:
    """One or several different numbers above 0."""
    if not values or len(set(values)) < len(values) or not all(0 < value < float("inf") for value in values):
        raise ValueError(f"{name}: takes different numbers above 0, not {list(values)}")
    return tuple(values)


def first_and_last(name: str, counts: tuple[int, int], least: int = 1) -> tuple[int, int]:
    """The least and the largest number of something, of `least` or more."""
    if not least <= counts[0] <= counts[1]:
        raise ValueError(f"{name}: takes the least, of {least} or more, and the largest number, not {list(counts)}")
    return counts


def per_stage(name: str, given: Sequence[int] | Sequence[Sequence[int]], stages: int) -> list[tuple[int, ...]]:
    """Values of each stage, from one list for all or a list for each."""
    lists = [item for item in given if not isinstance(item, int)]
    if not lists:
        return [listed(name, [item for item in given if isinstance(item, int)])] * stages
    if len(lists) != len(given) or len(lists) != stages:
        raise ValueError(f"{name}: takes one list of channels, or {stages} such lists, one a stage")
    return [listed(name, own) for own in lists]
