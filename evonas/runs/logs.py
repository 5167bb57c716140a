"""The logs of a run: what candidates printed and the tracebacks of their failures, one by one and in groups."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from evonas.driver.circuit_breaker import without_numbers
from evonas.store import Folder, log_name
from evonas.store.folder import digits
from evonas.text import one_line, printable_lines


def logged(folder: Folder) -> list[int]:
    """The candidates that have a log, by number."""
    return sorted(index for name in folder.names("logs") if (index := digits(name)) >= 0)


def read_log(folder: Folder, candidate: int) -> str:
    """The log of a candidate without what steers a terminal; empty where it has none."""
    try:
        return printable_lines(folder.read(log_name(candidate)).decode(errors="replace")).rstrip("\n")
    except FileNotFoundError:
        return ""


def groups(folder: Folder, evaluations: pd.DataFrame) -> list[Mapping[str, Any]]:
    """Candidates with a log or a failure, those that are alike together; failures first, then the most frequent.

    Failures are alike where their messages differ in numbers alone, the others where they have the same status.

    Args:
        folder: of the run.
        evaluations: the run's.

    Returns:
        A row a group: count, candidate (the last one of the group, which has a log if any has), status, first_line (of
        the failure, or of what was printed).
    """
    known = {*logged(folder)}
    found: dict[tuple[str, str], list[tuple[bool, int, str]]] = {}
    for index, status, message in evaluations[["candidate", "status", "message"]].itertuples(index=False):
        failed = status.startswith("failed:")
        if failed or index in known:
            alike = without_numbers(message) if failed else ""
            found.setdefault((status, alike), []).append((index in known, index, message))
    rows = [_row(folder, status, members) for (status, _), members in found.items()]
    return sorted(rows, key=lambda row: (not row["status"].startswith("failed:"), -row["count"]))


def _row(folder: Folder, status: str, members: list[tuple[bool, int, str]]) -> dict[str, Any]:
    has_log, index, message = max(members)
    text = message if status.startswith("failed:") or not has_log else _first_line(read_log(folder, index))
    return {"count": len(members), "candidate": index, "status": status, "first_line": one_line(text)}


def _first_line(text: str) -> str:
    return next(filter(None, map(str.strip, text.splitlines())), "")


def ranges(numbers: Iterable[int]) -> str:
    """Numbers in order as people write them: "1, 4-7, 9"."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][-1] + 1:
            spans[-1] = [spans[-1][0], number]
        else:
            spans.append([number])
    return ", ".join("-".join(map(str, span)) for span in spans)
