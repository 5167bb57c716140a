"""Figures of networks that were trained to the end: their order, early stopping, the winner's curse; and the hours."""

from collections.abc import Iterator

import pandas as pd

from evonas import analysis
from evonas.analysis import Reference
from evonas.audit.figures import Figure
from evonas.audit.fronts import Side


def figures(side: Side, point: Reference) -> Iterator[Figure]:
    """Of one search, as far as its networks were trained to the end.

    Args:
        side: the search.
        point: the reference point of all hypervolumes.
    """
    yield from _final(side, point)
    yield from _order(side)
    yield from _stopping(side)
    yield from _curse(side)
    yield from _hours(side)


def _final(side: Side, point: Reference) -> Iterator[Figure]:
    rows = side.finished
    yield Figure("finished", "networks", side.name, len(rows))
    if rows.empty:
        return
    metric, sign = side.metric
    before = side.evaluations[side.evaluations["candidate"].isin(rows["candidate"])].assign(status="ok")
    yield Figure("finished", "hypervolume, search", side.name, side.volume(before, point))
    yield Figure("finished", "hypervolume, test", side.name, side.volume(rows, point))
    found = _pairs(side).dropna(subset=["test"])
    if len(found):
        best = found.iloc[int((sign * found["test"]).argmin())]
        ends = float(best["test_low"]), float(best["test_high"])
        yield Figure("finished", f"best {metric}", side.name, float(best["test"]), *ends)


def _order(side: Side) -> Iterator[Figure]:
    metric, sign = side.metric
    found = _pairs(side)
    if found.empty:
        return
    for row in analysis.rank_agreement(side.evaluations, found, metric, sign).to_dict("records"):
        n = int(row["networks"])
        yield Figure("order", f"tau, {row['among']}", side.name, row["kendall_tau"], n=n)
        yield Figure("order", f"p, {row['among']}", side.name, row["p"], n=n)
    for row in analysis.best_by_search(found, sign).to_dict("records"):
        n = int(row["networks"])
        yield Figure("order", "search's best, place", side.name, row["place"], n=n)
        yield Figure("order", "search's best, behind", side.name, row["behind"])
        yield Figure("order", "intervals overlap", side.name, float(row["overlap"]))


def _stopping(side: Side) -> Iterator[Figure]:
    audit = analysis.stopping_audit(side.evaluations, side.run.objectives, side.run.signs)
    epochs = side.run.description["config"]["training"]["rungs"]
    for row, epoch in zip(audit.to_dict("records"), epochs, strict=False):
        part, pairs = f"rung, epoch {epoch}", int(row["pairs"])
        yield Figure(part, "stopped", side.name, row["stopped"], n=int(row["reached"]))
        yield Figure(part, "pairs as in the end", side.name, row["agreement"], n=pairs, unit="share")
        yield Figure(part, "pairs turned round", side.name, row["reversed"], n=pairs, unit="share")
        yield Figure(part, "Kendall tau", side.name, row["kendall_tau"], n=int(row["candidates"]))
        yield Figure(part, "Kendall tau, best tenth", side.name, row["kendall_tau_best"])
        yield Figure(part, "front lost", side.name, row["front_lost"])
        if row["spared"]:
            yield Figure(part, "spared, on the front", side.name, row["spared_on_front"], n=int(row["spared"]))
    rows = side.finished
    front = analysis.front(rows, side.run.objectives, side.run.signs)
    if len(rows) and rows["stopped"].any():
        many = int(rows["stopped"].sum())
        yield Figure("stopped, then finished", "on the final front", side.name, int(front["stopped"].sum()), n=many)


def _curse(side: Side) -> Iterator[Figure]:
    metric, sign = side.metric
    found = _pairs(side)
    for row in analysis.winners_curse(found, looked_at(side), metric, sign).to_dict("records"):
        n, name = int(row["networks"]), str(row["figure"])
        if n:
            yield Figure("winner's curse", name, side.name, row["mean"], row["low"], row["high"], n)
            yield Figure("winner's curse", f"{name}, best", side.name, row["best"])


def looked_at(side: Side) -> pd.DataFrame:
    """Networks whose weights of the search were tested by `evonas test`, with the figures of the search; the first look
    of each."""
    tests = side.run.tests
    first = tests[tests["weights"] == "search"].drop_duplicates("candidate")
    named = [name for name in first if str(name).startswith("test")]
    return side.evaluations.merge(first[["candidate", *named]], on="candidate")


def _pairs(side: Side) -> pd.DataFrame:
    metric, _ = side.metric
    known = side.evaluations if metric in side.evaluations else side.evaluations.assign(**{metric: float("nan")})
    return analysis.search_and_test(known, side.final, metric)


def _hours(side: Side) -> Iterator[Figure]:
    table = analysis.stage_hours(side.evaluations, analysis.trainings(side.run.folder))
    for row in table.to_dict("records"):
        if not (row["stage"].startswith("final") and row["hours"] == 0):
            yield Figure("time", row["stage"], side.name, row["hours"], unit="h")
