"""Checks that the constructors of spaces share. Every error is one line that begins with the option's name."""

from collections.abc import Sequence

from evonas.inputs import in_words
from evonas.records import InputSpec, TaskSpec


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
