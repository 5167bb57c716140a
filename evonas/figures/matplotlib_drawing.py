"""Pictures drawn by matplotlib (the extra `plot`): the one home of that library."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from evonas.errors import UserError
from evonas.figures.picture import Axis, Band, Boxes, Label, Line, Picture, Points
from evonas.installing import how_to_install

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LETTERS = 75
"""How many fit into a line below the figure."""
MARKERS = {"circle": "o", "x": "x", "square": "s", "diamond": "D"}


def as_matplotlib(picture: Picture) -> "Figure":
    """A matplotlib figure, for paper.

    Raises:
        UserError: matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError(f"a plot needs matplotlib: {how_to_install('plot')}") from None
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for order, mark in enumerate(picture.marks):
        DRAWN[type(mark)](axes, mark, 2 + order)  # the later ones above; matplotlib puts lines above points
    if picture.title:
        axes.set_title(_plain(picture.title), fontsize="medium")
    _scale(axes, "x", picture.x)
    _scale(axes, "y", picture.y)
    axes.spines[["top", "right"]].set_visible(False)
    if names := axes.get_legend_handles_labels()[1]:
        columns = max(1, min(len(names), LETTERS // max(map(len, names))))
        figure.legend(loc="outside lower center", ncols=columns, frameon=False, fontsize="small")
    return figure


def _scale(axes: "Axes", name: str, described: Axis) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    axis = {"x": axes.xaxis, "y": axes.yaxis}[name]
    axis.set_label_text(_plain(described.label))
    if described.log:
        axes.set(**{f"{name}scale": "log"})
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
    if described.ticks is not None:
        texts = [_plain(text) for _, text in described.ticks]
        crowded = name == "x" and sum(max(map(len, text.splitlines()), default=0) for text in texts) > LETTERS
        slanted: dict[str, Any] = (
            {"rotation": 35, "rotation_mode": "anchor", "ha": "right", "fontsize": "small"} if crowded else {}
        )
        axis.set_ticks([place for place, _ in described.ticks], texts, **slanted)


def _plain(text: str) -> str:
    """matplotlib takes what is between two dollars for mathematics."""
    return text.replace("$", r"\$")


def _points(axes: "Axes", mark: Points, order: int) -> None:
    axes.scatter(
        mark.x,
        mark.y,
        s=mark.size**2 / 2,
        c=mark.colour,
        marker=MARKERS[mark.symbol],
        linewidths=0.8 if mark.symbol == "x" else 0,
        label=_plain(mark.name),
        zorder=order,
    )


def _line(axes: "Axes", mark: Line, order: int) -> None:
    axes.plot(
        mark.x,
        mark.y,
        color=mark.colour,
        linewidth=mark.width,
        marker="o" if mark.markers else "",
        markersize=4,
        drawstyle="steps-post" if mark.step else "default",
        label=_plain(mark.name) if mark.in_legend else None,
        zorder=order,
    )


def _band(axes: "Axes", mark: Band, order: int) -> None:
    axes.fill_between(
        mark.x,
        mark.low,
        mark.high,
        color=mark.colour,
        alpha=0.2,
        linewidth=0,
        label=_plain(mark.name),
        zorder=order,
    )


def _boxes(axes: "Axes", mark: Boxes, order: int) -> None:
    widths = [end - start for start, end in zip(mark.x0, mark.x1, strict=True)]
    axes.barh(
        mark.y,
        widths,
        mark.height,
        mark.x0,
        color=mark.colour,
        label=_plain(mark.name),
        edgecolor="white",
        linewidth=0.3,
        zorder=order,
    )
    for start, width, y, text in zip(mark.x0, widths, mark.y, mark.text, strict=False):
        axes.text(
            start + width / 2,
            y,
            _plain(text),
            ha="center",
            va="center",
            fontsize="x-small",
            color="white",
            zorder=order,
        )


def _label(axes: "Axes", mark: Label, order: int) -> None:
    clear = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.8}
    axes.text(mark.x, mark.y, _plain(mark.text), ha="center", va="center", fontsize="x-small", zorder=order, bbox=clear)
    axes.update_datalim([(mark.x, mark.y)])  # a text beyond the axes would take their room
    axes.autoscale_view()


DRAWN: dict[type, Callable[["Axes", Any, int], None]] = {
    Points: _points,
    Line: _line,
    Band: _band,
    Boxes: _boxes,
    Label: _label,
}
