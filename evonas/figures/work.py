"""What the search did: learning curves, a timeline of its workers, outcomes, and what mattered."""

import numpy as np

from evonas import analysis
from evonas.errors import UserError
from evonas.figures.labels import hover
from evonas.figures.picture import BLUE, GREEN, LABELS, OUTCOMES, Axis, Boxes, Line, Mark, Picture, clock, counted
from evonas.runs.run import Run
from evonas.runs.several import Runs

MOST = 500


def curves(run: Run | Runs, column: str = "valid_metric") -> Picture:
    """Learning curves, coloured by what became of the candidate; no more than 500, evenly spaced by index.

    Args:
        column: valid_metric, valid_loss or train_loss.

    Raises:
        UserError: there is no such column, or nothing was trained.
    """
    if column not in ("valid_metric", "valid_loss", "train_loss"):
        raise UserError(f"column: valid_metric, valid_loss or train_loss, not {column!r}")
    rows = run.evaluations[run.evaluations["curve"].map(len) > 0]
    if rows.empty:
        raise UserError("no learning curves: nothing was trained yet")
    rows = rows.iloc[np.unique(np.linspace(0, len(rows) - 1, min(MOST, len(rows))).astype(int))]
    became = analysis.outcome(rows)
    marks: list[Mark] = []
    for outcome, colour in OUTCOMES.items():
        own = rows[became == outcome]
        x, y, texts = [], [], []
        for curve, text in zip(own["curve"], hover(own, run.description["objectives"]), strict=True):
            x += [float(point["epoch"]) for point in curve] + [np.nan]
            y += [_number(point[column]) for point in curve] + [np.nan]
            texts += [f"epoch {int(point['epoch'])}: {_number(point[column]):.4g}\n{text}" for point in curve] + [""]
        if len(own):
            width = 1.0 if outcome == "trained" else 0.7
            marks.append(Line(f"{LABELS[outcome]} ({len(own):,})", x, y, colour, texts, width))
    epochs = counted(1, int(rows["curve"].map(len).max()))
    return Picture("", Axis("epoch", ticks=epochs), Axis(_curve_label(run, column)), marks)


def timeline(run: Run | Runs) -> Picture:
    """Each candidate's time in work, by host and lane, coloured by outcome; lanes as in `analysis.timeline`.

    Raises:
        UserError: no candidate is evaluated yet.
    """
    rows = analysis.timeline(run.evaluations)
    if rows.empty:
        raise UserError("no timeline: no candidate is evaluated yet")
    keys = [name for name in ("run", "host", "lane") if name in rows]
    times, unit = clock(rows["end"].max())
    lanes = rows[keys].drop_duplicates().sort_values(keys, ignore_index=True)
    rows = rows.merge(lanes.assign(place=lanes.index), on=keys)
    keys = [name for name in ("run", "candidate") if name in rows]
    rows = rows.merge(run.evaluations[[*keys, "status", "arch", *run.objectives]], on=keys)
    marks: list[Mark] = []
    for outcome, colour in OUTCOMES.items():
        own = rows[rows["outcome"] == outcome]
        texts = hover(own, run.description["objectives"])
        took = [f"{hours * 3600:.3g} s\n{text}" for hours, text in zip(own["end"] - own["start"], texts, strict=True)]
        if len(own):
            name, height = f"{LABELS[outcome]} ({len(own):,})", [0.8] * len(own)
            start, end = list(own["start"] * times), list(own["end"] * times)
            marks.append(Boxes(name, start, end, list(own["place"]), height, colour, took))
    share = analysis.utilisation(run.evaluations, bins=1)["share"].mean()
    ticks = [(float(place), " ".join(map(str, lane))) for place, lane in enumerate(lanes.itertuples(index=False))]
    title = f"{share:.0%} of the workers' time in use (of those that were ever busy at once)"
    return Picture(title, Axis(f"{unit} since the first start (wall clock)"), Axis("worker lane", ticks=ticks), marks)


def outcomes(run: Run | Runs) -> Picture:
    """Hours by outcome: of GPUs, or of workers where there are none."""
    table = analysis.outcomes(run.evaluations)
    column = "gpu_hours" if table["gpu_hours"].sum() else "hours"
    marks = []
    for place, row in enumerate(table.to_dict("records")):
        name, hours, share = row["outcome"], row[column], row["effort"]
        text = f"{LABELS[name]}: {row['candidates']:,} candidates, {hours:.3g} h, {share:.0%}"
        marks.append(Boxes(text, [0.0], [hours], [-place], [0.7], OUTCOMES[name], [text]))
    ticks = [(-float(place), LABELS[name]) for place, name in enumerate(table["outcome"])]
    if saved := table[f"saved_{column}"].sum():
        text = f"saved, for a measurement was known from before: {saved:.3g} h"
        marks.append(Boxes(text, [0.0], [saved], [-len(table)], [0.7], GREEN, [text]))
        ticks.append((-float(len(table)), "saved by the cache"))
    unit = "GPU hours" if column == "gpu_hours" else "hours of workers"
    return Picture("", Axis(unit), Axis(ticks=ticks), marks)


def importance(run: Run | Runs, objective: str | None = None, most: int = 15) -> Picture:
    """Permutation importance of the genes for one objective (by default the first), the most important on top.

    Raises:
        UserError: as `analysis.importance`.
    """
    column = objective or run.objectives[0]
    table = analysis.importance(run.evaluations, [column]).head(most)
    places = [-float(place) for place in range(len(table))]
    texts = [f"{row.gene}: {row.importance:.3g} ± {row.spread:.2g}" for row in table.itertuples(index=False)]
    bars = Boxes(column, [0.0] * len(table), list(table["importance"]), places, [0.7] * len(table), BLUE, texts)
    ticks = list(zip(places, map(str, table["gene"]), strict=True))
    title = f"{column}: random forest, R² {table['score'].iloc[0]:.2f} on what was held out"
    return Picture(title, Axis("drop of R² when the gene is shuffled"), Axis(ticks=ticks), [bars])


def _curve_label(run: Run | Runs, column: str) -> str:
    if column != "valid_metric":
        return f"{column.replace('_', ' ')} (mean an example), better ↓"
    metric, direction = analysis.main_metric(run.description)
    return f"{metric} on validation data, better {'↑' if direction == 'maximize' else '↓'}"


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
