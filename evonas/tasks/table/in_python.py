"""What is said of a table that was given in Python, where there is neither a config nor a path."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from evonas.errors import UserError

KEY = re.compile(r"\btask\.(\w+)")


@contextmanager
def said_of(what: str) -> Iterator[None]:
    """Errors in the block name what was given and not keys of a config.

    Args:
        what: was given.

    Raises:
        UserError: the block does.
    """
    try:
        yield
    except UserError as error:
        text = str(error).removeprefix("task.path: ")
        raise UserError(f"{what}: {in_python(text)}") from None


def in_python(text: str) -> str:
    """A line whose keys of a config are the arguments of a function.

    Args:
        text: with keys such as task.label.
    """
    return KEY.sub(r"\1", text)
