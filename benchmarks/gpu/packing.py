"""How much more a card gets done with several candidates on it."""

import time

from evonas.measuring.backends import mps

from .beside import shared
from .session import Session
from .subject import has_graph

LEVELS = (1, 2, 4, 8, 14)
PLAN: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("mid", "eager", LEVELS),
    ("mid", "graph", LEVELS),
    ("small", "eager", (1, 4, 8, 14)),
    ("small", "graph", (1, 4, 14)),
)
DRY = (("small", "eager", (1, 2)),)
LEVEL_S = 20.0
"""One level at most, with the start of its processes."""


def pack(session: Session) -> None:
    """Each network and kind of step, with more and more processes on the card."""
    if session.dry:
        asks = "; ".join(f"{name} {mode}: {', '.join(map(str, levels))} processes" for name, mode, levels in PLAN)
        session.tell("pack", skipped="no GPU", asks=asks)
    for name, mode, levels in DRY if session.dry else PLAN:
        if mode == "graph" and not has_graph():
            session.tell("pack", net=name, mode=mode, skipped="this evonas has no training.graph")
            continue
        one = 0.0
        for count in levels:
            if session.lacks(LEVEL_S, "pack", net=name, mode=mode, processes=count):
                return
            one = _level(session, name, mode, count, one)


def _level(session: Session, name: str, mode: str, count: int, one: float) -> float:
    begun = time.monotonic()
    seconds = 0.2 if session.dry else 4.0
    answers = shared(session, count, name, seconds, {"graph": True} if mode == "graph" else {})
    rows = [row for row in answers if "error" not in row]
    together = sum(row["steps_s"] for row in rows)
    one = one or together
    session.tell(
        "pack",
        net=name,
        mode=mode,
        processes=count,
        steps_s=together,
        gain=together / one if one else 0.0,
        slowest=min((row["steps_s"] for row in rows), default=0.0),
        cores=sum(row["cores"] for row in rows),
        mb_each=max((row["reserved_mb"] for row in rows), default=0.0),
        failed=len(answers) - len(rows),
        mps=mps.is_running(),
        took_s=time.monotonic() - begun,
    )
    return one
