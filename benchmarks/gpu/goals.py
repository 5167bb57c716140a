"""The goals of a session beside what it found."""

from collections.abc import Callable, Iterator
from typing import Any

from .session import Row, Session

Goal = tuple[str, str, str, bool | None]
"""What is wanted, how much, what was found, and whether that will do; None: it was not found out."""


def goals(session: Session) -> Iterator[Goal]:
    """Each goal with what the rows say of it."""
    for where, most in (("idle", 0.01), ("beside trainers that pause", 0.02)):
        rows = [row for row in session.found("latency", where=where) if "cv" in row and (row["graph"] or session.dry)]
        yield _most(f"spread of a latency (CV), {where}", most, [row["cv"] for row in rows], "{:.2%}")
    for mode in ("eager", "graph"):
        gains = [row["gain"] for row in session.found("pack", net="mid", mode=mode, processes=8) if row.get("gain")]
        yield _least(f"candidates an hour, 8 on a card against 1 (mid, {mode})", 3.0, gains, "{:.2f}x")
    graph = _ratios(session, "batch 64, graph", "batch 64")
    yield _least("a step at batch 64 as a graph against eager", 1.5, graph, "{:.2f}x")
    plain = _ratios(session, "eager", "DataLoader") + _ratios(session, "graph", "DataLoader")
    yield _least("images a second against a DataLoader loop (mid)", 5.0, [max(plain)] if plain else [], "{:.1f}x")
    yield from _harmless(session)


def _harmless(session: Session) -> Iterator[Goal]:
    """What must not happen at all."""
    deeds = [row for row in session.found("failures") if "deed" in row]
    wrong = [f"{row['deed']}: {row['status']}" for row in deeds if not row["right"] and row["deed"] != "good"]
    yield _none("failures in the wrong drawer", deeds, wrong)
    harmed = [f"behind {row['behind']}: {row['status']}" for row in deeds if not row["right"] and row["deed"] == "good"]
    yield _none("candidates that the failure before them harmed", deeds, harmed)
    forks = [row for row in session.found("fork") if "bad_fork" in row]
    yield _none("forks that cannot begin with CUDA", forks, ["bad fork" for row in forks if row["bad_fork"]])
    fences = [row for row in session.found("memory") if "fence" in row]
    yield _none("processes that went over their fence", fences, [str(row) for row in fences if not row["raised"]])


def table(session: Session) -> str:
    """The goals in lines: met, missed, not found out. A CPU misses none of a GPU; what must not happen, it may do."""
    words = {True: "met", False: "MISSED", None: "not measured"}
    rows = [
        (what, wanted, found, "not judged" if session.dry and wanted != "none" and met is not None else words[met])
        for what, wanted, found, met in goals(session)
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(map(str.rstrip, lines))


def _ratios(session: Session, fast: str, slow: str) -> list[float]:
    """How many times as many images a second one way of a step has as another, of each network that has both."""
    found: dict[str, dict[str, Any]] = {}
    for row in session.found("step"):
        if "images_s" in row:
            found.setdefault(row["net"], {})[row["mode"]] = row["images_s"]
    return [modes[fast] / modes[slow] for modes in found.values() if fast in modes and slow in modes]


def _most(what: str, bound: float, values: list[float], form: str) -> Goal:
    return _judged(what, "<= ", bound, values, form, max, lambda worst: worst <= bound)


def _least(what: str, bound: float, values: list[float], form: str) -> Goal:
    return _judged(what, ">= ", bound, values, form, min, lambda worst: worst >= bound)


def _judged(
    what: str,
    sign: str,
    bound: float,
    values: list[float],
    form: str,
    worst: Callable[[list[float]], float],
    will_do: Callable[[float], bool],
) -> Goal:
    """By the worst of the values."""
    wanted = sign + form.format(bound)
    if not values:
        return what, wanted, "-", None
    return what, wanted, form.format(worst(values)), will_do(worst(values))


def _none(what: str, rows: list[Row], wrong: list[str]) -> Goal:
    return what, "none", ("; ".join(wrong) or f"none of {len(rows)}") if rows else "-", not wrong if rows else None
