"""How the characters of a CSV file are written: by its option, its first bytes, or what it looks like."""

import codecs
import re
from pathlib import Path

from evonas.errors import UserError

EXCEL = "cp1252"
"""What Excel writes where it does not write UTF-8: Windows-1252, of which Latin-1 is a part."""
LOOKED_AT = 400
"""Bytes at the start of a file."""
OTHERS = "utf-8, cp1252, utf-16, utf-16-le, mac-roman or another name of Python"
"""Encodings that a message names."""


def checked(encoding: str) -> str:
    """An option `encoding`; "" for none.

    Raises:
        UserError: there is none of that name.
    """
    try:
        return codecs.lookup(encoding).name if encoding else ""
    except LookupError:
        raise UserError(f"task.encoding: there is no encoding {encoding!r}; give {OTHERS}") from None


def by_start(file: Path) -> str:
    """The encoding that the first bytes tell, which is UTF-16; else ""."""
    with open(file, "rb") as opened:
        start = opened.read(LOOKED_AT)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    even, odd = start[::2].count(0), start[1::2].count(0)
    if 4 * max(even, odd) > len(start):
        return "utf-16-le" if odd > even else "utf-16-be"
    return ""


def first_line(file: Path, encoding: str) -> str:
    """Without the mark of the order of bytes."""
    with open(file, encoding=encoding, errors="surrogateescape") as text:
        return text.readline().removeprefix("\ufeff")


def head_is_utf8(file: Path) -> bool:
    """Whether the first line is, with which the rest can be read."""
    return not _escaped(first_line(file, "utf-8"))


def excel(file: Path) -> tuple[str, str]:
    """The encoding of a file that is not UTF-8, and a note that says so with a word of it.

    Raises:
        UserError: it is UTF-8 in other places, or holds bytes that Windows-1252 has not.
    """
    word, unlike = (
        "",
        UserError(f"task.path: {file} is neither UTF-8 nor Windows-1252; say what it is: task.encoding ({OTHERS})"),
    )
    with open(file, encoding="utf-8", errors="surrogateescape") as text:
        for number, line in enumerate(text, 1):
            escaped = _escaped(line)
            if any(character > "\x7f" and character not in escaped for character in line.removeprefix("\ufeff")):
                raise UserError(
                    f"task.path: {file} is UTF-8 in some places and not in others, as in line {number:,}; save it as "
                    f"UTF-8, or say what it is: task.encoding ({OTHERS})"
                )
            if escaped:
                try:
                    own = line.encode("utf-8", "surrogateescape").decode(EXCEL)
                except UnicodeDecodeError:
                    raise unlike from None
                word = word or _word(own)
    return EXCEL, f"{file.name} is not UTF-8; it is read as Windows-1252, as in {word!r}; else: task.encoding"


def wrong_encoding(file: Path, encoding: str, guessed: bool = False) -> UserError:
    """What to say of a file of another encoding than the one that was given, or guessed by its first bytes."""
    if guessed:
        return UserError(
            f"task.path: {file} begins as {encoding} and is none; say what it is: task.encoding ({OTHERS})"
        )
    return UserError(f"task.encoding: {file} is not {encoding}; leave it out, or give {OTHERS}")


def _escaped(line: str) -> set[str]:
    """Its bytes that are no UTF-8."""
    return {character for character in line if "\udc80" <= character <= "\udcff"}


def _word(line: str) -> str:
    """The first word that is not of ASCII alone."""
    found: str = next(word for word in re.findall(r"[^\s;,\"|]+", line) if not word.isascii())
    return found[:30]
