"""Recommendation: what is held out, metrics over all items that a user has not had, and losses by hand."""

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import evonas
from evonas.cli import main
from evonas.commands.export import Wanted, export
from evonas.config import PartConfig
from evonas.config.options import construct
from evonas.errors import UserError
from evonas.exporters import EXPORTERS
from evonas.exporters.exporter import written
from evonas.exporters.shipment import shipment
from evonas.runs.data import whole_data
from evonas.tasks import TASKS, Task
from evonas.tasks.class_folders import natural
from evonas.tasks.data_record.describing import data_record
from evonas.tasks.data_record.difference import data_difference
from evonas.tasks.data_record.run_json import recorded_data
from evonas.tasks.recommendation.losses import Draws, RecommendationLoss, negatives
from evonas.tasks.recommendation.ranking import Seen, metric
from evonas.testing import check_task

FEW = """who,what,when
ann,a,1
ann,b,2
ann,c,3
bob,b,1
bob,b,4
bob,c,2
cem,c,1
cem,a,2
cem,b,5
dan,a,9
"""


def tastes(users: int = 300, items: int = 100, each: int = 14, rank: int = 4, seed: int = 0) -> pd.DataFrame:
    """What users with latent tastes took, item by item, from a catalogue in which some items are popular."""
    random = np.random.default_rng(seed)
    liking = 2.5 * random.normal(size=(users, rank)) @ random.normal(size=(rank, items)) / rank**0.5
    gumbel = random.gumbel(size=(users, items))  # the largest are a draw without replacement
    took = np.argsort(-(liking + 0.5 * random.normal(size=items) + gumbel), axis=1)[:, :each]
    took = random.permuted(took, axis=1)
    return pd.DataFrame({"user": np.repeat(np.arange(users), each), "item": took.ravel()})


def made(text: str, folder: Path, **options: Any) -> Task:
    (folder / "shop.csv").write_text(text)
    given = {"kind": "recommendation", "path": str(folder / "shop.csv"), "user": "who", "item": "what", "time": "when"}
    return construct(TASKS, PartConfig.model_validate({**given, **options}), "task")


def test_the_last_items_of_a_user_are_held_out(tmp_path: Path) -> None:
    task = made(FEW, tmp_path, metrics=["recall@1"])
    beyond = made(FEW, tmp_path, metrics=["recall@1", "recall@1000"]).notes
    assert any(note.startswith("recall@1000: there are 3 items, and a metric of all") for note in beyond)
    check_task(task)
    assert task.classes == ("a", "b", "c")
    pairs = {part: list(zip(s.x.tolist(), s.y[:, 3].tolist(), strict=True)) for part, s in task.splits.parts.items()}
    ann, bob, cem, dan, a, b, c = 0, 1, 2, 3, 0, 1, 2
    assert sorted(pairs["train"]) == [(ann, a), (bob, b), (bob, c), (cem, c), (dan, a)]
    assert (pairs["valid"], pairs["test"]) == ([(ann, b), (cem, a)], [(ann, c), (cem, b)])
    assert "1 of 10 rows say again that a user took an item" in task.notes


def test_the_last_of_all_are_held_out(tmp_path: Path) -> None:
    """By time: the last two are for testing, of which dan is unknown, and two before them for validation."""
    task = made(FEW, tmp_path, hold_out="time", valid_fraction=0.2, test_fraction=0.25, metrics=["recall@1"])
    y = [split.y.tolist() for split in task.splits.parts.values()]
    assert y[1] == [[0, 0, 0, 2], [2, 0, 0, 0]]
    assert y[2] == [[2, 1, 0, 1]]
    assert any(note.startswith("left out of test are 1 pairs of users or items") for note in task.notes)


def test_metrics_by_hand_are_of_the_items_that_a_user_has_not_had() -> None:
    """User 0 had item 3, and in validation item 1; scores rank the items 3, 1, 0, 4, 2."""
    pairs = {"train": np.array([[0, 3]]), "valid": np.array([[0, 1]])}
    seen = pickle.loads(pickle.dumps(Seen.of(pairs, users=2, items=5)))
    scores = torch.tensor([[3.0, 4.0, 1.0, 5.0, 2.0]]).expand(4, 5)
    targets = torch.tensor([[0, 0, 9, 1, -1], [0, 1, 9, 4, -1], [1, 0, 9, 3, 2], [0, 1, 9, 0, 2]])
    found = {name: metric(name, seen).statistics(scores, targets).tolist() for name in ("recall@2", "ndcg@2", "ndcg@3")}
    second, third = 1 / np.log2(3), 1 / np.log2(4)
    assert found["recall@2"] == pytest.approx([1, 1, 0.5, 0.5])
    assert found["ndcg@2"] == pytest.approx([1, second, 1 / (1 + second), 1 / (1 + second)])
    assert found["ndcg@3"] == pytest.approx([1, second, 1 / (1 + second), (1 + third) / (1 + second)])


@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_a_network_that_says_the_same_of_all_items_has_found_none(value: float) -> None:
    seen = Seen.of({"train": np.zeros((1, 2), int), "valid": np.zeros((1, 2), int)}, users=1, items=30)
    output, target = torch.full((1, 30), value), torch.tensor([[0, 0, 0, 7]])
    assert metric("recall@20", seen).statistics(output, target).tolist() == [0.0]


def test_losses_by_hand() -> None:
    """Of two items the only negative is the other one; a negative that is the item itself does not count."""
    output = torch.tensor([[2.0, 0.5], [1.0, 3.0]], requires_grad=True)
    target = torch.tensor([[0, 0, 0, 0], [1, 0, 0, 1]])
    softmax = torch.nn.functional.cross_entropy(output, target[:, 3]).item()
    assert RecommendationLoss("softmax", 1)(output, target, 0.0).item() == pytest.approx(softmax)
    with torch.no_grad():
        assert RecommendationLoss("bpr", 1)(output, target, 0.0).item() == pytest.approx(softmax)
    wide = torch.randn(400, 1000, generator=torch.Generator().manual_seed(0), requires_grad=True)
    rows = torch.nn.functional.pad(torch.arange(400)[:, None], (3, 0))
    _, rows = Draws()(None, rows, torch.Generator().manual_seed(0))
    full, sampled, pairs = (
        RecommendationLoss(kind, 100)(wide, rows, 0.0).item() for kind in ("softmax", "sampled_softmax", "bpr")
    )
    assert sampled == pytest.approx(full, rel=0.01)
    own, all_scores = wide.gather(1, rows[:, 3:]), wide.detach()
    every_pair = -torch.nn.functional.logsigmoid(own - all_scores).mean().item()
    assert pairs == pytest.approx(every_pair, rel=0.02)


def test_negatives_are_drawn_evenly_and_differ_from_row_to_row_and_from_batch_to_batch() -> None:
    """The chi-squared of 10 items has 9 degrees of freedom: above 28 once in a thousand draws."""
    draws = [
        Draws()(None, torch.zeros(200, 4, dtype=torch.long), torch.Generator().manual_seed(s))[1] for s in (0, 0, 1)
    ]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    drawn = negatives(draws[0][:, 2], 50, 10)
    counts = torch.bincount(drawn.flatten(), minlength=10).double()
    assert ((counts - 1000).square() / 1000).sum() < 28
    assert len({tuple(row) for row in drawn.tolist()}) == 200


BAD = {
    "column": ({"user": "whom"}, FEW, r"task\.user: unknown 'whom'; did you mean 'who'\?"),
    "gap": ({}, FEW + ",a,10\n", r"task\.user: who has no value in row 11; leave such rows out"),
    "metric": ({"metrics": ["recal@5"]}, FEW, r"task\.metrics: unknown 'recal@5'; did you mean 'recall@\d+'\?"),
    "nothing": (
        {},
        "who,what,when\nann,a,1\nbob,b,1\n",
        r"task: nothing is left for valid; hold_out: last takes users",
    ),
    "one item": ({}, "who,what,when\nann,a,1\nbob,a,1\n", r"task\.item: training has one item, a, so there is nothing"),
    "no rows": ({"time": ""}, "who,what,when\n", r"task\.path: .*shop\.csv has no rows below its names"),
    "time": (
        {},
        FEW.replace(",9", ",soon"),
        r"task\.time: when must hold dates as 2024-12-31 or .* row \d+ has 'soon'",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_recommended_is_one_line(case: str, tmp_path: Path) -> None:
    options, text, line = BAD[case]
    with pytest.raises(UserError, match=f"^{line}"):
        made(text, tmp_path, **options)


def ask_by_name(run: evonas.Run, folder: Path) -> None:
    """What is beside an exported file and in it is enough to recommend to a user who is named."""
    lines = [*export(str(run.folder), 0, Wanted(out=str(folder / "net.pt2"), card=str(folder / "card.md")))]
    assert any("net.names.json: whom or what each number of its input stands for" in line for line in lines)
    about = json.loads((folder / "net.names.json").read_text())
    file, task = (folder / "net.pt2").read_bytes(), run.task()
    assert about == json.loads(EXPORTERS["pt2"].labels.get(file)["names"])
    scores = EXPORTERS["pt2"].run(file, np.array([about["names"].index("u7")] * 3, np.int32))[0]
    row = sorted({f"u{user}" for user in range(300)}, key=natural).index("u7")
    expected = run.build(0)(torch.tensor([row]))[0]
    best = [about["classes"][item] for item in np.argsort(-scores)[:5]]
    assert best == [task.classes[item] for item in expected.argsort(descending=True)[:5].tolist()]
    assert "Its input is one of 300 numbers (0 u0, 1 u1, " in (folder / "card.md").read_text()


def test_names_of_users_have_a_file_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """run.json vouches for it; where names stand in run.json, as an earlier evonas wrote them, they count as before."""
    task = made(FEW, tmp_path)
    config = {
        "space": {"kind": "two_tower"},
        "task": {"kind": "recommendation", "path": str(tmp_path / "shop.csv"), "user": "who", "item": "what"},
        "objectives": [{"metric": "params"}],
        "learner": {"kind": "none"},
        "strategy": {"kind": "random"},
        "budget": {"evaluations": 1},
        "runtime": {"kind": "serial"},
    }
    config["task"]["time"] = "when"
    run = evonas.search(config, run=tmp_path / "run", progress=False)
    names = tmp_path / "run" / "names.json"
    assert tuple(json.loads(names.read_text())) == task.names == ("ann", "bob", "cem", "dan")
    assert run.description["data"]["names"] == []
    assert whole_data(run).names == task.names  # type: ignore[union-attr]
    evonas.search(config, run=tmp_path / "run", progress=False)  # the same data

    then = recorded_data(run.description, run.folder)
    assert then is not None
    earlier = then.model_copy(update={"names": task.names, "names_sha256": ""})
    others = replace(task, names=("ann", "bob", "cem", "eve"))
    for record in (then, earlier):
        assert not data_difference(record, data_record(task))
        assert data_difference(record, data_record(others)) == "the inputs' numbers have other names"
    assert not data_difference(then.model_copy(update={"names_sha256": ""}), data_record(task)), "from before names"

    names.write_text(names.read_text().replace("dan", "den"))
    assert main(["verify", str(tmp_path / "run")]) == 2
    assert "names.json is damaged: its SHA-256 is not the recorded one" in capsys.readouterr().err
    names.unlink()
    with pytest.raises(UserError, match=r"names.json is missing; restore it from a copy$"):
        whole_data(run)


@pytest.mark.parametrize("loss", ["sampled_softmax", "bpr"])
def test_what_is_learned_is_far_better_than_what_is_popular(loss: str, tmp_path: Path) -> None:
    tastes().assign(user=lambda rows: "u" + rows["user"].astype(str)).to_csv(tmp_path / "shop.csv", index=False)
    config = {
        "space": {"kind": "two_tower", "embeddings": [16], "layers": [0, 0], "similarities": ["dot"], "dropout": [0.2]},
        "task": {"kind": "recommendation", "path": str(tmp_path / "shop.csv"), "loss": loss, "negatives": 20},
        "objectives": [{"metric": "recall@10"}, {"metric": "params"}],
        "strategy": {"kind": "random"},
        "training": {"epochs": 12, "optimizer": "adamw", "learning_rate": 0.03, "batch_size": 64},
        "budget": {"evaluations": 1},
        "runtime": {"kind": "serial"},
    }
    run = evonas.search(config, run=tmp_path / "run")
    popular = run.task().baselines["most popular items"]["recall@10"]
    assert run.front()["recall@10"].max() > 2 * popular, (run.front()["recall@10"].tolist(), popular)
    ask_by_name(run, tmp_path)
    own = shipment(run, 0)
    file, checked = written(EXPORTERS["onnx" if loss == "bpr" else "pt2"], own.network, own.x)
    assert file
    assert "differs" in checked


def test_sampled_softmax_is_the_softmax_on_average() -> None:
    """At equal scores it is the logarithm of the number of items, however few they are."""
    scores = torch.zeros(2, 3, requires_grad=True)
    target = torch.tensor([[0, 0, 5, 1], [0, 0, 9, 2]])
    assert RecommendationLoss("sampled_softmax", 20_000)(scores, target, 0.0).item() == pytest.approx(
        np.log(3), abs=0.01
    )
