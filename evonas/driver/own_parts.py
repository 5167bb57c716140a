"""An exception in a part of the user's own that the driver calls, as one line that ends the search."""

from collections.abc import Iterator
from contextlib import contextmanager

from evonas.code_owner import place_of
from evonas.errors import Halted, UserError
from evonas.strategies import Exhausted
from evonas.text import describe_error


@contextmanager
def calling(part: str, method: str) -> Iterator[None]:
    """For the time of a call into what may be the user's own. Exceptions of evonas's own code pass.

    Args:
        part: What is called, e.g. "strategy nsga2".
        method: Which of its methods, and of what, e.g. "ask for candidate 3".

    Raises:
        Halted: The call raised, in a file of the user's own; the exception is its cause.
    """
    try:
        yield
    except (Exhausted, Halted, UserError):
        raise
    except Exception as error:
        if not (place := place_of(error)):
            raise
        raise Halted(f"{part}: {method} raises {describe_error(error)}{place}") from error
