import json
import sys

import numpy as np
import pytest

from evonas.analysis import genes, importance, shared
from evonas.analysis.genes import _told
from evonas.errors import UserError
from tests.analysis.frames import evaluations
from tests.synthetic import Toy


def test_genes_have_the_names_that_the_space_gives_them() -> None:
    space, rng = Toy(), np.random.default_rng(0)
    genomes = [space.sample(rng) for _ in range(20)]
    frame = evaluations([(1, 1)] * 20, arch=[json.dumps(space.decode(genome).to_dict()) for genome in genomes])
    for genome, (_, row) in zip(genomes, genes(frame).iterrows(), strict=True):
        assert row.dropna().to_dict() == space.describe(genome)


def test_the_gene_that_decides_is_the_most_important() -> None:
    rng = np.random.default_rng(0)
    rows = [{"width": int(rng.integers(1, 9)), "op": str(rng.choice(["conv", "pool"]))} for _ in range(120)]
    values = [(float(row["width"]), 3.0 if row["op"] == "conv" else 1.0) for row in rows]
    table = importance(evaluations(values, arch=[json.dumps(row) for row in rows]), ["error", "params"])
    top = table.groupby("column").first()["gene"].to_dict()
    assert top == {"error": "width", "params": "op"}
    assert (table["score"] > 0.9).all()
    assert (table[table["gene"] != table["column"].map(top)]["importance"].abs() < 0.05).all()


def test_importance_is_the_same_each_time() -> None:
    frame = evaluations([(i % 7, i) for i in range(40)], arch=[f'{{"a": {i % 7}, "b": {i % 3}}}' for i in range(40)])
    assert importance(frame, ["error"], repeats=3).equals(importance(frame, ["error"], repeats=3))


def test_what_a_forest_tells_is_to_the_bit_what_it_says_itself() -> None:
    from sklearn.ensemble import RandomForestRegressor  # which takes a second to import

    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 5))
    values = features[:, 0] + rng.normal(size=60)
    forest = RandomForestRegressor(n_estimators=20, random_state=0).fit(features[:40], values[:40])
    told = _told(forest, features[40:], values[40:])
    assert told == forest.score(features[40:], values[40:])
    assert 0 < told < 1


def test_too_few_candidates_are_an_error() -> None:
    with pytest.raises(UserError, match="needs 20 fully trained, feasible candidates; the frame has 2"):
        importance(evaluations([(1, 1)] * 2), ["error"])


def test_without_scikit_learn_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(UserError, match=r"pip install .*\[analysis\]'"):
        importance(evaluations([(1, 1)] * 30), ["error"])


def test_what_a_front_shares_by_hand() -> None:
    rows = [{"a": 1, "b": "x"}, {"a": 1, "b": "y"}, {"a": 2, "b": "x"}, {"a": 2, "b": "y"}, {"a": 1}, {"a": 3}]
    frame = evaluations([(1, 1)] * 6, arch=list(map(json.dumps, rows)))
    table = shared(frame.iloc[:2], frame)
    assert table["gene"].tolist() == ["a", "b"]
    first = table.iloc[0]
    assert (first["choice"], first["on_front"], first["elsewhere"], first["members"]) == (1, 1.0, 0.25, 2)
    assert (table.iloc[1]["on_front"], table.iloc[1]["elsewhere"]) == (0.5, 0.25)
    assert shared(frame.iloc[:0], frame).empty
