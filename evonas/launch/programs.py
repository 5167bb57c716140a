"""Programs of others, called with lists of words: no shell reads them, so that they mean the same everywhere."""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from evonas.errors import Halted, UserError


def find(name: str) -> str | None:
    """Where a program is: in the PATH, or beside this Python, as `ray` in an environment that is not active."""
    beside = Path(sys.executable).parent / name
    return shutil.which(name) or (str(beside) if beside.is_file() else None)


def run(*words: str) -> None:
    """Says a line and runs it in this terminal.

    Raises:
        UserError: There is no such program.
        Halted: It ended badly.
    """
    print(f"$ {shlex.join(words)}", flush=True)
    if code := subprocess.run(_found(words), check=False).returncode:
        said = [words[0], *(word for word in words[1:] if not word.startswith("-"))]
        ended = f"{' '.join(said[:2])} ended with status {code}, and has said why above"
        raise Halted(f"{ended}; when that is mended, the same line goes on")


def ask(*words: str, text: str | None = None) -> tuple[int, str]:
    """Runs a program unseen.

    Args:
        words: its line.
        text: what it reads.

    Returns:
        Its exit status, and what it said: where it ended badly, the last line of its errors.
    """
    code, said, errors = unseen(*words, text=text)
    return code, reasons(code, errors)[-1] if code else said


def unseen(*words: str, text: str | None = None) -> tuple[int, str, list[str]]:
    """Runs a program unseen.

    Args:
        words: its line.
        text: what it reads.

    Returns:
        Its exit status, what it said, and the lines of its errors.
    """
    # A question that nobody sees, as gcloud's whether an API may be switched on, finds nobody there and does not wait.
    done = subprocess.run(
        _found(words), capture_output=True, text=True, errors="replace", check=False, input=text or ""
    )
    return done.returncode, done.stdout.strip(), done.stderr.strip().splitlines()


def reasons(code: int, errors: Sequence[str]) -> list[str]:
    """Why a program that has run unseen ended badly, a line each; none where it did not."""
    return list(dict.fromkeys(errors or ["nothing was said"])) if code else []


def answer(*words: str, text: str | None = None) -> str:
    """What a program says.

    Raises:
        UserError: It says no.
    """
    code, said = ask(*words, text=text)
    if code:
        raise UserError(f"{shlex.join(words)}: {said}")
    return said


def absent(*names: str) -> list[str]:
    """A line for each program that is not there."""
    return [f"{name}: no such program in the PATH" for name in names if not find(name)]


def _found(words: Sequence[str]) -> list[str]:
    program = find(words[0])
    if program is None:
        raise UserError(f"{words[0]}: no such program in the PATH")
    return [program, *words[1:]]
