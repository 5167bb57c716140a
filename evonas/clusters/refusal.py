"""What a cloud refuses, as one line."""

from collections.abc import Iterator
from contextlib import contextmanager

from evonas.errors import UserError
from evonas.text import one_line

_CLOUDS = ("botocore", "boto3", "googleapiclient", "google.auth")


@contextmanager
def refusals() -> Iterator[None]:
    """Makes a cloud's own errors a `UserError`.

    Raises:
        UserError: The cloud, or the way to it, has refused something; its words.
    """
    try:
        yield
    except Exception as error:
        if not type(error).__module__.startswith(_CLOUDS):
            raise
        raise UserError(one_line(str(error))) from error
