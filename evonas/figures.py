"""Pictures of a run, made with matplotlib (the extra `plot`)."""

from pathlib import Path

import pandas as pd

from evonas.records import UserError
from evonas.run import Run

TRAINED, STOPPED, FRONT = "#0072b2", "#b0b0b0", "#d55e00"  # told apart by the colour-blind too (Okabe & Ito 2008)


def plot_front(run: Run, front: pd.DataFrame, path: str | Path) -> None:
    """The first two objectives of every candidate that has both, and of the front as a line; png, svg or pdf.

    front: rows of `run.front()`.

    Raises:
        UserError: matplotlib is missing, or the run has one objective only.
    """
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import LogLocator, NullFormatter
    except ImportError:
        raise UserError("a plot needs matplotlib: pip install 'evonas[plot]'") from None
    if len(run.objectives) < 2:
        raise UserError("a plot of the front needs two objectives; this run has one")
    y, x = run.objectives[:2]
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for status, colour, size in (("stopped", STOPPED, 14), ("ok", TRAINED, 20)):
        rows = run.evaluations[run.evaluations["status"] == status]
        label = {"stopped": "stopped early", "ok": "fully trained"}[status]
        axes.scatter(rows[x], rows[y], s=size, color=colour, label=f"{label} ({len(rows):,})", linewidths=0)
    front = front.sort_values(x)
    label = f"Pareto front ({len(front):,})"
    axes.step(front[x], front[y], "o-", where="post", color=FRONT, markersize=5, label=label)
    units = {objective["column"]: objective["unit"] for objective in run.description["objectives"]}
    axes.set_xlabel(f"{x}{f' ({units[x]})' if units[x] not in ('', x) and '_ms' not in x else ''}")
    axes.set_ylabel(y)
    for axis, name, set_scale in ((axes.xaxis, x, axes.set_xscale), (axes.yaxis, y, axes.set_yscale)):
        if (run.evaluations[name].dropna() > 0).all():
            set_scale("log")
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise UserError(f"--plot {path}: {error}") from None
