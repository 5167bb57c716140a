"""A document -> one HTML page that loads nothing, and runs no script but its own."""

import base64
import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Any

from evonas import atomic_files
from evonas.errors import UserError
from evonas.report.data import document
from evonas.runs.run import Run

NAME = "report.html"


def write(run: Run, out: str | Path | None = None) -> Path:
    """The page of a run as a file. out: default report.html in the run folder, or here where that is a URL.

    Raises:
        UserError: it cannot be written there.
    """
    local = "://" not in str(run.folder)
    path = Path(out) if out else Path(str(run.folder)) / NAME if local else Path(NAME)
    text = page(to_json(document(run)))
    try:
        atomic_files.replace(path, text.encode())
    except OSError as error:
        raise UserError(f"--out {path}: {error.strerror or error}") from None
    return path


def page(data: str, follow: bool = False) -> str:
    """The HTML. data: of `to_json`; follow: it asks its server for newer data again and again."""
    style, script = (resources.files(__package__).joinpath(name).read_text("utf-8") for name in ("page.css", "page.js"))
    parts = {
        "@POLICY@": policy(style, script, follow),
        "@FOLLOW@": "yes" if follow else "no",
        "@STYLE@": style,
        "@SCRIPT@": script,
        "@DATA@": data,  # last: nothing is replaced inside it
    }
    text = resources.files(__package__).joinpath("page.html").read_text("utf-8")
    for name, part in parts.items():
        text = text.replace(name, part)
    return text


def policy(style: str, script: str, follow: bool) -> str:
    """A content security policy: the two parts of the page itself by their digests, and nothing else."""
    own = f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; img-src data:"
    connect = "; connect-src 'self'" if follow else ""
    return f"{own}; base-uri 'none'; form-action 'none'{connect}"


def to_json(data: dict[str, Any]) -> str:
    """JSON in ASCII that can stand inside a script element: no `<` ends it, no U+2028 breaks a line."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
