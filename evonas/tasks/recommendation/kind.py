"""The options of task kind `recommendation`, and a task of it all."""

import numpy as np

from evonas.did_you_mean import unknown
from evonas.errors import UserError
from evonas.paths import expanded
from evonas.records import InputSpec, TaskSpec
from evonas.tasks.baselines import same_for_all
from evonas.tasks.metrics import TaskMetric, directions
from evonas.tasks.recommendation.interactions import HoldOut, Interactions, interactions
from evonas.tasks.recommendation.losses import Draws, Kind, RecommendationLoss
from evonas.tasks.recommendation.ranking import ITEMS, Seen, metric
from evonas.tasks.room import check_room
from evonas.tasks.table import read
from evonas.tasks.task import Array, Split, Splits, Task
from evonas.tasks.texts.vocabulary import Tokens

KNOWN = ("ndcg@10", "recall@10", "recall@20")
"""Metrics that a message names; the number may be another one."""
MOST_OFFERED = 100
"""Items up to which a metric is known as one of this kind where it is not listed."""


def recommendation(
    *,
    path: str,
    user: str = "user",
    item: str = "item",
    time: str = "",
    hold_out: HoldOut = "last",
    loss: Kind = "sampled_softmax",
    negatives: int = 100,
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
    metrics: tuple[str, ...] = ("ndcg@10", "recall@10"),
    encoding: str = "",
) -> Task:
    """A CSV or Parquet table with a row for each time that a user took an item (implicit feedback).

    A network, as of the space `two_tower`, takes the number of a user and gives a score for each item (items,). A
    training example is a pair of user and item, a validation or test example is a user with all items that are held
    out. Metrics rank all items that the user has not had before, and are means over users. The baseline recommends
    what most users took. Users and items are those of the training pairs; others cannot be recommended for, and are
    left out, which is said. A pair that is there several times counts once, at its first time.

    Args:
        path: the file.
        user: the column that says who.
        item: the column that says what.
        time: the column that says when: dates or whole numbers; default: rows are in order.
        hold_out: last: of each user with three items or more, the last one is for testing, the one before for
            validation. time: the last interactions of all are for testing, those before for validation.
        loss: sampled_softmax, bpr or softmax (over all items).
        negatives: items that are drawn for each example, for the first two.
        valid_fraction: share of the interactions, for `hold_out: time`.
        test_fraction: share of the interactions, for `hold_out: time`.
        metrics: recall@K and ndcg@K of any K, the main one first.
        encoding: of a CSV file; default: UTF-8 or UTF-16, else Windows-1252 where it can be that, which is said.

    Raises:
        UserError: there is no such file or column, a row names no user or item, or too little is left.
    """
    if negatives < 1:
        raise ValueError(f"negatives: takes 1 or more, not {negatives}")
    where = expanded(path, "task.path")
    notes: list[str] = []
    columns = {"user": user, "item": item, "time": time}
    if user == item or time in (user, item):
        raise UserError(f"task: user, item and time are columns of their own, not {', '.join(columns.values())}")
    found = interactions(read(where, encoding, notes), columns, hold_out, (valid_fraction, test_fraction), notes)
    users, items = len(found.users), len(found.items)
    check_room("task.path", f"what {users:,} users had of {items:,} items", 3 * users * items, False, "give fewer rows")
    chosen = _metrics(metrics, Seen.of(found.pairs, users, items))
    if beyond := [name for name in metrics if int(name.partition("@")[2]) >= items]:
        notes.append(
            f"{', '.join(beyond)}: there are {items:,} items, and a metric of all of them is a recall of 1 and an ndcg "
            "above 0 whatever the network"
        )
    splits = _splits(found)
    spec = TaskSpec(where.stem, InputSpec((), "int64", users), (items,), directions(chosen))
    counts = [len(pairs) for pairs in found.pairs.values()]
    notes.append(
        f"{users:,} users, {items:,} items; pairs: train {counts[0]:,}, valid {counts[1]:,}, test {counts[2]:,}"
    )
    popular = same_for_all("most popular items", chosen, splits, _popularity(found))
    return Task(
        spec,
        splits,
        Tokens(),
        RecommendationLoss(loss, negatives),
        chosen,
        found.items,
        tuple(notes),
        augment=None if loss == "softmax" else Draws(),
        baselines=popular,
        offered=tuple(f"{name}@{number}" for name in ("ndcg", "recall") for number in range(1, MOST_OFFERED + 1)),
        names=found.users,
    )


def _metrics(names: tuple[str, ...], seen: Seen) -> dict[str, TaskMetric]:
    chosen = {}
    for name in names:
        if (made := metric(name, seen)) is None:
            raise UserError(f"task.metrics: {unknown(name, KNOWN)}, with any number of items behind the @")
        chosen[name] = made
    if not names or len(chosen) < len(names):
        raise UserError(f"task.metrics: takes one name or more, each once, not {list(names)}")
    return chosen


def _splits(found: Interactions) -> Splits:
    """Pairs to train with, users to compare by."""
    held_out = {part: _by_user(found.pairs[part]) for part in ("valid", "test")}
    most = max(len(own) for users in held_out.values() for own in users.values())
    train = [(user, [item]) for user, item in found.pairs["train"].tolist()]
    return Splits(
        _split(train, 0, most),
        _split([*held_out["valid"].items()], 0, most),
        _split([*held_out["test"].items()], 1, most),
        drawn=("valid", "test"),
    )


def _by_user(pairs: Array) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for user, item in pairs.tolist():
        found.setdefault(user, []).append(item)
    return dict(sorted(found.items()))


def _split(examples: list[tuple[int, list[int]]], seen: int, most: int) -> Split:
    y = np.full((len(examples), ITEMS + most), -1, np.int64)
    for row, (user, own) in enumerate(examples):
        y[row, : ITEMS + len(own)] = (user, seen, 0, *own)
    return Split(np.array([user for user, _ in examples], np.int32), y)


def _popularity(found: Interactions) -> Array:
    """(items,) float32: scores that rank items by how many users took them in training, without ties."""
    counts = np.bincount(found.pairs["train"][:, 1], minlength=len(found.items))
    scores = np.empty(len(counts), np.float32)
    scores[np.argsort(-counts, kind="stable")] = -np.arange(len(counts))
    return scores
