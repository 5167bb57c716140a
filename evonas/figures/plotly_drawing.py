"""Pictures drawn by plotly (the extra `analysis`): the one home of that library."""

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from evonas.errors import UserError
from evonas.figures.picture import Axis, Band, Boxes, Label, Line, Picture, Points
from evonas.installing import how_to_install

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

HOVER = "%{text}<extra></extra>"


def as_plotly(picture: Picture) -> "Figure":
    """A plotly figure; what is under the pointer shows its architecture.

    Raises:
        UserError: plotly is missing.
    """
    try:
        from plotly.graph_objects import Figure
    except ImportError:
        raise UserError(f"this figure needs plotly: {how_to_install('analysis')}") from None
    figure = Figure()
    for mark in picture.marks:
        DRAWN[type(mark)](figure, mark)
    figure.update_layout(title=_escaped(picture.title), template="plotly_white", barmode="overlay", hovermode="closest")
    figure.update_xaxes(**_axis(picture.x))
    figure.update_yaxes(**_axis(picture.y))
    return figure


def _axis(axis: Axis) -> dict[str, Any]:
    ticks = {} if axis.ticks is None else {"tickvals": [p for p, _ in axis.ticks], "ticktext": _html(axis.ticks)}
    return {"title": escape(axis.label), "type": "log" if axis.log else "linear", **ticks}


def _html(ticks: Sequence[tuple[float, str]]) -> list[str]:
    return [_escaped(text) for _, text in ticks]


def _escaped(text: str) -> str:
    """The names in an architecture are whatever its author chose, and plotly takes some HTML."""
    return escape(text).replace("\n", "<br>")


def _hover(texts: Sequence[str]) -> dict[str, Any]:
    if not len(texts):
        return {"hoverinfo": "skip"}
    return {"text": [_escaped(text) for text in texts], "hovertemplate": HOVER}


def _points(figure: "Figure", mark: Points) -> None:
    marker = {"color": mark.colour, "size": mark.size, "symbol": mark.symbol}
    figure.add_scatter(x=mark.x, y=mark.y, mode="markers", name=mark.name, marker=marker, **_hover(mark.hover))


def _line(figure: "Figure", mark: Line) -> None:
    figure.add_scatter(
        x=mark.x,
        y=mark.y,
        mode="lines+markers" if mark.markers else "lines",
        name=mark.name,
        line={"color": mark.colour, "width": mark.width, "shape": "hv" if mark.step else "linear"},
        showlegend=mark.in_legend,
        **_hover(mark.hover),
    )


def _band(figure: "Figure", mark: Band) -> None:
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    figure.add_scatter(x=mark.x, y=mark.low, showlegend=False, **edge)
    figure.add_scatter(x=mark.x, y=mark.high, fill="tonexty", name=mark.name, fillcolor=_pale(mark.colour), **edge)


def _boxes(figure: "Figure", mark: Boxes) -> None:
    inside = [_escaped(text) for text in mark.text] or [""] * len(mark.x0)
    hover = [_escaped(text) for text in mark.hover] or inside
    figure.add_bar(
        orientation="h",
        base=mark.x0,
        x=[end - start for start, end in zip(mark.x0, mark.x1, strict=True)],
        y=mark.y,
        width=mark.height,
        text=inside,
        textposition="inside",
        insidetextanchor="middle",
        textangle=0,
        hovertext=hover,
        hovertemplate="%{hovertext}<extra></extra>",
        marker={"color": mark.colour, "line": {"color": "white", "width": 0.5}},
        name=mark.name,
    )


def _label(figure: "Figure", mark: Label) -> None:
    figure.add_annotation(
        x=mark.x, y=mark.y, text=_escaped(mark.text), showarrow=False, bgcolor="rgba(255,255,255,0.75)"
    )


def _pale(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.2)"


DRAWN: dict[type, Callable[["Figure", Any], None]] = {
    Points: _points,
    Line: _line,
    Band: _band,
    Boxes: _boxes,
    Label: _label,
}
