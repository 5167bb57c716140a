"""boto3's clients."""

import os
from functools import cache
from importlib import import_module
from threading import Lock
from typing import Any

from evonas.errors import UserError

CONNECT_S, READ_S = 10, 30
"""Of each of five tries; a region that is down is not to be waited for much longer."""
_IN_TURN = Lock()
"""Threads may share a client, and no session while it makes one."""


def client(service: str, region: str) -> Any:
    """A client of boto3, with the credentials that boto3 finds: one of each for all threads of this process.

    A session reads what it knows of a service anew, which takes longer than most answers, so there is one.

    Args:
        service: its name there, `ec2`.
        region: `us-west-2`.

    Raises:
        UserError: boto3 is not installed, or it finds no credentials.
    """
    with _IN_TURN:
        return _client(service, region, _surroundings())


def code(error: Exception) -> str:
    """The word by which AWS names an error: `InvalidGroup.NotFound`. Empty for what is none of AWS's."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def _surroundings() -> frozenset[tuple[str, str]]:
    """What boto3 finds its credentials by."""
    return frozenset((name, value) for name, value in os.environ.items() if name == "HOME" or name.startswith("AWS_"))


@cache
def _client(service: str, region: str, surroundings: frozenset[tuple[str, str]]) -> Any:
    session = _session(surroundings)  # says whether boto3 is there
    patience = import_module("botocore.config").Config(connect_timeout=CONNECT_S, read_timeout=READ_S)
    return session.client(service, region_name=region, config=patience)


@cache
def _session(_: frozenset[tuple[str, str]]) -> Any:
    try:
        session = import_module("boto3").Session()
    except ImportError:
        raise UserError("boto3 is missing: pip install boto3") from None
    if session.get_credentials() is None:
        raise UserError("no credentials of AWS: `aws configure`, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    return session
