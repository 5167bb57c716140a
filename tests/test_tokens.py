"""A search of networks that take in whole numbers, from the examples to the record."""

from pathlib import Path

import evonas
from tests.tokens import TARGETS, TOKENS, VOCABULARY, LanguageModels, config, language


def test_language_models_are_searched_with_their_latency_in_two_runtimes(tmp_path: Path) -> None:
    run = evonas.search(config(), space=LanguageModels(), task=language(), run=tmp_path / "run")
    rows = run.evaluations
    assert rows["status"].tolist() == ["ok"] * 4, rows["message"].tolist()
    assert (rows["perplexity"] > 1).all()
    assert (rows["perplexity"] < 10 * VOCABULARY).all()
    for name in TARGETS:
        assert (rows[f"latency_ms[{name}]"] > 0).all()
        assert (rows[f"examples_per_s[{name}]"] > 0).all()
    assert run.description["task"]["output_shape"] == [TOKENS, VOCABULARY]
    assert run.verify().difference == ""
