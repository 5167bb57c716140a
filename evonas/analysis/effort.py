"""What a search spent its time on: outcomes, workers, and whether early stopping was right."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evonas.analysis.frames import able, by_run, minimised, one_run, started
from evonas.errors import UserError
from evonas.objectives.promotion import went_on

OUTCOMES = {"ok": "trained", "stopped": "stopped", "infeasible": "infeasible"}
MOST = 1000
"""Candidates whose pairs are compared at most, evenly spaced by index; their pairs are half a million."""


def outcome(frame: pd.DataFrame) -> "pd.Series[str]":
    """Of each row: trained, stopped, infeasible or failed."""
    return frame["status"].map(lambda status: OUTCOMES.get(status, "failed"))


def outcomes(frame: pd.DataFrame) -> pd.DataFrame:
    """What became of the candidates and what it took, of all runs of the frame together.

    Returns:
        outcome, candidates, share (of the candidates), hours (of workers), gpu_hours (hours x the worker's share of a
        GPU, `conditions["gpus"]`; 0 without one), measure_hours, paused_hours (training waited for measurements),
        saved_hours (what measurements took once that were known from before, by an earlier attempt too),
        saved_gpu_hours, effort (share of all GPU hours; of all hours where there are none)
    """
    hours = (frame["finished_at"] - started(frame)) / 3600
    gpus, saved = frame["conditions"].map(_gpus), frame["conditions"].map(_saved_s) / 3600
    rows = pd.DataFrame(
        {
            "outcome": outcome(frame),
            "candidates": 1,
            "hours": hours,
            "gpu_hours": hours * gpus,
            "measure_hours": frame["measure_s"] / 3600,
            "paused_hours": frame["paused_s"] / 3600,
            "saved_hours": saved,
            "saved_gpu_hours": saved * gpus,
        }
    )
    order = [*OUTCOMES.values(), "failed"]
    sums = rows.groupby("outcome").sum().reindex(order, fill_value=0)
    weight = sums["gpu_hours"] if sums["gpu_hours"].sum() else sums["hours"]
    sums.insert(1, "share", sums["candidates"] / max(1, len(rows)))
    return sums.assign(effort=weight / (weight.sum() or 1.0)).reset_index()


def timeline(frame: pd.DataFrame) -> pd.DataFrame:
    """When and where each candidate was in work, by run, host and lane.

    A row does not name its worker: the evaluations of a host are laid into as few lanes as hold them without overlap,
    the earliest start first, which is optimal for intervals.

    Returns:
        run (where the frame has it), candidate, host, lane (from 0), start and end (hours since the first start of the
        run), outcome, queued_s, measure_s, train_s, paused_s
    """
    parts = []
    for _, part in by_run(frame):
        begin = started(part).min()
        times = {"start": (started(part) - begin) / 3600, "end": (part["finished_at"] - begin) / 3600}
        rows = part.assign(host=part["conditions"].map(_host), outcome=outcome(part), **times)
        lanes = [_lanes(own.sort_values(["start", "candidate"])) for _, own in rows.groupby("host")]
        parts.append(pd.concat(lanes) if lanes else rows.assign(lane=pd.Series(dtype=int)))
    shown = ["candidate", "host", "lane", "start", "end", "outcome", "queued_s", "measure_s", "train_s", "paused_s"]
    return pd.concat(parts, ignore_index=True)[[*(["run"] if "run" in frame else []), *shown]]


def utilisation(frame: pd.DataFrame, workers: int | None = None, bins: int = 100) -> pd.DataFrame:
    """How many candidates were in work, on average over equal stretches of time, of each run.

    Args:
        workers: how many there were; by default as many as were ever busy at once, so that idle ones go unnoticed.

    Returns:
        run (where the frame has it), start, end (hours since the first start of an evaluation), busy (mean number of
        candidates in work), workers, share (busy / workers)
    """
    if bins < 1 or (workers is not None and workers < 1):
        raise UserError("utilisation: bins and workers are 1 or more")
    parts = []
    for name, part in by_run(frame):
        times = np.column_stack([started(part), part["finished_at"]])
        spans = (times - times.min(initial=np.inf)) / 3600
        edges = np.linspace(0.0, spans[:, 1].max(initial=0.0), bins + 1)
        # Work done up to an edge is what each evaluation had done by then; a stretch is the difference of two edges.
        done = np.array([(np.clip(edge, spans[:, 0], spans[:, 1]) - spans[:, 0]).sum() for edge in edges])
        busy = np.diff(done) / np.maximum(np.diff(edges), 1e-12)
        most = workers or _most_at_once(spans)
        found = {"start": edges[:-1], "end": edges[1:], "busy": busy, "workers": most, "share": busy / max(1, most)}
        parts.append(pd.DataFrame({**({"run": name} if "run" in frame else {}), **found}))
    return pd.concat(parts, ignore_index=True)


def stopping_audit(frame: pd.DataFrame, columns: Sequence[str], signs: Sequence[int]) -> pd.DataFrame:
    """How often what a rung says of two candidates agrees with what they are in the end.

    Pairs of fully trained, feasible candidates are compared at each rung and at the end: one dominates the other, or
    neither does. What stopped candidates would have become is not known; they are counted and not judged, so that this
    says how far a rung can be trusted among those that it let pass. Of more than 1,000, so many are compared, evenly
    spaced by index.

    Returns:
        rung (from 0), reached, stopped (there), candidates (fully trained that were compared), pairs, agreement (share
        of pairs with the same answer), reversed (share of pairs where the other one dominates in the end), kendall_tau
        (of the first objective, at the rung against the end; tau-b), kendall_tau_best (the same of the tenth that is
        best in the end, where that is five or more), front_lost (members of the final front that another candidate
        dominates at the rung), spared (of those trained, how many the decision before training would have stopped,
        but for their draw), spared_on_front (of these, members of the final front: what is lost by that decision, as a
        share of `spared`). At rung 0, before training, what is compared is what was expected.

    Raises:
        UserError: the frame has several runs, the rungs of which need not be the same.
    """
    one_run(frame)
    gone = went_on(zip(frame["operator"], frame["parents"], strict=True))
    frame = frame[~frame["candidate"].isin(gone)]  # they went on in another row
    reached = frame["rungs"].map(len)
    trained = able(frame).sort_values("candidate")
    trained = trained.iloc[np.unique(np.linspace(0, len(trained) - 1, min(MOST, len(trained))).astype(int))]
    end = _answers(minimised(trained, columns, signs))
    best = ~(end < 0).any(1)
    rows = []
    for rung in range(int(reached.max()) - 1 if len(frame) else 0):
        there = trained.assign(**{column: trained["rungs"].map(_at(rung, column)) for column in columns})
        known = there[list(columns)].notna().all(axis=1).to_numpy()  # early ones nothing was expected of
        spared = trained["rungs"].map(_spared).to_numpy(bool) if rung == 0 else np.zeros(len(trained), bool)
        answers = _answers(minimised(there, columns, signs))
        rows_, columns_ = np.triu_indices(len(trained), 1)
        upper = tuple(side[known[rows_] & known[columns_]] for side in (rows_, columns_))
        now, then = answers[upper], end[upper]
        before, after = (part.loc[known, columns[0]].to_numpy(float) for part in (there, trained))
        tenth = np.argsort(signs[0] * after, kind="stable")[: max(5, len(after) // 10)]
        rows.append(
            {
                "rung": rung,
                "reached": int((reached > rung).sum()),
                "stopped": int(((reached == rung + 1) & (frame["status"] == "stopped")).sum()),
                "candidates": len(trained),
                "pairs": len(now),
                "agreement": _share(now == then),
                "reversed": _share((now == -then) & (now != 0)),
                "kendall_tau": _kendall(before, after),
                "kendall_tau_best": _kendall(before[tenth], after[tenth]),
                "spared": int(spared.sum()),
                "spared_on_front": int((spared & best).sum()),
                "front_lost": int((best & (answers < 0).any(1)).sum()),
            }
        )
    return pd.DataFrame(rows)


def _answers(values: NDArray[np.float64]) -> NDArray[np.int8]:
    """1 where the row's candidate dominates the column's, -1 where it is dominated, else 0."""
    n = len(values)
    result = np.zeros((n, n), dtype=np.int8)
    for i, own in enumerate(values):
        beats = (own <= values).all(1) & (own < values).any(1)
        beaten = (values <= own).all(1) & (values < own).any(1)
        result[i] = beats.astype(np.int8) - beaten.astype(np.int8)
    return result


def _kendall(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Kendall's tau-b, by its definition."""
    x, y = np.sign(a[:, None] - a), np.sign(b[:, None] - b)
    scale = np.sqrt((x**2).sum() * (y**2).sum())
    return float((x * y).sum() / scale) if scale else float("nan")


def _at(rung: int, column: str) -> Any:
    """Of the rungs of a row, what the column was there; before training, what was expected of it."""

    def found(rungs: Any) -> float:
        metrics = dict(rungs[rung]["metrics"]) if len(rungs) > rung else {}
        name = f"before.{column}" if rung == 0 and column not in metrics else column
        return float(metrics[name]) if name in metrics else np.nan

    return found


def _spared(rungs: Any) -> bool:
    """Whether only its draw had it trained."""
    metrics = dict(rungs[0]["metrics"])
    gain, threshold = (metrics.get(f"before.{name}", np.nan) for name in ("gain", "threshold"))
    return bool(metrics.get("before.always", 0) and gain < threshold)


def _share(met: NDArray[np.bool_]) -> float:
    return float(met.mean()) if len(met) else float("nan")


def _lanes(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows, by start, with the first lane that is free."""
    ends: list[float] = []
    lanes = []
    for start, end in zip(rows["start"], rows["end"], strict=True):
        lane = next((i for i, busy_until in enumerate(ends) if busy_until <= start), len(ends))
        ends[lane : lane + 1] = [end]
        lanes.append(lane)
    return rows.assign(lane=lanes)


def _most_at_once(spans: NDArray[np.float64]) -> int:
    """Ends come before starts at the same time: a worker that goes on is one worker."""
    changes = sorted([(start, 1) for start, _ in spans] + [(end, -1) for _, end in spans])
    return int(max(np.cumsum([step for _, step in changes]), default=0))


def _gpus(conditions: Any) -> float:
    return float(dict(conditions or {}).get("gpus", 0.0))


def _saved_s(conditions: Any) -> float:
    """Of a candidate that was not measured on a target, because the network was before."""
    known = dict(conditions or {})
    targets = [key.removeprefix("measured") for key, text in known.items() if key.startswith("measured[")]
    return sum(float(known.get(f"took_s{target}", 0.0)) for target in targets)


def _host(conditions: Any) -> str:
    return str(dict(conditions or {}).get("host", ""))
