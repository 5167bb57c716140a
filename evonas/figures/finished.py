"""What the search said of networks, against what they are in the end."""

from collections.abc import Mapping

from evonas import analysis
from evonas.errors import UserError
from evonas.figures.picture import BLUE, GREY, ORANGE, Axis, Line, Mark, Picture, Points
from evonas.runs.run import Run


def search_and_test(runs: Mapping[str, Run]) -> Picture:
    """The main metric of networks that were trained to the end: by the search, and on the test examples with the 95 %
    interval over these. On the line both are the same.

    Args:
        runs: by the name to show; of one task.

    Raises:
        UserError: no network was trained to the end.
    """
    first = next(iter(runs.values()))
    metric, direction = analysis.main_metric(first.description)
    marks: list[Mark] = []
    ends: list[float] = []
    for (name, run), colour in zip(runs.items(), (BLUE, ORANGE), strict=False):
        rows = analysis.search_and_test(run.evaluations, run.final, metric).dropna(subset=["search", "test"])
        for x, low, high in zip(rows["search"], rows["test_low"], rows["test_high"], strict=True):
            marks.append(Line(f"{name}: 95 %", [x, x], [low, high], colour, in_legend=False))
        texts = [f"{name}: candidate {number}" for number in rows["candidate"]]
        marks.append(Points(f"{name} ({len(rows)})", list(rows["search"]), list(rows["test"]), colour, texts))
        ends += [*rows["search"], *rows["test"]]
    if not ends:
        raise UserError("no network was trained to the end: evonas train")
    diagonal = [min(ends), max(ends)]
    better = {"x": "→", "y": "↑"} if direction == "maximize" else {"x": "←", "y": "↓"}
    axes = [
        Axis(f"{metric} {said}, better {better[arrow]}")
        for arrow, said in (("x", "by the search (validation)"), ("y", "in the end (test)"))
    ]
    return Picture("", axes[0], axes[1], [Line("the same", diagonal, diagonal, GREY), *marks])
