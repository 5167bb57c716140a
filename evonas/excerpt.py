"""The beginning and the end of a long text, which say most: what started it, and how it ended."""

import re

MOST_BYTES = 2**16
"""Of what one candidate printed."""
_MARK = re.compile(rb"\n?\.\.\. ([\d,]+) bytes left out \.\.\.\n")


class Excerpt:
    """Takes a text without end and keeps its beginning and its end, in so many bytes that it never takes more memory.

    Args:
        most: Bytes that are kept: a quarter from the beginning, the rest from the end.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._first, self._last = _parts(most)
        self._head, self._tail = bytearray(), bytearray()
        self._left_out = 0

    def add(self, data: bytes) -> None:
        """Takes what comes next."""
        room = self._first - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 2 * self._last:  # now and then, so that little is moved
            self._cut()

    def data(self) -> bytes:
        """Returns what is kept, with a line between the parts that says how many bytes are left out."""
        self._cut()
        if not self._left_out:
            return bytes(self._head + self._tail)
        return b"%s\n... %s bytes left out ...\n%s" % (self._head, f"{self._left_out:,}".encode(), self._tail)

    def _cut(self) -> None:
        more = max(0, len(self._tail) - self._last)
        del self._tail[:more]
        self._left_out += more


def shortened(text: str, most: int = MOST_BYTES) -> str:
    """The beginning and the end of a text that may have been shortened before.

    Args:
        text: Any.
        most: Bytes that are kept, the line between the parts aside.

    Returns:
        The text; in the place of its middle, where it is longer, a line that says how many bytes are left out.
    """
    data = text.encode(errors="backslashreplace")
    if len(data) <= most:
        return data.decode()
    first, last = _parts(most)
    middle = data[first : len(data) - last]
    before = [(mark.group(), int(mark[1].replace(b",", b""))) for mark in _MARK.finditer(middle)]
    left_out = len(middle) + sum(count - len(line) for line, count in before)
    head, tail = data[:first].decode(errors="ignore"), data[len(data) - last :].decode(errors="ignore")
    return f"{head}\n... {left_out:,} bytes left out ...\n{tail}"


def _parts(most: int) -> tuple[int, int]:
    return most // 4, most - most // 4
