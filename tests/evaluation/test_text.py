"""Text files as tokens: what follows what, and which class a text is of."""

import math
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from evonas.components import assemble
from evonas.config import PartConfig
from evonas.config.options import construct
from evonas.errors import UserError
from evonas.evaluation.looking_ahead import asks_for_the_next, check_looks_back, looks_ahead
from evonas.records import Candidate, Job, Status, TaskSpec
from evonas.spaces.conv1d import Conv1D
from evonas.spaces.genes import Arch, Choice
from evonas.spaces.space import Space
from evonas.spaces.tcn import TCN
from evonas.spaces.transformer import Transformer
from evonas.spaces.units import built
from evonas.tasks import TASKS, Task
from evonas.tasks.data_record.describing import data_record
from evonas.tasks.data_record.example import stored_example
from evonas.tasks.data_record.prepare import prepare_of
from evonas.tasks.data_record.record import DataRecord
from evonas.testing import check_task
from tests.synthetic import config

ALPHABET = "abcdefghij"


def task(kind: str, path: Path, **options: Any) -> Task:
    return construct(TASKS, PartConfig.model_validate({"kind": kind, "path": str(path), **options}), "task")


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def said_by(made: Task, tokens: Any) -> str:
    return "".join(made.classes[token] for token in np.asarray(tokens).flatten())


def test_a_target_is_the_character_behind_and_the_parts_follow_one_another(tmp_path: Path) -> None:
    text = "".join(ALPHABET[i * i % 7] for i in range(1000))
    made = task("characters", written(tmp_path / "a.txt", text), context=9, valid_fraction=0.2, test_fraction=0.1)
    check_task(made)
    found = {}
    for part, split in made.splits.parts.items():
        assert said_by(made, split.x)[1:] == said_by(made, split.y)[:-1]
        found[part] = said_by(made, split.x) + said_by(made, split.y)[-1]
    begins = {"train": 0, "valid": 700, "test": 900}
    for part, characters in found.items():
        assert text[begins[part] :].startswith(characters)
    assert [len(each) for each in found.values()] == [694, 199, 100]
    assert made.splits.drawn == ("valid", "test")


def test_the_metrics_of_known_outputs(tmp_path: Path) -> None:
    made = task("characters", written(tmp_path / "a.txt", ALPHABET * 20), context=4, most_characters=3)
    vocabulary = made.spec.output_shape[1]
    assert (vocabulary, made.classes) == (4, ("any other", "a", "b", "c"))
    y = torch.from_numpy(made.splits.valid.y)
    even = {
        name: float(m.reduce(m.statistics(torch.zeros(*y.shape, 4), y)[:, None])) for name, m in made.metrics.items()
    }
    assert even["bits_per_character"] == pytest.approx(2)  # four alike
    assert made.loss(torch.zeros(*y.shape, 4), y, 0.0) == pytest.approx(math.log(4))
    right = torch.nn.functional.one_hot(y, 4).float() * 9
    right[0, 0] = -right[0, 0]
    wrong = made.metrics["error"].statistics(right, y)
    assert wrong.tolist() == [0.25, *[0.0] * (len(y) - 1)]


def test_counts_of_a_text_are_a_baseline(tmp_path: Path) -> None:
    """Against the formulas of Witten and Bell, unit by unit, in plain Python."""
    letters = np.random.default_rng(0).choice(list("abcd"), 900, p=[0.4, 0.3, 0.2, 0.1])
    text = "".join("x" if before == "a" else letter for before, letter in pairwise(letters))
    made = task("characters", written(tmp_path / "a.txt", text), context=7)
    train, valid = made.splits.train, made.splits.valid
    seen = [*train.x.flatten().tolist(), int(train.y[-1, -1])]
    grams = {n: Counter(tuple(seen[i : i + n]) for i in range(len(seen) - n + 1)) for n in (1, 2, 3)}

    def probability(context: tuple[int, ...], unit: int) -> float:
        if not context:
            return (grams[1][(unit,)] + 1) / (len(seen) + made.spec.output_shape[1])
        n, lower = len(context) + 1, probability(context[1:], unit)
        behind = [count for gram, count in grams[n].items() if gram[:-1] == context]
        own = grams[n][(*context, unit)]
        return (own + len(behind) * lower) / (sum(behind) + len(behind)) if behind else lower

    places = [(row, i) for row in range(len(valid)) for i in range(7)]
    for name, longest in (("unigrams", 0), ("trigrams", 2)):
        contexts = [tuple(valid.x[row, max(0, i + 1 - longest) : i + 1].tolist()) for row, i in places]
        bits = [-math.log2(probability(c, int(valid.y[at]))) for c, at in zip(contexts, places, strict=True)]
        assert made.baselines[name]["bits_per_character"] == pytest.approx(np.mean(bits))
    assert set(made.baselines["trigrams"]) == {*made.metrics, *(f"test[{metric}]" for metric in made.metrics)}
    assert made.baselines["trigrams"]["error"] < made.baselines["unigrams"]["error"]


def test_naive_bayes_is_a_baseline_of_classes(tmp_path: Path) -> None:
    from sklearn.naive_bayes import MultinomialNB

    rng = np.random.default_rng(0)
    for i in range(80):
        letters = rng.choice(list("abcd"), rng.integers(2, 9), p=[[0.4, 0.3, 0.2, 0.1], [0.2, 0.3, 0.3, 0.2]][i % 2])
        written(tmp_path / "mn"[i % 2] / f"{i}.txt", "".join(letters))
    made = task("text_folder", tmp_path, characters=7, metrics=("log_loss", "error"))

    def pairs(x: Any) -> Any:
        rows = [np.bincount([5 * a + b for a, b in pairwise(row) if a and b], minlength=25) for row in x]
        return np.stack(rows)

    train, valid = made.splits.train, made.splits.valid
    found = MultinomialNB().fit(pairs(train.x.astype(int)), train.y).predict_log_proba(pairs(valid.x.astype(int)))
    known = made.baselines["naive Bayes"]
    assert known["log_loss"] == pytest.approx(-found[np.arange(len(valid)), valid.y].mean(), abs=1e-5)
    assert known["error"] == pytest.approx((found.argmax(1) != valid.y).mean())
    assert "majority class" in made.baselines


def test_the_vocabulary_is_that_of_training_and_what_is_not_in_it_is_said(tmp_path: Path) -> None:
    for part, text in (("train", "aab\u00e9" * 20), ("val", "abz" * 20), ("test", "\U0001f600a" * 20)):
        written(tmp_path / f"{part}.txt", text)
    made = task("characters", tmp_path, context=5)
    assert made.classes[1:] == ("a", "b", "\u00e9")
    assert made.splits.drawn == ()
    assert made.splits.test.x[0].tolist() == [0, 1, 0, 1, 0]
    assert made.notes == (
        "3 different characters in the training text, each with a number from 1 on",
        "20 of 60 characters of valid have none, and are 0",
        "20 of 40 characters of test have none, and are 0",
    )


def test_more_characters_than_a_byte_counts(tmp_path: Path) -> None:
    text = "".join(chr(0x4E00 + i % 300) for i in range(3000))
    made = task("characters", written(tmp_path / "a.txt", text), most_characters=1000)
    assert made.spec.output_shape == (64, 301)
    assert said_by(made, made.splits.train.x[0]) == text[:64]
    few = task("characters", tmp_path / "a.txt")
    assert few.splits.train.x.dtype == np.uint8
    assert few.notes[0] == "the 255 most frequent of 300 characters have a number from 1 on each"


def test_a_network_is_exported_without_the_text(tmp_path: Path) -> None:
    made = task("characters", written(tmp_path / "a.txt", "abc" * 200), context=5)
    record = DataRecord.model_validate_json(data_record(made).model_dump_json())
    example = stored_example(record, 50, made.spec.input.high)
    assert example.dtype == torch.uint8
    assert set(example.flatten().tolist()) == {0, 1, 2, 3}
    prepare = prepare_of(record)
    assert prepare is not None
    assert torch.equal(prepare(example), example.long())


def test_the_most_frequent_characters_have_a_number(tmp_path: Path) -> None:
    made = task("characters", written(tmp_path / "a.txt", "abbcccd" * 40), context=3, most_characters=2)
    assert made.classes == ("any other", "b", "c")
    assert made.splits.train.x[0].tolist() == [0, 1, 1]


def test_line_ends_and_a_byte_order_mark_are_no_characters(tmp_path: Path) -> None:
    made = task("characters", written(tmp_path / "a.txt", "\ufeff" + "ab\r\n" * 100), context=3)
    assert made.classes[1:] == ("\n", "a", "b")


@pytest.mark.parametrize(
    ("content", "options", "says"),
    [
        (b"", {}, "the training text is empty"),
        (b"abc" * 50, {}, "valid has 15 characters, and a piece takes 65: give a longer text or a smaller context"),
        (b"abc" * 50, {"context": 0}, "context and most_characters take 1 or more, not 0 and 255"),
        (b"abc" * 50, {"metrics": ["eror"]}, "unknown 'eror'; did you mean 'error'"),
        (b"abc" * 50, {"valid_fraction": 0.0}, "fractions must lie between 0 and 1"),
        (b"abc\xff" * 50, {}, r"is not text in UTF-8: byte 3 is 0xff; convert it"),
    ],
)
def test_a_wrong_text_is_one_line(tmp_path: Path, content: bytes, options: dict[str, Any], says: str) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(UserError, match=says) as error:
        task("characters", tmp_path / "a.txt", **options)
    assert "\n" not in str(error.value)


def test_a_text_of_a_class_is_cut_or_filled_in_front(tmp_path: Path) -> None:
    for i in range(10):
        written(tmp_path / "short" / f"{i}.txt", "ab")
        written(tmp_path / "long" / f"{i}.txt", "baba" * 3)
    made = task("text_folder", tmp_path, characters=6)
    assert made.classes == ("long", "short")
    rows = {row.tobytes() for row in made.splits.train.x}
    assert rows == {np.array(row, np.uint8).tobytes() for row in ([0, 0, 0, 0, 1, 2], [2, 1, 2, 1, 2, 1])}
    assert "10 of 20 texts are cut to 6 characters" in made.notes
    assert "10 of 20 texts are filled up in front to 6 characters" in made.notes


def test_linked_folders_are_read_once_and_links_that_lead_back_have_an_end(tmp_path: Path) -> None:
    for name in "ab":
        for i in range(10):
            written(tmp_path / "data" / name / f"{i}.txt", f"text {i} of {name}")
    for i in range(3):
        written(tmp_path / "elsewhere" / f"{i}.txt", f"linked {i}")
    a = tmp_path / "data" / "a"
    for name, target in (("more", tmp_path / "elsewhere"), ("again", tmp_path / "elsewhere"), ("back", tmp_path)):
        (a / name).symlink_to(target)
    (tmp_path / "elsewhere" / "a").symlink_to(a)
    made = task("text_folder", tmp_path / "data")
    assert sum(len(split) for split in made.splits.parts.values()) == 23
    assert any("in folders below" in note and "a (again)" in note for note in made.notes)


def test_texts_that_cannot_be_read_are_in_one_message(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for i in range(10):
            written(tmp_path / name / f"{i}.txt", "text")
        (tmp_path / name / "x.txt").write_bytes(b"\xff")
    with pytest.raises(UserError, match=r"cannot read 2 \.txt files: .*a/x\.txt .*; .*b/x\.txt is not text") as error:
        task("text_folder", tmp_path)
    assert "\n" not in str(error.value)


def test_a_network_that_sees_the_next_token_is_refused(tmp_path: Path) -> None:
    made = task("characters", written(tmp_path / "a.txt", "".join(ALPHABET[i * i % 7] for i in range(600))), context=8)
    assert asks_for_the_next(made)
    with pytest.raises(UserError, match=r"^space: Conv1D looks ahead: .* false; take tcn"):
        assemble(config(), Conv1D(), made)
    spec = made.spec
    for space in (TCN(), *(Transformer(mixers=(mixer,)) for mixer in ("full", "local", "linear", "conv"))):
        check_looks_back(space, made)
        assert not looks_ahead(built(space, (0,) * len(space.genes), spec), spec)


def test_only_some_networks_of_a_space_see_the_next_token(tmp_path: Path) -> None:
    """Their weights begin at zero, so that the untrained ones give the same for all inputs."""

    class Either(Space):
        ahead = Choice(False, True)

        def build(self, arch: Arch, task: TaskSpec) -> torch.nn.Module:
            return Shifted(arch.ahead, task)

    class Shifted(torch.nn.Module):
        def __init__(self, ahead: bool, task: TaskSpec) -> None:
            super().__init__()
            self.ahead, self.table = ahead, torch.nn.Embedding(*task.output_shape[-1:] * 2)
            torch.nn.init.zeros_(self.table.weight)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.table(x.roll(-1, 1) if self.ahead else x)

    made = task("characters", written(tmp_path / "a.txt", ALPHABET * 60), context=8)
    evaluate = assemble(config(training={"epochs": 1, "rungs": []}), Either(), made).factory()
    found = [
        list(evaluate(Job(Candidate(genome[0], genome, (), "random", 0, 0))))[-1].status for genome in ((0,), (1,))
    ]
    assert found == [Status.OK, Status.FAILED_BUILD]


def test_what_does_not_ask_for_the_next_token_may_look_ahead(tmp_path: Path) -> None:
    made = task("characters", written(tmp_path / "a.txt", ALPHABET * 60), context=8)
    same = made.splits.mapped(lambda name, split: replace(split, y=split.x.astype(np.int64)))
    assert not asks_for_the_next(replace(made, splits=same))
