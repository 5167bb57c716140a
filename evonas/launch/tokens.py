"""The token without which nobody gives the clusters orders, where the launch files take it from."""

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evonas.errors import UserError

_VARIABLES = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN")


def token_file() -> Path:
    """Where it is: in a folder that the user alone can enter."""
    return Path.home() / ".evonas-cluster" / "auth" / "token"


def token() -> str:
    """The token, made if there is none.

    The folder inside can be read by all because it is copied to the machines as it is, where Ray's user in the
    container need not have the number of the machine's.
    """
    path = token_file()
    if not path.exists():
        path.parent.parent.mkdir(mode=0o700, exist_ok=True)
        path.parent.mkdir(mode=0o755, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32))
        path.chmod(0o644)
    if not (found := path.read_text().strip()):
        raise UserError(f"{path} is empty: remove it, and a new token is made")
    return found


def kept_token(what: str) -> list[str]:
    """A line that says what `down` leaves of a user's own, where a token was made; what: is there."""
    return [f"~/.evonas-cluster: {what}"] if token_file().exists() else []


def digest(text: str) -> str:
    """What tells a token from others and does not give it away."""
    return hashlib.sha256(text.strip().encode()).hexdigest()[:16]


def known_digest() -> str:
    """That of the token, which is not made for it; empty where there is none."""
    path = token_file()
    return digest(path.read_text()) if path.exists() else ""


@contextmanager
def token_known() -> Iterator[None]:
    """Has `evonas submit` and Ray's programs find it."""
    before = {name: os.environ.get(name) for name in _VARIABLES}
    os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=token())
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
