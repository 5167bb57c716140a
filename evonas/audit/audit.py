"""An audit of a run: its figures, what they say, and what is missing."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from evonas.audit import finished, fronts, words
from evonas.audit.baseline import baseline_of, default_folder, is_done
from evonas.audit.figures import RANDOM, SEARCH, Figures
from evonas.audit.fronts import Side
from evonas.errors import UserError
from evonas.runs.run import Run
from evonas.store import import_options

PICKED = 8
"""Networks that are advised to be trained to the end."""


@dataclass(frozen=True)
class Audit:
    """What an audit has found.

    Args:
        sides: search, and random where there is a baseline.
        figures: the numbers.
        words: sentences, the verdict first.
        missing: what is not known yet, with the command by which one gets it.
    """

    sides: Mapping[str, Side]
    figures: Figures
    words: tuple[str, ...]
    missing: tuple[str, ...]


def audited(run: Run, baseline: str = "") -> Audit:
    """Compare a run with what its networks are in the end, and with a random search where there is one. Only reads.

    Args:
        run: finished or not.
        baseline: folder of the random search; by default that beside the run, `RUN-random`.

    Raises:
        UserError: it is too early for an audit, or the baseline is none of this run.
    """
    folder = baseline or default_folder(run)
    if run.front().empty:
        raise UserError(f"the front of {run.folder} is empty; there is nothing to audit")
    own = run.description["config"]["strategy"]["kind"] == "random"
    other = None if own and not baseline else baseline_of(run, folder)
    sides = {SEARCH: fronts.side_of(SEARCH, run)}
    if other and is_done(run, other):
        sides[RANDOM] = fronts.side_of(RANDOM, other, len(run.evaluations))
    point = fronts.point_of(sides)
    found = list(fronts.figures(sides, point))
    for side in sides.values():
        found += finished.figures(side, point)
    numbers = Figures(found)
    missing = tuple(_missing(sides, other, folder))
    return Audit(sides, numbers, tuple(words.sentences(sides, numbers)), missing)


def _missing(sides: Mapping[str, Side], other: Run | None, folder: str) -> Iterator[str]:
    search = sides[SEARCH]
    where, many = _quoted(search.run), len(search.run.evaluations)
    modules = import_options(search.run.folder)
    if search.run.description["config"]["strategy"]["kind"] != "random" and RANDOM not in sides:
        own = "" if folder == default_folder(search.run) else f" {shlex.quote(folder)}"
        there = f"{len(other.evaluations):,} of {many:,} evaluations are there" if other else f"{many:,} evaluations"
        how = f"evonas audit {where} --baseline{own}{modules}"
        if search.run.description["evaluator"]:
            how = f"search with strategy random as you searched, into {shlex.quote(folder)}"
        yield f"no random search to compare with ({there}): {how}"
    if not search.is_trained:
        return
    if finished.looked_at(search).empty and search.final.empty:
        yield f"the winner's curse alone: evonas test {where}{modules}, before evonas train"
    for side in sides.values():
        if side.finished.empty:
            yield f"not trained to the end: evonas train {_quoted(side.run)} --pick {PICKED}{modules}"


def _quoted(run: Run) -> str:
    return shlex.quote(str(run.folder))
