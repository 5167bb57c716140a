"""Pictures of a run, made with matplotlib (the extra `plot`)."""

from pathlib import Path

from evonas.records import UserError
from evonas.run import Run

TRAINED, STOPPED, FRONT = "#0072b2", "#b0b0b0", "#d55e00"  # told apart by the colour-blind too (Okabe & Ito 2008)


def plot_front(run: Run, path: str | Path) -> None:
    """The first two objectives of every candidate that has both, the front as a line; png, svg or pdf.

    Raises:
        UserError: matplotlib is missing, or the run has one objective only.
    """
    try:
        from matplotlib.figure import Figure
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
    front = run.front().sort_values(x)
    axes.plot(front[x], front[y], "o-", color=FRONT, markersize=5, label=f"Pareto front ({len(front):,})")
    units = {objective["column"]: objective["unit"] for objective in run.description["objectives"]}
    axes.set_xlabel(f"{x}{f' ({units[x]})' if units[x] not in ('', x) and '_ms' not in x else ''}")
    axes.set_ylabel(y)
    axes.set_xscale("log")
    axes.set_yscale("log" if (run.evaluations[y].dropna() > 0).all() else "linear")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise UserError(f"--plot {path}: {error}") from None
