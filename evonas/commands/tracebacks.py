"""The traceback behind an error's one line, for who asks for it."""

import os
import sys
import traceback

DEBUG = "EVONAS_DEBUG"
"""The variable of the environment that asks for it: set to anything."""


def wanted() -> bool:
    """Whether tracebacks are to be shown."""
    return bool(os.environ.get(DEBUG))


def show(error: BaseException) -> None:
    """Prints the traceback of an error, with what caused it, where that is asked for.

    Args:
        error: What ends the command.
    """
    if wanted():
        traceback.print_exception(error, file=sys.stderr)
