"""What a cloud refuses, as one line."""

from collections.abc import Iterator
from contextlib import contextmanager

from evonas.errors import UserError
from evonas.text import one_line

_CLOUDS = ("botocore", "boto3", "googleapiclient", "google.auth")


@contextmanager
def refusals(place: str = "") -> Iterator[None]:
    """Makes a cloud's own errors a `UserError`.

    Args:
        place: of the cloud that is asked, which the line begins with.

    Raises:
        UserError: The cloud, or the way to it, has refused something; its words.
    """
    try:
        yield
    except Exception as error:
        if not type(error).__module__.startswith(_CLOUDS):
            raise
        raise UserError(f"{place}{': ' * bool(place)}{one_line(str(error))}") from error
