"""Where a candidate comes from, and what it is made of."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from evonas import analysis
from evonas.errors import UserError
from evonas.figures.labels import blocks, cut, hover, in_words
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
    Boxes,
    Label,
    Line,
    Mark,
    Picture,
    Points,
    counted,
)
from evonas.runs.run import Run
from evonas.runs.several import Runs

COLOURS = (BLUE, GREEN, PURPLE, ORANGE, SKY, RED)
SIZES = ("width", "channels", "out_channels", "filters", "units", "features")
"""Names of genes that are taken for the size of a block."""
LETTERS = 90
"""How many fit into the width of a figure, in the blocks of an architecture together."""


def lineage(run: Run | Runs, candidate: int) -> Picture:
    """A candidate and its ancestors, random ones on the left, each in the row that is nearest to its parents'.

    Raises:
        UserError: there is no such candidate, or several runs.
    """
    if isinstance(run, Runs):
        raise UserError(f"a lineage is of one run; choose one: runs.runs[{next(iter(run.runs))!r}]")
    family = run.lineage(candidate).sort_values("candidate")
    places = _places(family)
    x, y = ({index: place[axis] for index, place in places.items()} for axis in (0, 1))
    edges = [(p, c) for c, ps in zip(family["candidate"], family["parents"], strict=True) for p in ps if p in places]
    across = [value for p, c in edges for value in (x[p], x[c], math.nan)]
    up = [value for p, c in edges for value in (y[p], y[c], math.nan)]
    marks: list[Mark] = [Line("parent to child", across, up, GREY, width=1.0)]
    texts = pd.Series(_bred(family, hover(family, run.description["objectives"])), index=family.index)
    became = analysis.outcome(family)
    for outcome, colour in OUTCOMES.items():
        own = family[became == outcome]
        own_x, own_y = ([axis[index] for index in own["candidate"]] for axis in (x, y))
        if len(own):
            name = f"{LABELS[outcome]} ({len(own):,})"
            marks.append(Points(name, own_x, own_y, colour, list(texts[own.index]), 10, SYMBOLS[outcome]))
    if len(family) <= 40:
        marks += [Label(x[index], y[index] + 0.25, str(index)) for index in family["candidate"]]
    title = f"candidate {candidate} and its {len(family) - 1:,} ancestors"
    births = Axis("births behind its earliest random ancestor", ticks=counted(0, int(max(x.values()))))
    return Picture(title, births, Axis(ticks=[]), marks)


def architecture(run: Run, candidate: int) -> Picture:
    """The blocks of one candidate in order, from left to right, each as high as the logarithm of its size.

    The size of a block is its gene `width` or one of that meaning; one without is drawn as high as the smallest. A
    space of cells (`edge_0_1`, ...) is drawn as its graph.

    Raises:
        UserError: there is no such candidate.
    """
    rows = run.evaluations[run.evaluations["candidate"] == candidate]
    if rows.empty:
        raise analysis.not_evaluated(run.evaluations, candidate)
    parts = list(blocks(rows["arch"].iloc[0]))
    graph = [(name, genes) for name, genes in parts if genes and all(key.startswith("edge_") for key in genes)]
    others = [(name, genes) for name, genes in parts if (name, genes) not in graph]
    title = _summary(rows.iloc[0], run)
    if graph:
        return _graph(title, graph[0][1], others)
    across, up = Axis("blocks, from input to output", ticks=[]), Axis("size (logarithm)", ticks=[])
    return Picture(title, across, up, _row(parts))


def _places(family: pd.DataFrame) -> dict[int, tuple[float, float]]:
    """Column: births from a random one, the longest way. Row: the mean of its parents', moved to where there is room.

    family: by candidate, so that parents come before their children.
    """
    parents = {c: list(map(int, ps)) for c, ps in zip(family["candidate"], family["parents"], strict=True)}
    depth: dict[int, int] = {}
    for index, own in parents.items():
        depth[index] = 1 + max((depth[parent] for parent in own if parent in depth), default=-1)
    places: dict[int, tuple[float, float]] = {}
    for column in range(1 + max(depth.values())):
        members = [index for index in parents if depth[index] == column]
        wished = {index: _mean([places[p][1] for p in parents[index] if p in places]) for index in members}
        middle = _mean(list(wished.values()))
        for place, index in enumerate(sorted(members, key=wished.__getitem__)):
            places[index] = (float(column), middle + place - (len(members) - 1) / 2)
    return places


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _bred(family: pd.DataFrame, texts: Sequence[str]) -> list[str]:
    rows = zip(family["operator"], family["parents"], texts, strict=True)
    return [
        f"{text}\nbred by {how}" + (f" from {', '.join(map(str, ps))}" if len(ps) else "") for how, ps, text in rows
    ]


def _summary(row: "pd.Series[Any]", run: Run) -> str:
    known = [(o["column"], row[o["column"]], o["unit"]) for o in run.description["objectives"]]
    values = [f"{name} {value:.4g}{f' {u}' if u and u != name else ''}" for name, value, u in known if value == value]
    return ", ".join([f"candidate {row['candidate']}", *values])


def _size(genes: Mapping[str, Any]) -> float:
    sizes = [value for name, value in genes.items() if name.rpartition(".")[2] in SIZES]
    return next((float(value) for value in sizes if isinstance(value, int | float) and value > 0), 1.0)


def _row(parts: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Mark]:
    """Boxes of one kind of part have one colour; the kind is its name without a number."""
    largest = max((_size(genes) for _, genes in parts), default=1.0)
    kinds = list(dict.fromkeys(_kind(name) for name, _ in parts))
    marks: list[Mark] = []
    for number, kind in enumerate(kinds):
        own = [(place, name, genes) for place, (name, genes) in enumerate(parts) if _kind(name) == kind]
        heights = [0.4 + 0.6 * math.log2(1 + _size(genes)) / math.log2(1 + largest) for _, _, genes in own]
        texts = [f"{name}\n" + in_words(genes).replace(", ", "\n") for _, name, genes in own]
        written = ["\n".join(cut(line, max(4, LETTERS // len(parts))) for line in text.split("\n")) for text in texts]
        left, right = [float(place) + 0.05 for place, _, _ in own], [float(place) + 0.95 for place, _, _ in own]
        colour = COLOURS[number % len(COLOURS)]
        marks.append(Boxes(kind or "whole network", left, right, [0.0] * len(own), heights, colour, texts, written))
    return marks


def _graph(title: str, edges: Mapping[str, Any], others: Sequence[tuple[str, Mapping[str, Any]]]) -> Picture:
    """Nodes on a line, an arc for each edge, higher between nodes further apart. Edges of `none` are left out."""
    marks: list[Mark] = []
    operations = sorted({str(value) for value in edges.values()} - {"none"})
    nodes = 1 + max(int(name.rpartition("_")[2]) for name in edges)
    for number, operation in enumerate(operations):
        x: list[float] = []
        y: list[float] = []
        for name, value in edges.items():
            if str(value) == operation:
                start, end = (int(part) for part in name.split("_")[1:3])
                turn = np.linspace(0, math.pi, 20)
                x += [*(start + (end - start) * (1 - np.cos(turn)) / 2), math.nan]
                y += [*((end - start - 0.7) * 0.5 * np.sin(turn)), math.nan]
        marks.append(Line(operation, x, y, COLOURS[number % len(COLOURS)], [operation] * len(x), 2.5))
    texts = ["input", *(f"node {node}" for node in range(1, nodes - 1)), "output"]
    marks.append(Points("nodes of the cell", list(map(float, range(nodes))), [0.0] * nodes, "#000000", texts, 12))
    said = "; ".join(f"{name}: {in_words(genes)}" if name else in_words(genes) for name, genes in others)
    ticks = [(float(node), text) for node, text in enumerate(texts)]
    return Picture(
        f"{title}\n{said}" if said else title, Axis("cell, from input to output", ticks=ticks), Axis(ticks=[]), marks
    )


def _kind(name: str) -> str:
    return name.rstrip("0123456789").rstrip("._")
