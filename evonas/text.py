"""One line of text that a table, a terminal and a log can hold, whatever it was made from."""

import re

LONGEST = 500
_STEERING = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\-_])")


UNITS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
}
"""Name -> seconds."""


def one_line(text: str) -> str:
    """The text without line breaks, control characters and what steers a terminal, and no longer than `LONGEST`."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in _STEERING.sub("", text[: 4 * LONGEST])).split())
    return clean if len(clean) <= LONGEST else clean[: LONGEST - 1] + "…"


def counted(number: int, noun: str) -> str:
    """A number with its noun, in the plural where that takes an s: "1 network", "1,200 networks"."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def figures(value: float) -> str:
    """A number for people: whole ones in full, others to four digits."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"


def clock(seconds: float) -> str:
    """Hours, minutes and seconds as H:MM:SS, or M:SS below an hour."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def printable_lines(text: str) -> str:
    """The lines of a text as a terminal would leave them, and nothing that steers one.

    Colours and the like are left out; of a line that was written over, as a progress bar is, the last state stays.
    """
    lines = (_STEERING.sub("", line).rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return "\n".join("".join(c if c.isprintable() or c == "\t" else " " for c in line).rstrip() for line in lines)


def error_text(error: BaseException) -> str:
    """What an exception says of itself; its `__str__` may be the user's and fail too."""
    try:
        message = isinstance(error, KeyError) and len(error.args) == 1 and "\n\n" in str(error.args[0])
        return str(error.args[0] if message else error)  # a KeyError quotes what it was given, as a key
    except BaseException as second:
        return f"its text cannot be shown: {type(second).__name__}"


def describe_error(error: BaseException) -> str:
    """The type and the first line of the text."""
    first = error_text(error).strip().splitlines()[:1]
    return one_line(": ".join([type(error).__name__, *first]))


def seconds_of(text: str) -> float:
    """A length of time as people write it.

    Args:
        text: numbers with units, such as "90 s", "10 min", "1.5 hours", "1 h 30 min", "2 days", or "1:30 h".

    Returns:
        Seconds.

    Raises:
        ValueError: it is not; says what would be.
    """
    clock = re.fullmatch(r"(\d+):([0-5]\d) ?(?:h|hours?)", text.strip())
    if clock:
        return 3600.0 * int(clock[1]) + 60.0 * int(clock[2])
    parts = re.findall(r"\s*(\d+(?:\.\d+)?) ?([a-z]+)\s*", text)
    known = all(unit in UNITS for _, unit in parts)
    if not parts or not known or re.sub(r"\s*(\d+(?:\.\d+)?) ?([a-z]+)\s*", "", text):
        raise ValueError(f"a time is 90 s, 10 min, 1:30 h or 2 days, not {text!r}")
    return sum(float(number) * UNITS[unit] for number, unit in parts)


def in_time(seconds: float) -> str:
    """A length of time for people, in the largest unit of which it has one: "10 min", "1.5 h"."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= (2 if unit == "days" else 1) * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"


def in_usd(usd: float) -> str:
    """US dollars for people: "$50", "$3.21", "$0.0123"."""
    if usd == int(usd):
        return f"${usd:,.0f}"
    return f"${usd:,.2f}" if usd >= 1 else f"${float(f'{usd:.3g}'):.10f}".rstrip("0")
