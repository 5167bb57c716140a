"""Which genes matter, and which choices a front shares. Needs scikit-learn for importance (the extra `analysis`)."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evonas.analysis.frames import able, need
from evonas.errors import UserError
from evonas.installing import how_to_install

FEWEST = 20
"""Candidates that a forest is fitted to at the least."""
HELD_OUT = 0.25


def genes(frame: pd.DataFrame) -> pd.DataFrame:
    """The named genes of each row, from its `arch`: one column a gene, the rows and their index as in the frame.

    A repeated part is `blocks.0.width`, `blocks.1.width`, ... and its number `blocks.count`; a gene that an
    architecture does not have is missing.
    """
    need(frame, ["arch"])
    rows = [dict(leaves(json.loads(arch))) for arch in frame["arch"]]
    return pd.DataFrame(rows, index=frame.index, dtype=object)


def importance(frame: pd.DataFrame, columns: Sequence[str], repeats: int = 10, seed: int = 0) -> pd.DataFrame:
    """How much of each column a forest can no longer tell once a gene is shuffled; the most important first.

    Of the fully trained, feasible candidates, a quarter is held out; a random forest (Breiman 2001) learns the rest,
    and importance is the drop of R² on what was held out, mean and deviation over `repeats` permutations. Genes
    that go together share it. A low `score` says that the forest knows little, and then so does its importance.

    Args:
        columns: objectives, or any other numeric column.

    Returns:
        column, gene, importance, spread (both in R²), score (R² on the held out), candidates

    Raises:
        UserError: scikit-learn is missing, or there are fewer than 20 candidates.
    """
    try:
        from sklearn.ensemble import RandomForestRegressor
        from sklearn.inspection import permutation_importance
        from sklearn.model_selection import train_test_split
    except ImportError:
        raise UserError(f"gene importance needs scikit-learn: {how_to_install('analysis')}") from None
    rows = able(frame)
    need(rows, columns)
    if len(rows) < FEWEST:
        raise UserError(f"gene importance needs {FEWEST} fully trained, feasible candidates; the frame has {len(rows)}")
    table = genes(rows)
    features = _encoded(table)
    found = []
    for column in columns:
        parts = train_test_split(features, rows[column].to_numpy(float), test_size=HELD_OUT, random_state=seed)
        known, held, target, truth = parts
        forest = RandomForestRegressor(n_estimators=100, random_state=seed).fit(known, target)
        drop = permutation_importance(forest, held, truth, scoring=_told, n_repeats=repeats, random_state=seed)
        part = {"column": column, "gene": table.columns, "importance": drop.importances_mean}
        part |= {"spread": drop.importances_std, "score": _told(forest, held, truth), "candidates": len(rows)}
        found.append(pd.DataFrame(part).sort_values(["importance", "gene"], ascending=[False, True]))
    return pd.concat(found, ignore_index=True)


def shared(front: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """The commonest choice of each gene on a front, and how common it is elsewhere; the most telling first.

    Returns:
        gene, choice (missing where most of the front lack the gene), on_front (its share there), elsewhere (its share
        among the other candidates of the frame), members (size of the front). Shares are from 0 to 1.
    """
    if front.empty:
        return pd.DataFrame(columns=["gene", "choice", "on_front", "elsewhere", "members"])
    keys = ["run", "candidate"] if "run" in frame else ["candidate"]
    members = set(front[keys].itertuples(index=False, name=None))
    outside = [key not in members for key in frame[keys].itertuples(index=False, name=None)]
    table, others = genes(front), genes(frame[outside])
    rows = [_commonest(str(name), table[name], others.get(name, pd.Series(dtype=object))) for name in table]
    result = pd.DataFrame(rows).assign(members=len(front))
    order = (result["on_front"] - result["elsewhere"].fillna(0)).sort_values(ascending=False, kind="stable").index
    return result.loc[order].reset_index(drop=True)


def _told(forest: Any, features: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """R² of a forest, to the bit as its `score`, which takes ten times as long: few rows, a thread pool each time."""
    from sklearn.metrics import r2_score

    rows = features.astype(np.float32)  # as trees take them
    predicted = sum(tree.tree_.predict(rows)[:, 0] for tree in forest.estimators_) / len(forest.estimators_)
    return float(r2_score(truth, predicted))


def _commonest(name: str, choices: "pd.Series[Any]", others: "pd.Series[Any]") -> dict[str, Any]:
    texts, elsewhere = choices.map(_text), others.map(_text)
    top = texts.value_counts().sort_index().sort_values(ascending=False, kind="stable").index[0]
    value = choices[texts == top].iloc[0]
    share = float((elsewhere == top).mean()) if len(elsewhere) else float("nan")
    return {"gene": name, "choice": value, "on_front": float((texts == top).mean()), "elsewhere": share}


def leaves(part: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names and values of all that is in nested dicts and lists, as a decoded architecture is."""
    if isinstance(part, dict):
        for name, value in part.items():
            yield from leaves(value, f"{path}.{name}" if path else name)
    elif isinstance(part, list):
        yield f"{path}.count", len(part)
        for number, value in enumerate(part):
            yield from leaves(value, f"{path}.{number}")
    else:
        yield path, part


def _encoded(table: pd.DataFrame) -> NDArray[np.float64]:
    """Numbers as they are, all else by its place among the sorted values; less than all where a gene is missing."""
    return np.column_stack([_codes(table[name]) for name in table]).astype(np.float64)


def _codes(values: "pd.Series[Any]") -> NDArray[np.float64]:
    present = values.dropna()
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in present):
        numbers = values.astype(float)
        return np.array(numbers.fillna(numbers.min() - 1.0), dtype=np.float64)
    places = {text: float(place) for place, text in enumerate(sorted(set(map(_text, present))))}
    return np.array([places.get(_text(value), -1.0) for value in values], dtype=np.float64)


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value)
