"""Users and items of a table of interactions, and which of their pairs are held out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from evonas.did_you_mean import unknown
from evonas.errors import UserError
from evonas.tasks.class_folders import natural
from evonas.tasks.series.table import times_of
from evonas.tasks.splitting import check_fractions
from evonas.tasks.table.dates import dated
from evonas.tasks.task import Array

HoldOut = Literal["last", "time"]
NEEDED = 3
"""Interactions of a user of which one is for validation and one for testing."""


@dataclass(frozen=True, slots=True)
class Interactions:
    """Pairs of users and items, each once.

    Args:
        users: names, in order of their numbers.
        items: names, in order of their numbers.
        pairs: train, valid and test -> (n, 2) int64 numbers of users and items.
    """

    users: tuple[str, ...]
    items: tuple[str, ...]
    pairs: dict[str, Array]


def interactions(
    rows: Any, columns: dict[str, str], hold_out: HoldOut, fractions: tuple[float, float], notes: list[str]
) -> Interactions:
    """The interactions of a `pyarrow.Table`; adds notes of what is left out.

    Args:
        rows: one a pair.
        columns: user, item and time -> the column; "" where there is no time.
        hold_out: last: of each user, the last one for testing and the one before for validation. time: what was last.
        fractions: of valid and test, of all interactions by time.
        notes: for people.

    Raises:
        UserError: a column is not there or has gaps, or nothing is left to learn from or to test by.
    """
    for option, name in columns.items():
        if name and name not in rows.column_names:
            raise UserError(f"task.{option}: {unknown(name, rows.column_names)}")
    named = {option: _texts(rows, columns[option], option) for option in ("user", "item")}
    order = np.arange(len(rows))
    if columns["time"]:
        order = np.argsort(times_of(dated(rows, columns["time"]), columns["time"]), kind="stable")
    else:
        notes.append("time: none is named, so rows are taken in their order")
    pairs = np.array([*dict.fromkeys(zip(named["user"][order], named["item"][order], strict=True))], object)
    if len(pairs) < len(rows):
        notes.append(f"{len(rows) - len(pairs):,} of {len(rows):,} rows say again that a user took an item")
    part = _last(pairs[:, 0]) if hold_out == "last" else _by_time(len(pairs), fractions)
    return _numbered(pairs, part, notes)


def _texts(rows: Any, column: str, option: str) -> Array:
    values = rows[column].to_pylist()
    if not values:
        raise UserError("task.path: the table has no rows")
    if None in values:
        raise UserError(f"task.{option}: {column} has no value in row {values.index(None) + 1:,}; leave such rows out")
    return np.array([str(value) for value in values], object)


def _last(users: Array) -> Array:
    """(n,) 0, 1 and 2 of train, valid and test, of pairs in the order of time."""
    part = np.zeros(len(users), np.int64)
    rows: dict[str, list[int]] = {}
    for row, user in enumerate(users):
        rows.setdefault(user, []).append(row)
    for own in rows.values():
        if len(own) >= NEEDED:
            part[own[-1]], part[own[-2]] = 2, 1
    return part


def _by_time(count: int, fractions: tuple[float, float]) -> Array:
    check_fractions(fractions)
    valid, test = fractions
    at = np.arange(count) / count
    found: Array = (at >= 1 - valid - test).astype(np.int64) + (at >= 1 - test)
    return found


def _numbered(pairs: Array, part: Array, notes: list[str]) -> Interactions:
    """Without pairs that are held out of users or items that training does not know."""
    train = pairs[part == 0]
    if not len(train):
        raise UserError(f"task: no interaction is left for training; hold_out: last takes users with {NEEDED} or more")
    users, items = (tuple(sorted(set(train[:, side].tolist()), key=natural)) for side in (0, 1))
    numbers = [{name: number for number, name in enumerate(names)} for names in (users, items)]
    if len(items) < 2:
        raise UserError(f"task.item: training has one item, {items[0]}, so there is nothing to choose from")
    found = {}
    for number, name in enumerate(("train", "valid", "test")):
        own = pairs[part == number]
        known = [user in numbers[0] and item in numbers[1] for user, item in own]
        if strangers := len(own) - sum(known):
            notes.append(f"left out of {name} are {strangers:,} pairs of users or items that training does not know")
        found[name] = _in_numbers(own[np.array(known, bool)], numbers)
        if not len(found[name]):
            raise UserError(
                f"task: nothing is left for {name}; hold_out: last takes users with {NEEDED} interactions or more, and "
                "items that others took, too"
            )
    return Interactions(users, items, found)


def _in_numbers(pairs: Array, numbers: Sequence[dict[str, int]]) -> Array:
    return np.array([[numbers[0][user], numbers[1][item]] for user, item in pairs], np.int64).reshape(-1, 2)
