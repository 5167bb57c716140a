"""How far the decoding of pictures is, on the standard error."""

import shutil
import sys
import time
from typing import Protocol

from evonas.tasks.class_folders import count
from evonas.text import clock

REFRESH_S = 0.5
"""Between two states of a line that is written over."""


class Progress(Protocol):
    """Is told how far decoding is."""

    def begin(self, what: str, total: int, already: int = 0) -> None:
        """So many pictures are to be decoded, of which some were before."""

    def done(self, number: int) -> None:
        """So many are decoded by now."""

    def say(self, text: str) -> None:
        """A line that stays."""


class Silent:
    """Says nothing, as in workers, where nobody would see it."""

    def begin(self, what: str, total: int, already: int = 0) -> None:
        pass

    def done(self, number: int) -> None:
        pass

    def say(self, text: str) -> None:
        pass


class Spoken:
    """One line that is written over in a terminal; elsewhere a line at the start, and those that stay.

    Args:
        noun: what is decoded, in the singular.
    """

    def __init__(self, noun: str = "picture") -> None:
        self._noun = noun
        self._over = sys.stderr.isatty()
        self._total = self._already = 0
        self._began = self._next = 0.0

    def begin(self, what: str, total: int, already: int = 0) -> None:
        self._total, self._already, self._began = total, already, time.monotonic()
        self._next = 0.0
        went_on = f", {already:,} of them were before an interruption" if already else ""
        if not self._over:
            self.say(f"decoding {count(total, self._noun)} of {what}{went_on}")

    def done(self, number: int) -> None:
        now = time.monotonic()
        if not self._over or now < self._next:
            return
        self._next = now + REFRESH_S
        spent, new = now - self._began, number - self._already
        left = f", {clock(spent / new * (self._total - number))} left" if new else ""
        text = f"decoding {self._noun}s: {number:,}/{self._total:,}, {clock(spent)} elapsed{left}"
        print(f"\r\x1b[2K{text[: shutil.get_terminal_size().columns - 1]}", end="", file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        shown = "".join(c if c.isprintable() else " " for c in text)
        start = "\r\x1b[2K" if self._over else ""
        print(f"{start}{shown}", file=sys.stderr, flush=True)
