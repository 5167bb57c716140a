"""Tables in Markdown."""

from collections.abc import Sequence


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in Markdown; what is in a cell stays on one line."""
    lines: list[Sequence[object]] = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell(value) for value in line)} |" for line in lines)


def cell(value: object) -> str:
    """A text that neither ends a cell of a table nor its line."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(value)).split()).replace("|", "\\|")
