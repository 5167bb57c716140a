"""Numbers in a launch file that its user has changed."""


def number(found: object, what: str) -> float:
    """A number of a file.

    Args:
        found: what stands there.
        what: it is, for people.

    Raises:
        ValueError: It is none.
    """
    try:
        return float(str(found))
    except ValueError:
        raise ValueError(f"{what} is {found!r}, and is a number") from None
