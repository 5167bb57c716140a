"""One line of text that a table, a terminal and a log can hold, whatever it was made from."""

LONGEST = 500


def one_line(text: str) -> str:
    """The text without line breaks and control characters, and no longer than `LONGEST`."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * LONGEST]).split())
    return clean if len(clean) <= LONGEST else clean[: LONGEST - 1] + "…"


def error_text(error: BaseException) -> str:
    """What an exception says of itself; its `__str__` may be the user's and fail too."""
    try:
        return str(error)
    except BaseException as second:
        return f"its text cannot be shown: {type(second).__name__}"


def describe_error(error: BaseException) -> str:
    """The type and the first line of the text."""
    first = error_text(error).strip().splitlines()[:1]
    return one_line(": ".join([type(error).__name__, *first]))
