"""Steps of an end, of which one that fails keeps no other."""

from collections.abc import Callable

from evonas.clusters.refusal import refusals
from evonas.errors import UserError


def each(*steps: Callable[[], object]) -> None:
    """Takes one step after the other, also where one before has failed.

    Args:
        steps: each asks a cloud for something.

    Raises:
        UserError: Some have failed; with all that was said.
    """
    if faults := [fault for step in steps if (fault := failure(step))]:
        raise UserError("; ".join(dict.fromkeys(faults)))


def failure(step: Callable[[], object]) -> str:
    """Why a step has failed, as one line; empty where it has not."""
    try:
        with refusals():
            step()
    except (UserError, OSError) as error:
        return str(error)
    return ""
