"""A run folder -> data frames, and what all functions on frames need.

A frame of evaluations has the columns of `evonas.store.evaluations_schema`; one of several runs has `run` before them.
"""

import operator
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from evonas.did_you_mean import unknown
from evonas.errors import UserError
from evonas.store import (
    Folder,
    Recovered,
    Tables,
    evaluations_schema,
    read_journal_rows,
    read_measured,
    read_tables,
    refined_conditions,
    refined_metrics,
)
from evonas.store.final import read_final, read_tests

_COMPARE = {"<=": operator.le, ">=": operator.ge, "==": operator.eq, "<": operator.lt, ">": operator.gt}


def evaluations(folder: Folder, description: dict[str, Any]) -> pd.DataFrame:
    """Every evaluated candidate of a run, live or finished, by index, without its scores; `generation` is missing for
    the newest."""
    return recorded(folder, description).drop(columns="scores")


def recorded(folder: Folder, description: dict[str, Any]) -> pd.DataFrame:
    """As `evaluations`, with the column `scores`: metric -> bytes of `evonas.scores`."""
    schema = evaluations_schema(description["metrics"], description["targets"])
    rows = read_journal_rows(folder)  # first: what a live search commits meanwhile is then seen twice, not never
    tables = read_tables(folder, description["metrics"], description["targets"])
    committed = _table(tables, "evaluations", schema)
    known = set(committed["candidate"].to_pylist())
    loose = pa.Table.from_pylist([row for row in rows if row["candidate"] not in known], schema=schema)
    frame: pd.DataFrame = pa.concat_tables([committed, loose]).to_pandas(maps_as_pydicts="strict", use_threads=False)
    for column in ("generation", "position"):
        frame[column] = frame[column].astype("Int64")
    return _refined(frame.sort_values("candidate", ignore_index=True), folder)


def _refined(frame: pd.DataFrame, folder: Folder) -> pd.DataFrame:
    """With what the search measured to the end after it, in the place of what had been measured for a moment."""
    places = {candidate: place for place, candidate in enumerate(frame["candidate"])}
    conditions: list[dict[str, str]] = frame["conditions"].tolist()
    for row in read_measured(folder, by_search=True):
        place = places.get(row["candidate"])
        if row["message"] or place is None:
            continue
        for name, value in refined_metrics(row["metrics"], conditions[place]).items():
            frame.loc[place, name] = value
        conditions[place] = refined_conditions(row["conditions"], conditions[place])
    return frame.assign(conditions=pd.Series(conditions, index=frame.index, dtype=object))


def populations(folder: Folder, description: dict[str, Any]) -> pd.DataFrame:
    """The survivors of every generation, best first: generation, candidate, rank, crowding."""
    tables = read_tables(folder, description["metrics"], description["targets"]).populations
    frame: pd.DataFrame = pa.concat_tables(tables).to_pandas(use_threads=False) if tables else pd.DataFrame()
    return frame


def unfinished(record: Recovered) -> pd.DataFrame:
    """Candidates that were bred and are not evaluated: candidate, genome, parents, operator, rungs (reached by now),
    status."""
    rows = [
        {
            "candidate": candidate.index,
            "genome": list(candidate.genome),
            "parents": list(candidate.parents),
            "operator": candidate.operator,
            "rungs": len(reached),
            "status": "unfinished",
        }
        for candidate, reached in record.births()
        if reached is not None
    ]
    return pd.DataFrame(rows, columns=["candidate", "genome", "parents", "operator", "rungs", "status"])


def measured(folder: Folder, description: Mapping[str, Any]) -> pd.DataFrame:
    """What the front took when it was measured after the search, on targets whose latencies came from a table or by
    `evonas measure --front`: candidate, message (why it could not be measured), metrics; of what was measured more than
    once, the last."""
    rows: dict[int, dict[str, Any]] = {}
    tables = tuple(f"[{target}]" for target in description["tables"])
    for by_search in (True, False):
        for row in read_measured(folder, by_search):
            metrics = {k: v for k, v in row["metrics"].items() if not by_search or (tables and k.endswith(tables))}
            if metrics or row["message"]:
                rows[row["candidate"]] = rows.get(row["candidate"], {}) | {"message": row["message"], **metrics}
            else:  # what failed at an earlier start
                rows.pop(row["candidate"], None)
    found = [{"candidate": i, **row} for i, row in sorted(rows.items())]
    return pd.DataFrame(found, columns=None if found else ["candidate", "message"])


def final(folder: Folder) -> pd.DataFrame:
    """Networks that were trained to the end, a row each, by number: candidate, key (how it was trained), status,
    message, seeds, epochs, fit_on, training and final (both JSON), weights, weights_sha256, finished_at, and a column
    each metric: valid[M], test[M] with the ends of its interval over examples, seeds_low[M] and seeds_high[M],
    latency_ms[T] and its ends. Of a network that was trained in several ways, all."""
    rows = [row for row in read_final(folder) if row["stage"] == "network"]
    names = ("candidate", "key", "status", "message", "number", "epochs", "fit_on", "training", "final")
    kept = (*names, "weights", "weights_sha256", "finished_at")
    found = [{**{name: row[name] for name in kept}, **row["metrics"]} for row in rows]
    frame = pd.DataFrame(found, columns=None if found else list(kept)).rename(columns={"number": "seeds"})
    return frame.sort_values(["candidate", "finished_at"], ignore_index=True)


def trainings(folder: Folder) -> pd.DataFrame:
    """Every training of `evonas train`, and the row that sums a network up: candidate, key, stage (trial, seed,
    network), number, status, epochs, started_at, finished_at (seconds since the epoch, of the last attempt), measure_s
    (of a network: seconds that measuring it took; NaN where they were not recorded)."""
    kept = ("candidate", "key", "stage", "number", "status", "epochs", "started_at", "finished_at")
    found = [
        {**{name: row[name] for name in kept}, "measure_s": float(row["conditions"].get("measure_s", "nan"))}
        for row in read_final(folder)
    ]
    return pd.DataFrame(found, columns=[*kept, "measure_s"])


def tests(folder: Folder) -> pd.DataFrame:
    """Every look at the test examples by `evonas test`: candidate, weights (search, final or a file's name),
    weights_sha256, examples, at (seconds since the epoch), and a column each metric with the ends of its interval."""
    kept = ("candidate", "weights", "weights_sha256", "examples", "at")
    found = [{**{name: row[name] for name in kept}, **row["metrics"]} for row in read_tests(folder)]
    return pd.DataFrame(found, columns=None if found else list(kept))


def where(frame: pd.DataFrame, conditions: Sequence[str]) -> pd.DataFrame:
    """The rows that meet every condition, e.g. "latency_ms[cpu]<=5".

    Raises:
        UserError: a condition is not COLUMN OPERATOR VALUE, or there is no such column.
    """
    for condition in conditions:
        frame = frame[_met(frame, condition)]
    return frame


def _met(frame: pd.DataFrame, condition: str) -> "pd.Series[bool]":
    parts = re.fullmatch(r"\s*(\S+?)\s*(<=|>=|==|<|>)\s*([^\s<>=]\S*)\s*", condition)
    if not parts:
        raise UserError(f'--where takes COLUMN OPERATOR VALUE, e.g. "params<=20000", not {condition!r}')
    column, compare, text = parts.groups()
    scalars = [name for name in frame if not frame[name].map(pd.api.types.is_list_like).any()]
    if column not in scalars:
        raise UserError(f"--where: {unknown(column, map(str, scalars))}")
    value: str | float = text
    if pd.api.types.is_numeric_dtype(frame[column]):
        try:
            value = float(text)
        except ValueError:
            raise UserError(f"--where: {column} is a number, {text!r} is not") from None
        if value != value:
            raise UserError("--where: nothing can be compared with nan")
    met: pd.Series[bool] = _COMPARE[compare](frame[column], value)
    return met.fillna(False).astype(bool)


def _table(tables: Tables, name: str, schema: pa.Schema) -> pa.Table:
    found = getattr(tables, name)
    return pa.concat_tables(found) if found else schema.empty_table()


def together(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Frames of several runs as one, by the name of the run: the column `run` comes before those of the frames.

    Columns that only some runs have are missing values in the others.
    """
    named = [frame.assign(run=name) for name, frame in frames.items() if len(frame.columns)]
    if not named:
        return pd.DataFrame(columns=["run"])
    frame = pd.concat(named, ignore_index=True)
    return frame[["run", *frame.columns.drop("run")]]


def by_run(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each run of a frame by name; one without a column `run` is one run, with an empty name."""
    if "run" not in frame:
        yield "", frame
        return
    for name, part in frame.groupby("run", sort=False):
        yield str(name), part


def one_run(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame, where a candidate's index names one row.

    Raises:
        UserError: it has several runs.
    """
    names = list(frame["run"].unique()) if "run" in frame else []
    if len(names) > 1:
        raise UserError(
            f"this takes one run, the frame has {len(names)}; choose one: frame[frame['run'] == {names[0]!r}]"
        )
    return frame


def need(frame: pd.DataFrame, columns: Iterable[str]) -> None:
    """
    Raises:
        UserError: a column is missing; it names the nearest.
    """
    for column in columns:
        if column not in frame:
            raise UserError(f"column: {unknown(column, map(str, frame.columns))}")


def able(frame: pd.DataFrame) -> pd.DataFrame:
    """The fully trained, feasible candidates."""
    return frame[(frame["status"] == "ok") & (frame["violation"] == 0)]


def started(frame: pd.DataFrame) -> "pd.Series[float]":
    """When each evaluation began, in seconds since the epoch.

    Of one that ended without a word, only the end and what it took are recorded.
    """
    return frame["started_at"].where(frame["started_at"] > 0, frame["finished_at"] - frame["train_s"])


def minimised(frame: pd.DataFrame, columns: Sequence[str], signs: Sequence[int]) -> NDArray[np.float64]:
    """The objectives as values of which less is better, shape (rows, objectives)."""
    need(frame, columns)
    values: NDArray[np.float64] = frame[list(columns)].to_numpy(float) * np.asarray(signs, dtype=float)
    return values
