"""Findings for people, and for programs."""

from collections.abc import Iterator
from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from evonas.doctor.context import Finding
from evonas.terminal.tables import written
from evonas.text import one_line

MARKS = {"ok": ("✓", "+", "green"), "error": ("✗", "x", "bold red"), "note": ("·", "-", "dim")}
"""Each also for a terminal without Unicode, and its colour."""


def show(findings: Iterator[Finding], console: Console) -> int:
    """Print them as they come; the exit status, 1 where there is a cross."""
    plain = not _can_print("".join(marks[0] for marks in MARKS.values()), console.encoding)
    errors = 0
    for finding in findings:
        mark, ascii_mark, style = MARKS[finding.state]
        errors += finding.state == "error"
        lines = [Text.assemble((ascii_mark if plain else mark, style), f" {finding.name}: {one_line(finding.text)}")]
        if finding.remedy:
            lines.append(Text(f"  {'->' if plain else '→'} {one_line(finding.remedy)}"))
        for each in lines:
            text = each if not plain else Text(each.plain.encode("ascii", "replace").decode())
            console.print(text, soft_wrap=True)
    console.print(f"{errors} to put right" if errors else "nothing stands in the way", soft_wrap=True)
    return int(errors > 0)


def report(findings: Iterator[Finding], form: str) -> int:
    """As `show`, or as a table for programs when all are there. form: table, csv or json."""
    if form == "table":
        return show(findings, Console(highlight=False))
    found = list(findings)
    print(written([asdict(finding) for finding in found], form), end="")
    return int(any(finding.state == "error" for finding in found))


def _can_print(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
