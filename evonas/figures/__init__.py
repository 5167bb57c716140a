"""Figures of a run: each is a `Picture`, drawn by plotly to look into, by matplotlib for paper, or as text.

    figures.as_plotly(figures.pareto(run)).show()
    figures.save(figures.lineage(run, 42), "lineage.pdf")

fronts.py    front over generations, parallel coordinates, hypervolume with bands over seeds and strategies
trees.py     lineage of a candidate, its architecture
finished.py  what the search said against what networks are in the end
work.py      learning curves, timeline, outcomes, gene importance
picture.py   what is to be drawn; plotly_drawing.py, matplotlib_drawing.py and, for terminals, text_drawing.py draw it
"""

import json
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd

from evonas.errors import UserError
from evonas.figures.finished import search_and_test
from evonas.figures.fronts import compare, parallel, pareto, progress
from evonas.figures.matplotlib_drawing import as_matplotlib
from evonas.figures.picture import Picture
from evonas.figures.plotly_drawing import as_plotly
from evonas.figures.text_drawing import as_text
from evonas.figures.trees import architecture, lineage
from evonas.figures.work import curves, importance, outcomes, timeline
from evonas.runs.run import Run

__all__ = [
    "Picture",
    "architecture",
    "as_matplotlib",
    "as_plotly",
    "as_text",
    "compare",
    "curves",
    "importance",
    "lineage",
    "outcomes",
    "parallel",
    "pareto",
    "plot_front",
    "progress",
    "save",
    "search_and_test",
    "timeline",
]


def save(picture: Picture, path: str | Path) -> None:
    """Draw into a file by its suffix: .html is one page that needs no network; .pdf, .svg and .png are for paper.

    Raises:
        UserError: the file cannot be written, its suffix is unknown, or the library is missing.
    """
    try:
        if Path(path).suffix == ".html":
            as_plotly(picture).write_html(path)
        else:
            as_matplotlib(picture).savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: {error}") from None


def plot_front(run: Run, front: pd.DataFrame, path: str | Path) -> None:
    """The first two objectives of every candidate that has both, and of the front as a line; html, png, svg or pdf.

    Args:
        front: rows of `run.front()`.

    Raises:
        UserError: the library is missing, the path is of no use, or the run has one objective only.
    """
    picture = pareto(run, generations=0, front=front)
    try:
        save(picture, path)
    except UserError as error:
        raise UserError(f"--plot {error}" if str(path) in str(error) else str(error)) from None


def _mimebundle(picture: Picture, **asked: object) -> dict[str, Any]:
    """For a notebook: plotly's figure where it can be looked into, an image where there is no script."""
    bundle: dict[str, Any] = {"text/plain": repr(picture)}
    with suppress(UserError):  # plotly is not installed
        bundle["application/vnd.plotly.v1+json"] = json.loads(as_plotly(picture).to_json())
    try:
        image = BytesIO()
        as_matplotlib(picture).savefig(image, format="png", dpi=100)
        bundle["image/png"] = image.getvalue()
    except UserError as missing:
        bundle["text/plain"] = f"{picture!r}: {missing}"
    return bundle


Picture._repr_mimebundle_ = _mimebundle  # type: ignore[attr-defined]  # the libraries that draw know `Picture`
