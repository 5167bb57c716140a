"""What a library written in C++ says on the standard error of the process, where its exceptions say less."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

COLOUR = re.compile(r"\x1b\[[\d;]*m")
LOGGED = re.compile(r"^.*?\[[EWF]:[^\]]*\] *")
"""What ONNX Runtime puts before a message: the time, how bad it is, and where in its code."""
LONGEST_BYTES = 2**16


@contextmanager
def heard() -> Iterator[list[str]]:
    """Keep what is written to descriptor 2 in the block, by whom ever; others of this process write nothing then.

    Yields:
        A list that has the lines when the block is left.
    """
    lines: list[str] = []
    kept = os.dup(2)
    try:
        with tempfile.TemporaryFile() as file:
            os.dup2(file.fileno(), 2)
            try:
                yield lines
            finally:
                os.dup2(kept, 2)
                file.seek(0)
                text = COLOUR.sub("", file.read(LONGEST_BYTES).decode(errors="replace"))
                lines += filter(None, map(str.strip, text.splitlines()))
    finally:
        os.close(kept)


def reason(lines: list[str]) -> str:
    """The first line that tells of a failure, without what a log puts before it; empty where none does."""
    told = next((line for line in lines if "fail" in line.lower() or "error" in line.lower()), "")
    plain = LOGGED.sub("", told)
    return plain[max(0, plain.find("Failed to")) :]
