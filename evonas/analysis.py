"""Frames of a run -> fronts, populations, lineages. Pure functions; neither torch nor Ray nor pymoo is needed.

A frame of evaluations has the columns of `evonas.store.evaluations_schema`.
"""

import operator
import re
from collections.abc import Sequence
from typing import Any

import moocore
import numpy as np
import pandas as pd
import pyarrow as pa

from evonas.config import unknown
from evonas.records import UserError
from evonas.store import Folder, Tables, evaluations_schema, read_journal_rows, read_measured, read_tables

_COMPARE = {"<=": operator.le, ">=": operator.ge, "==": operator.eq, "<": operator.lt, ">": operator.gt}


def evaluations(folder: Folder, description: dict[str, Any]) -> pd.DataFrame:
    """Every decided candidate of a run, live or finished, by index; `generation` is missing for the newest."""
    schema = evaluations_schema(description["metrics"], description["targets"])
    rows = read_journal_rows(folder)  # first: what a live search commits meanwhile is then seen twice, not never
    tables = read_tables(folder, description["metrics"], description["targets"])
    committed = _table(tables, "evaluations", schema)
    known = set(committed["candidate"].to_pylist())
    loose = pa.Table.from_pylist([row for row in rows if row["candidate"] not in known], schema=schema)
    frame: pd.DataFrame = pa.concat_tables([committed, loose]).to_pandas(maps_as_pydicts="strict")
    for column in ("generation", "position"):
        frame[column] = frame[column].astype("Int64")
    return frame.sort_values("candidate", ignore_index=True)


def populations(folder: Folder, description: dict[str, Any]) -> pd.DataFrame:
    """The survivors of every generation, best first: generation, candidate, rank, crowding."""
    tables = read_tables(folder, description["metrics"], description["targets"]).populations
    frame: pd.DataFrame = pa.concat_tables(tables).to_pandas() if tables else pd.DataFrame()
    return frame


def front(frame: pd.DataFrame, columns: Sequence[str], signs: Sequence[int]) -> pd.DataFrame:
    """The fully trained, feasible candidates that none dominates, by the first objective.

    columns, signs: the objectives, and -1 for each that is maximised.
    """
    able = frame[(frame["status"] == "ok") & (frame["violation"] == 0)]
    if able.empty:
        return able
    values = able[list(columns)].to_numpy(float) * np.asarray(signs)
    best: pd.DataFrame = able[moocore.is_nondominated(values, keep_weakly=True)]
    return best.sort_values([*columns, "candidate"])


def measured(folder: Folder) -> pd.DataFrame:
    """What the front took at the end of a run with latency tables: candidate, message (why it could not be measured),
    metrics."""
    rows = {row["candidate"]: row for row in read_measured(folder)}
    found = [{"candidate": i, "message": row["message"], **row["metrics"]} for i, row in sorted(rows.items())]
    return pd.DataFrame(found, columns=None if found else ["candidate", "message"])


def mismatch(frame: pd.DataFrame, measured: pd.DataFrame, targets: Sequence[str]) -> pd.DataFrame:
    """How far a table is from the device on the networks of the front: target, networks, mean_error, kendall_tau.

    mean_error: of the absolute differences, as a share of what was measured. kendall_tau: between the order that the
    table gives and the one measured; 1 is the same order (tau-b, which allows for ties).
    """
    rows = []
    for target in targets:
        column = f"latency_ms[{target}]"
        if column not in measured:
            continue
        both = measured[["candidate", column]].dropna().merge(frame[["candidate", column]], on="candidate")
        real, table = both[f"{column}_x"], both[f"{column}_y"]
        error = float(((table - real).abs() / real).mean())
        tau = float(real.corr(table, method="kendall")) if len(both) > 1 else float("nan")
        rows.append({"target": target, "networks": len(both), "mean_error": error, "kendall_tau": tau})
    return pd.DataFrame(rows, columns=["target", "networks", "mean_error", "kendall_tau"])


def lineage(frame: pd.DataFrame, candidate: int) -> pd.DataFrame:
    """A candidate and all its ancestors, founders first."""
    parents = dict(zip(frame["candidate"], frame["parents"], strict=True))
    if candidate not in parents:
        raise UserError(f"no decided candidate {candidate}; the run has {len(frame):,}")
    family, open_ends = set(), [candidate]
    while open_ends:
        member = open_ends.pop()
        if member not in family:
            family.add(member)
            open_ends += list(parents.get(member, ()))
    return frame[frame["candidate"].isin(family)]


def where(frame: pd.DataFrame, conditions: Sequence[str]) -> pd.DataFrame:
    """The rows that meet every condition, e.g. "latency_ms[cpu]<=5".

    Raises:
        UserError: a condition is not COLUMN OPERATOR VALUE, or there is no such column.
    """
    for condition in conditions:
        frame = frame[_met(frame, condition)]
    return frame


def _met(frame: pd.DataFrame, condition: str) -> "pd.Series[bool]":
    parts = re.fullmatch(r"\s*(\S+?)\s*(<=|>=|==|<|>)\s*(\S+)\s*", condition)
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
    met: pd.Series[bool] = _COMPARE[compare](frame[column], value)
    return met.fillna(False).astype(bool)


def _table(tables: Tables, name: str, schema: pa.Schema) -> pa.Table:
    found = getattr(tables, name)
    return pa.concat_tables(found) if found else schema.empty_table()
