"""Checks that the constructors of spaces share. Every error is one line that begins with the option's name."""

from collections.abc import Sequence
from typing import TypeVar

from evonas.inputs import in_words
from evonas.records import InputSpec, TaskSpec

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
