"""A name that does not exist, and the nearest one that does."""

import difflib
from collections.abc import Iterable


def unknown(name: str, known: Iterable[str]) -> str:
    """One line for a name that does not exist, with the nearest one that does."""
    names = sorted(known)
    near = difflib.get_close_matches(name, [other for other in names if other != name], n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown {name!r}{hint} (known: {', '.join(names)})"
