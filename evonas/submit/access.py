"""What a cluster behind somebody else's proxy asks for: headers, and the authority that signed its certificate.

A value that is a secret is named by its variable or its file, so that no list of processes, history or log has it.
"""

import os
import re
import shlex
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evonas.errors import UserError

VARIABLE, FILE = "env:", "@"
NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
SECRET = re.compile(r"auth|token|secret|key|cookie|passw|credential|session|signature|jwt|assertion", re.IGNORECASE)
"""Of names whose values are none for a command line."""
OURS = {"host", "connection", "content-length", "content-type", "transfer-encoding"}


@dataclass(frozen=True, slots=True)
class Header:
    """A header of each request. source: `env:VARIABLE` or `@FILE`, where its value was; empty where it was given."""

    name: str
    value: str = field(repr=False)
    source: str = ""

    def in_shell(self) -> str:
        """Its value inside of double quotes of a shell."""
        if self.source.startswith(VARIABLE):
            return f"${self.source.removeprefix(VARIABLE)}"
        return f"$(cat {shlex.quote(self.source.removeprefix(FILE))})" if self.source else self.value


@dataclass(frozen=True, slots=True)
class Access:
    """headers: of each request. cacert: a file in PEM with the authorities that may have signed the certificate of an
    https:// address, empty for those that the machine knows."""

    headers: tuple[Header, ...] = ()
    cacert: str = ""

    @property
    def sent(self) -> Mapping[str, str]:
        """Name -> value."""
        return {header.name: header.value for header in self.headers}

    @property
    def has_authorization(self) -> bool:
        """Whether the header is taken in which Ray looks for its token first."""
        return any(header.name.lower() == "authorization" for header in self.headers)

    @property
    def in_the_open(self) -> list[str]:
        """The names of headers whose values stand in the list of processes."""
        return [header.name for header in self.headers if not header.source]

    def context(self) -> ssl.SSLContext:
        """Verifies certificates, always."""
        return ssl.create_default_context(cafile=self.cacert or None)

    def ray_job(self, words: str) -> str:
        """A line of `ray job` with the same: headers by its variable, which no list of processes shows."""
        pairs = ", ".join(f'\\"{header.name}\\": \\"{header.in_shell()}\\"' for header in self.headers)
        before = f'RAY_JOB_HEADERS="{{{pairs}}}" ' if pairs else ""
        return f"{before}{words}{f' --verify {shlex.quote(self.cacert)}' if self.cacert else ''}"


NOTHING = Access()


def access(headers: Sequence[str] = (), cacert: str | None = None) -> Access:
    """What `--header` and `--cacert` ask for.

    Args:
        headers: NAME=VALUE each, or NAME=env:VARIABLE, NAME=@FILE.
        cacert: A file in PEM.

    Raises:
        UserError: a header is none, its value is not there or should not be given so, or the file has no certificate.
    """
    found = tuple(map(_header, headers))
    names = [header.name.lower() for header in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"--header {twice[0]}: it is given twice")
    asked = Access(found, cacert or "")
    try:
        asked.context()
    except (OSError, ssl.SSLError) as error:
        why = "it has no certificate in PEM" if isinstance(error, ssl.SSLError) else error.strerror
        raise UserError(f"--cacert {cacert}: {why}") from None
    return asked


def _header(text: str) -> Header:
    name, mark, given = text.partition("=")
    if not mark or not NAME.fullmatch(name):
        raise UserError("--header takes NAME=env:VARIABLE, NAME=@FILE or, for what is no secret, NAME=VALUE")
    if name.lower() in OURS:
        raise UserError(f"--header {name}: it is not yours to give; evonas sets it itself")
    source = given if given.startswith((VARIABLE, FILE)) else ""
    if not source and SECRET.search(name):
        better = f"--header {name}=env:VARIABLE or --header {name}=@FILE"
        raise UserError(f"--header {name}: whoever is on this machine reads it in the list of processes; give {better}")
    value = _looked_up(name, source) if source else given
    if not value or not value.isascii() or not value.isprintable():
        raise UserError(f"--header {name}: its value must be one line of printable ASCII characters")
    return Header(name, value, source)


def _looked_up(name: str, source: str) -> str:
    if source.startswith(VARIABLE):
        variable = source.removeprefix(VARIABLE)
        if variable not in os.environ:
            raise UserError(f"--header {name}: there is no variable {variable}; export it")
        return os.environ[variable].strip()
    try:
        return Path(source.removeprefix(FILE)).expanduser().read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise UserError(f"--header {name}: {source.removeprefix(FILE)} cannot be read: {why}") from None
