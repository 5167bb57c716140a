"""The front over generations, parallel coordinates, and hypervolume over candidates or hours."""

from collections.abc import Mapping
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evonas import analysis
from evonas.did_you_mean import unknown
from evonas.errors import UserError
from evonas.figures.labels import cut, hover
from evonas.figures.picture import (
    BLUE,
    GREEN,
    GREY,
    LABELS,
    ORANGE,
    OUTCOMES,
    PURPLE,
    RED,
    SKY,
    SYMBOLS,
    Axis,
    Band,
    Label,
    Line,
    Mark,
    Picture,
    Points,
    clock,
    objective_axis,
)
from evonas.runs.run import Run
from evonas.runs.several import Runs

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED)
EARLIER = ("#c7d7e5", "#9dbad3", "#7199bd", "#46769f", "#1f4e79")
"""One hue from pale to dark: earlier and later are told apart by lightness alone."""
MOST = 500
MISSING = -0.15
"""How high a gene that an architecture lacks is drawn, where 0 to 1 are its choices."""
FEW, LETTERS = 7, 12
"""Values that an axis of parallel coordinates shows all of, and letters of each."""


def pareto(
    run: Run | Runs,
    x: str | None = None,
    y: str | None = None,
    generations: int = 3,
    front: pd.DataFrame | None = None,
) -> Picture:
    """Two objectives of every candidate that has both, the front of all that was evaluated, and earlier fronts.

    With more than two objectives, the front is that of all of them, and its points are not connected.

    Args:
        x: an objective; by default the second.
        y: an objective; by default the first.
        generations: how many earlier fronts, evenly spaced, of what was evaluated up to them.
        front: rows to show instead of `run.front()`.

    Raises:
        UserError: the run has one objective, or x or y is none of them.
    """
    across, up = _two(run, x, y)
    frame = run.evaluations
    marks: list[Mark] = []
    for outcome in ("stopped", "trained"):
        rows = frame[(analysis.outcome(frame) == outcome) & frame[[across["column"], up["column"]]].notna().all(axis=1)]
        marks.append(_scattered(run, rows, across, up, outcome))
    final = run.front() if front is None else front
    for number, generation in enumerate(_spaced(frame, generations)):
        early = analysis.front(frame[(frame["generation"] <= generation).fillna(False)], run.objectives, run.signs)
        colour = EARLIER[round((len(EARLIER) - 1) * number / max(1, generations - 1))]
        marks.append(_front_line(run, early, across, up, f"front after generation {generation}", colour, 1.0))
    marks.append(_front_line(run, final, across, up, f"Pareto front ({len(final):,})", RED, 2.0))
    shown = frame[frame["status"].isin(["ok", "stopped"])]
    x_axis = objective_axis(across, "x", list(shown[across["column"]]))
    return Picture("", x_axis, objective_axis(up, "y", list(shown[up["column"]])), marks)


def parallel(run: Run | Runs, genes: list[str] | None = None) -> Picture:
    """Parallel coordinates: a line for each fully trained candidate, through its genes and objectives.

    Each axis goes from the least value at the bottom to the largest; text by its order, and a gene that is absent is
    below all. No more than 500 candidates besides the front, evenly spaced by index.

    Args:
        genes: names of `analysis.genes`; by default the eight in which the front differs most from the others.

    Raises:
        UserError: nothing is fully trained yet, or there is no such gene.
    """
    front = run.front()
    if front.empty:
        raise UserError("parallel coordinates need a front; nothing is fully trained and feasible yet")
    rest = run.evaluations[run.evaluations["status"] == "ok"].drop(index=front.index)
    rest = rest.iloc[np.unique(np.linspace(0, len(rest) - 1, min(MOST, len(rest))).astype(int))]
    rows = pd.concat([rest, front])
    table = analysis.genes(rows)
    shown = list(dict.fromkeys(genes or analysis.shared(front, run.evaluations)["gene"].head(8)))
    for name in shown:
        if name not in table:
            raise UserError(f"gene: {unknown(name, map(str, table.columns))}")
    scales = [_scale(table[name]) for name in shown] + [_scale(rows[column]) for column in run.objectives]
    heights = np.column_stack([heights for heights, _ in scales])
    marks: list[Mark] = []
    for name, colour, width, own in (
        (f"fully trained ({len(rest):,})", GREY, 0.5, slice(0, len(rest))),
        (f"Pareto front ({len(front):,})", RED, 1.5, slice(len(rest), None)),
    ):
        texts = hover(rows.iloc[own], run.description["objectives"])
        marks.append(_polylines(name, heights[own], texts, colour, width))
    marks += [Label(place, y, cut(text, LETTERS)) for place, (_, values) in enumerate(scales) for y, text in values]
    arrows = enumerate(run.signs, len(shown))  # not in the names, which some libraries turn
    marks += [Label(place, 1.1, f"better {'↓' if sign > 0 else '↑'}") for place, sign in arrows]
    ticks = [(float(place), name) for place, name in enumerate([*shown, *_named(run)])]
    return Picture("", Axis(ticks=ticks), Axis("least to largest value", ticks=[]), marks)


def progress(run: Run | Runs, over: str = "candidates", point: analysis.Reference | None = None) -> Picture:
    """Hypervolume over candidates or hours, a line a run; of several runs also the mean with its 95 % band.

    Raises:
        UserError: as `analysis.progress`.
    """
    curves = analysis.progress(run.evaluations, run.objectives, run.signs, over, point)
    parts = [(name or "this run", part) for name, part in analysis.by_run(curves)]
    times, unit = clock(curves["hours"].max()) if over == "hours" else (1.0, "")
    marks: list[Mark] = []
    for number, (name, part) in enumerate(parts):
        part = part.sort_values(over)
        texts = [f"{name}: {volume:.4g} after {c:,} candidates" for c, volume in _pairs(part)]
        colour = COLOURS[number % len(COLOURS)]
        marks.append(Line(name, list(part[over] * times), list(part["hypervolume"]), colour, texts, step=True))
    if len(parts) > 1:
        band = analysis.bands(curves, over)
        x = list(band[over] * times)
        marks.append(Band("95 % interval of the mean", x, list(band["low"]), list(band["high"]), BLUE))
        marks.append(Line("mean", x, list(band["mean"]), "#000000", width=2.5, step=True))
    return _volumes(curves.attrs["reference"], over, unit, marks)


def compare(groups: Mapping[str, Runs], over: str = "candidates", point: analysis.Reference | None = None) -> Picture:
    """Hypervolume of groups of runs, e.g. strategies with a few seeds each: their means with 95 % bands.

    Args:
        groups: by the name to show.
        point: one reference point for all; by default that of all their first generations.

    Raises:
        UserError: there is no group, one has fewer than two runs, or their objectives differ; as `analysis.progress`.
    """
    if not groups:
        raise UserError("compare takes a group of runs or more")
    (first, *_), names = groups.values(), list(groups)
    if other := [
        name for name in names if (groups[name].objectives, groups[name].signs) != (first.objectives, first.signs)
    ]:
        raise UserError(
            f"{other[0]} has the objectives {groups[other[0]].objectives}, {names[0]} has {first.objectives}"
        )
    frame = pd.concat([runs.evaluations for runs in groups.values()], ignore_index=True)
    point = point or analysis.reference(frame, first.objectives, first.signs)
    curves = {name: analysis.progress(r.evaluations, r.objectives, r.signs, over, point) for name, r in groups.items()}
    times, unit = clock(max(part["hours"].max() for part in curves.values())) if over == "hours" else (1.0, "")
    marks: list[Mark] = []
    for (name, part), colour in zip(curves.items(), cycle(COLOURS)):
        band = analysis.bands(part, over)
        x, runs = list(band[over] * times), int(band["runs"].iloc[0])
        marks.append(Band(f"{name}: 95 % interval of the mean", x, list(band["low"]), list(band["high"]), colour))
        marks.append(Line(f"{name}: mean of {runs} runs", x, list(band["mean"]), colour, width=2.5, step=True))
    return _volumes(point, over, unit, marks)


def _volumes(point: analysis.Reference, over: str, unit: str, marks: list[Mark]) -> Picture:
    fixed = ", ".join(f"{column} {value:.4g}" for column, value in point.items())
    across = Axis("candidates evaluated" if over == "candidates" else f"{unit} since the first start (wall clock)")
    return Picture(f"reference point: {fixed}", across, Axis("hypervolume, better ↑"), marks)


def _two(run: Run | Runs, x: str | None, y: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    by_column = {objective["column"]: objective for objective in run.description["objectives"]}
    if len(by_column) < 2:
        raise UserError("a plot of the front needs two objectives; this run has one")
    for name in (x, y):
        if name is not None and name not in by_column:
            raise UserError(f"objective: {unknown(name, by_column)}")
    up = y or next(column for column in by_column if column != x)
    across = x or next(column for column in by_column if column != up)
    return by_column[across], by_column[up]


def _scattered(run: Run | Runs, rows: pd.DataFrame, across: dict[str, Any], up: dict[str, Any], outcome: str) -> Points:
    return Points(
        f"{LABELS[outcome]} ({len(rows):,})",
        list(rows[across["column"]]),
        list(rows[up["column"]]),
        OUTCOMES[outcome],
        hover(rows, run.description["objectives"]),
        5 if outcome == "stopped" else 6,
        SYMBOLS[outcome],
    )


def _front_line(
    run: Run | Runs,
    rows: pd.DataFrame,
    across: dict[str, Any],
    up: dict[str, Any],
    name: str,
    colour: str,
    width: float,
) -> Line | Points:
    """A step, where nothing between two members is known to be reachable; points where there are more objectives."""
    rows = rows.sort_values(across["column"], ascending=across["sign"] > 0)
    x, y = list(rows[across["column"]]), list(rows[up["column"]])
    texts = hover(rows, run.description["objectives"])
    if len(run.objectives) > 2:
        return Points(name, x, y, colour, texts, 8)
    return Line(name, x, y, colour, texts, width, step=True, markers=width > 1)


def _spaced(frame: pd.DataFrame, generations: int) -> list[int]:
    """So many generations before the last, evenly spaced, from the first."""
    last = frame["generation"].max()
    if generations < 1 or pd.isna(last) or last < 2:
        return []
    return [int(g) for g in np.unique(np.linspace(1, int(last), generations + 1).astype(int))[:-1]]


def _scale(values: "pd.Series[Any]") -> tuple[NDArray[np.float64], list[tuple[float, str]]]:
    """Heights from 0 to 1, MISSING for what is not there; and what to write at which heights: all values if they are
    few, else the least and the largest."""
    known = values.dropna()
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        order = sorted(set(map(str, known)))
        places = np.array([order.index(str(v)) if v == v and v is not None else -1 for v in values], dtype=float)
        heights = np.where(places < 0, MISSING, places / max(1, len(order) - 1))
        names = {index / max(1, len(order) - 1): text for index, text in enumerate(order)}
    else:
        numbers = values.astype(float)
        low, span = float(numbers.min()), float(numbers.max() - numbers.min()) or 1.0
        heights = np.array(((numbers - low) / span).fillna(MISSING), dtype=np.float64)
        names = {(value - low) / span: f"{value:.4g}" for value in sorted(set(numbers.dropna()))}
    if len(names) > FEW:
        names = {place: names[place] for place in (min(names), max(names))}
    absent = [(MISSING, "absent")] if (heights == MISSING).any() else []
    return heights, [*names.items(), *absent]


def _polylines(name: str, heights: NDArray[np.float64], texts: list[str], colour: str, width: float) -> Line:
    """All of them as one line with breaks, which is drawn in a fraction of the time."""
    n, axes = heights.shape
    x = np.tile(np.append(np.arange(axes, dtype=float), np.nan), n)
    y = np.column_stack([heights, np.full(n, np.nan)]).ravel()
    return Line(name, x.tolist(), y.tolist(), colour, [text for text in texts for _ in range(axes + 1)], width)


def _named(run: Run | Runs) -> list[str]:
    return [
        f"{o['column']}{f' ({unit})' if (unit := o['unit']) and unit != o['column'] else ''}"
        for o in run.description["objectives"]
    ]


def _pairs(part: pd.DataFrame) -> "zip[tuple[int, float]]":
    return zip(part["candidates"], part["hypervolume"], strict=True)
