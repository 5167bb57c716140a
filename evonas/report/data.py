"""A run -> one document of plain JSON values, small enough to travel inside a page.

Columns and not rows, numbers of six significant digits, texts once: 2,000 candidates stay far below 8 MB. What grows
without a bound, the curves and the architectures, has a budget, and the page says what was left out.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from evonas import analysis
from evonas.config import Config
from evonas.config.messages import validated
from evonas.errors import UserError
from evonas.inputs import from_plain, in_words
from evonas.report import summary
from evonas.runs.logs import logged
from evonas.runs.run import Run
from evonas.store import weights_name

DIGITS = 6  # four are shown; one more and those would be rounded twice
CURVE_POINTS = 100_000  # about 2.5 MB
LEAST_POINTS = 8
MOST_POINTS = 200
ARCH_BYTES = 3_000_000
MESSAGE_CHARACTERS = 400


def document(run: Run) -> dict[str, Any]:
    """All that the page shows.

    columns: one list a column, all in the order of `candidate`; `status`, `operator` and `message` are places in the
    list of that name in `texts`; `curve` has four numbers a point: epoch, both losses, metric. `arch` is null where it
    was left out; `p_front` where it is unknown or the candidate does not compete. certainty: of each member of the
    front, in its order, intervals by column and the members that it cannot be told from.

    Raises:
        UserError: the run is damaged.
    """
    _check(run)
    frame, front = run.evaluations, run.front()
    axes = summary.axes(run.description)
    certainty = run.certainty()
    picks = analysis.recommended(run.description, front, certainty)
    return {
        "run": str(run.folder),
        "state": run.state,
        "live": run.state == "running",
        "task": _task(run.description),
        "summary": summary.summary(run, front),
        "picks": picks,
        "outcomes": summary.outcomes(frame),
        "axes": axes,
        "objectives": run.objectives,
        "limits": summary.limits(run.description),
        "rungs": list(run.description["config"]["training"]["rungs"]),
        "front": [int(i) for i in front["candidate"]],
        "certainty": _certainty(run, certainty),
        "final": _final(run),
        "kept": _kept(run),
        "logged": logged(run.folder),
        "command": summary.command(run),
        **_columns(frame, [axis["column"] for axis in axes], set(front["candidate"]), _chances(run)),
    }


def _task(description: Mapping[str, Any]) -> dict[str, str]:
    """What a network takes in and gives out, in words, and what its learning curve shows."""
    task = description["task"]
    metric, direction = analysis.main_metric(description)
    output = " x ".join(map(str, task["output_shape"]))
    takes = in_words(from_plain(task["input"]))
    return {"input": takes, "output": output, "metric": metric, "direction": direction}


def number(value: Any) -> float | int | None:
    """Six significant digits, whole numbers as they are; None for what JSON has no number for."""
    real = float(value)
    if not math.isfinite(real):
        return None
    return int(real) if real.is_integer() and abs(real) < 2**53 else float(f"{real:.{DIGITS}g}")


def _certainty(run: Run, certainty: pd.DataFrame) -> list[dict[str, Any]]:
    noisy = [name for name, noise in run.drawn.noise.items() if noise != "exact"]
    found = []
    for row in certainty.to_dict("records"):
        ends = {name: [number(row[end]) for end in analysis.ends(name)] for name in noisy}
        found.append({"intervals": ends, "alike": row["indistinguishable"] or []})
    return found


def _final(run: Run) -> dict[str, dict[str, float | int | None]]:
    """By candidate, what is known of networks that were trained to the end: epochs, seeds and a value a column."""
    kept = ("valid[", "test", "seeds", "epochs", "latency")
    rows = run.final[run.final["status"] == "ok"].to_dict("records")
    return {
        str(int(row["candidate"])): {
            str(name): number(value) for name, value in row.items() if str(name).startswith(kept) and not pd.isna(value)
        }
        for row in rows
    }


def _chances(run: Run) -> "pd.Series[float]":
    """By candidate; 0 of those that compete and come too little near the front."""
    known = analysis.p_front(run.drawn)
    compete = analysis.able(run.evaluations)["candidate"]
    return known.reindex(compete, fill_value=0.0 if run.drawn.known else math.nan)


def _columns(
    frame: pd.DataFrame, metrics: Sequence[str], front: set[int], chances: "pd.Series[float]"
) -> dict[str, Any]:
    texts: dict[str, list[str]] = {}
    coded: dict[str, list[int]] = {}
    for name in ("status", "operator", "message"):
        codes, known = pd.factorize(frame[name].fillna("").str.slice(0, MESSAGE_CHARACTERS))
        coded[name], texts[name] = codes.tolist(), [str(text) for text in known]
    generations = frame["generation"].fillna(0).astype(int)
    columns = {
        "candidate": frame["candidate"].tolist(),
        "generation": generations.tolist(),
        "parents": [np.asarray(parents).tolist() for parents in frame["parents"]],
        **coded,
        "p_front": [number(p) for p in chances.reindex(frame["candidate"])],
        "epochs": frame["epochs"].tolist(),
        "train_s": [number(seconds) for seconds in frame["train_s"]],
        "measure_s": [number(seconds) for seconds in frame["measure_s"]],
        "usd": [number(usd) for usd in frame["usd"].astype(float)],
        "arch": _archs(frame, front),
        "curve": _curves(frame, front),
    }
    values = {name: [number(value) for value in frame[name]] for name in metrics}
    return {"columns": columns, "values": values, "texts": texts}


def _archs(frame: pd.DataFrame, front: set[int]) -> list[Any]:
    """Parsed architectures while there is room: those of the front first, then those of trained networks."""
    room = ARCH_BYTES
    archs = [_parsed(text) for text in frame["arch"]]
    off, untrained = ~frame["candidate"].isin(front).to_numpy(), (frame["status"] != "ok").to_numpy()
    for i in np.lexsort((untrained, off)):
        room -= len(json.dumps(archs[i], separators=(",", ":")))
        if room < 0:
            archs[i] = None
    return archs


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text


def _curves(frame: pd.DataFrame, front: set[int]) -> list[list[float | int | None]]:
    """Half of the budget is the front's, the other half is shared by all others."""
    on, off = (min(MOST_POINTS, max(LEAST_POINTS, CURVE_POINTS // 2 // max(1, n))) for n in (len(front), len(frame)))
    pairs = zip(frame["candidate"], frame["curve"], strict=True)
    return [_curve(list(curve), on if index in front else off) for index, curve in pairs]


def _curve(points: Sequence[Mapping[str, Any]], most: int) -> list[float | int | None]:
    """Evenly thinned to `most` points; the last one, which counts, is always there."""
    if len(points) > most:
        points = [points[i] for i in np.linspace(0, len(points) - 1, most).round().astype(int)]
    return [value for point in points for value in _point(point)]


def _point(point: Mapping[str, Any]) -> Iterable[float | int | None]:
    yield int(point["epoch"])
    for name in ("train_loss", "valid_loss", "valid_metric"):
        yield None if point[name] is None else number(point[name])


def _kept(run: Run) -> list[int]:
    """Candidates whose trained weights are in the run folder."""
    names = set(run.folder.names("weights"))
    return [int(i) for i in run.evaluations["candidate"] if weights_name(i).rpartition("/")[2] in names]


def _check(run: Run) -> None:
    """What is in run.json becomes part of a line that people paste into a shell.

    Raises:
        UserError: it is not what a search writes.
    """
    where = f"{run.folder}/run.json"
    validated(Config, run.description["config"], f"{where}: config")
    task = run.description["task"]
    try:
        from_plain(task["input"])
        whole = all(type(length) is int for length in task["output_shape"])
    except (ValueError, KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise UserError(f"{where}: task takes shapes of whole numbers as input and output_shape, not {task}")
