"""Each part of evonas has an opening: one file of a user's own and one line in it, and a real search uses the part."""

import importlib
import itertools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import nn

import evonas
from evonas.cli import main
from evonas.evaluation.learners import LEARNERS
from evonas.exporters import EXPORTERS
from evonas.spaces import SPACES
from evonas.start import execute, prepare
from evonas.store import NON_REPRODUCIBLE
from evonas.strategies import STRATEGIES
from evonas.tasks import TASKS
from evonas.testing import (
    check_exporter,
    check_learner,
    check_metric,
    check_space,
    check_strategy,
    check_task,
    examples,
)

Own = Callable[[str], Path]
IMAGES: dict[str, Any] = {
    "space": {"kind": "mobile", "stages": 1, "widths": [4, 8], "stem": 4, "depths": [1, 2]},
    "task": {"kind": "digits"},
    "training": {"epochs": 1, "batch_size": 256},
}
TOKENS: dict[str, Any] = {
    "space": {"kind": "readers"},
    "task": {"kind": "majority"},
    "training": {"epochs": 6, "rungs": [1, 3], "batch_size": 32, "optimizer": "adamw", "learning_rate": 0.05},
}
HARD = {**TOKENS, "training": {**TOKENS["training"], "learning_rate": 0.5}}
"""With steps so large that the loss does not fall in each epoch."""


def searched(tmp_path: Path, sections: dict[str, Any], *files: Path) -> evonas.Run:
    """A search from the command line, verified."""
    config = {
        "objectives": [{"metric": "error"}, {"metric": "params"}],
        "budget": {"evaluations": 8},
        "strategy": {"kind": "nsga2", "population": 4},
        "runtime": {"kind": "serial"},
        **sections,
    }
    (tmp_path / "search.yaml").write_text(yaml.safe_dump(config))
    imports = [word for file in files for word in ("--import", str(file))]
    assert main(["search", str(tmp_path / "search.yaml"), "--run", str(tmp_path / "run"), *imports]) == 0
    assert main(["verify", str(tmp_path / "run"), *imports]) == 0
    run = evonas.load(tmp_path / "run")
    assert set(run.evaluations["status"]) <= {"ok", "stopped"}, run.evaluations["message"].tolist()
    assert len(run.evaluations) == config["budget"]["evaluations"]
    return run


def layers(run: evonas.Run, genome: Any) -> int:
    """The metric `depth`, counted in another way: digits have layers with weights of two or more axes."""
    space = SPACES[run.description["config"]["space"]["kind"]]
    options = {key: value for key, value in run.description["config"]["space"].items() if key != "kind"}
    made = space(**options)
    network = made.build(made.decode(tuple(genome)), run.task().spec)
    return sum(isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding) for module in network.modules())


def outputs(run: evonas.Run, candidate: int) -> tuple[np.ndarray, np.ndarray]:
    """Of the trained network for the validation examples, and their targets."""
    task = run.task()
    with torch.inference_mode():
        found = run.build(candidate)(task.prepare(torch.from_numpy(task.splits.valid.x)))
    return found.numpy(), task.splits.valid.y


@pytest.mark.parametrize("named", ["objective", "record", "limit"])
def test_a_metric_that_is_computed_of_the_network(named: str, own: Own, tmp_path: Path) -> None:
    sections = {
        "objective": {"objectives": [{"metric": "error"}, {"metric": "depth"}]},
        "record": {"record": ["depth"]},
        "limit": {"limits": [{"metric": "depth", "at_most": 100}]},
    }[named]
    run = searched(tmp_path, {**IMAGES, **sections, "budget": {"evaluations": 4}}, own("depth_metric.py"))
    assert run.evaluations["depth"].tolist() == [layers(run, genome) for genome in run.evaluations["genome"]]
    assert run.objectives[1:] == (["depth"] if named == "objective" else ["params"])
    check_metric("depth")


def test_a_task_with_metrics_that_are_no_means(own: Own, tmp_path: Path) -> None:
    from sklearn.metrics import f1_score, roc_auc_score  # which take a second to import

    sections = {
        "task": {"kind": "rare"},
        "objectives": [{"metric": "f1"}, {"metric": "worst_error"}, {"metric": "params"}],
        "limits": [{"metric": "auc", "at_least": 0.1}],
        "training": {"epochs": 2, "batch_size": 32, "rungs": [1]},
    }
    run = searched(tmp_path, {**IMAGES, **sections}, own("rare_task.py"))
    front = run.front()
    assert len(front) > 0
    for row in front.to_dict("records"):
        logits, y = outputs(run, row["candidate"])
        predicted, scores = logits.argmax(1), torch.from_numpy(logits).softmax(1).numpy()
        errors = [np.mean(predicted[y == c] != c) for c in range(3)]
        expected = {
            "f1": f1_score(y, predicted, average="macro"),
            "auc": roc_auc_score(y, scores, multi_class="ovr", average="macro"),
            "error": np.mean(predicted != y),
            "worst_error": max(errors),
        }
        assert {name: row[name] for name in expected} == pytest.approx(expected, abs=1e-5)
    check_task(TASKS["rare"]())


def test_a_space_of_networks_that_read_tokens(own: Own, tmp_path: Path) -> None:
    run = searched(tmp_path, {**TOKENS, "budget": {"evaluations": 10}}, own("token_space.py"))
    for row in run.front().to_dict("records"):
        logits, y = outputs(run, row["candidate"])
        assert row["error"] == pytest.approx(np.mean(logits.argmax(1) != y))
        arch = json.loads(row["arch"])
        widths = [arch["width"], *(block["width"] for block in arch["blocks"]), 2]
        linear = sum(a * b + b for a, b in itertools.pairwise(widths))
        assert row["params"] == 6 * arch["width"] + linear
        assert row["macs"] == sum(a * b for a, b in itertools.pairwise(widths))
    assert run.front()["error"].min() < 0.2
    check_space(SPACES["readers"](), TASKS["majority"]().spec)
    check_task(TASKS["majority"]())


def test_a_task_with_a_picture_and_a_row_of_a_table(
    own: Own, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From data to a file with two inputs; a network that sees one of them alone is wrong half of the time."""
    file = own("several_inputs.py")
    sections = {
        "space": {"kind": "fused"},
        "task": {"kind": "leaves"},
        "training": {"epochs": 6, "batch_size": 32, "optimizer": "adamw", "learning_rate": 0.02},
        "budget": {"evaluations": 6},
    }
    run = searched(tmp_path, sections, file)
    best = run.front().sort_values("error").iloc[0]
    assert best["error"] < 0.3
    assert any("without a network: the first class: error" in remark for remark in run.remarks())
    out = tmp_path / "leaves.onnx"
    assert main(["export", str(run.folder), str(best["candidate"]), "--out", str(out), "--import", str(file)]) == 0
    assert "takes picture: uint8 (N, 1, 6, 6), row: float32 (N, 3)" in capsys.readouterr().out
    session = pytest.importorskip("onnxruntime").InferenceSession(out)
    valid = run.task().splits.valid
    (logits,) = session.run(None, dict(valid.x))
    assert np.mean(logits.argmax(1) != valid.y) == pytest.approx(best["error"])
    check_space(SPACES["fused"](), TASKS["leaves"]().spec)
    check_task(TASKS["leaves"]())


def test_a_learner_that_ends_early(own: Own, tmp_path: Path) -> None:
    files = own("patience_learner.py"), own("token_space.py")
    run = searched(tmp_path, {**HARD, "learner": {"kind": "patience", "patience": 1}}, *files)
    whole = run.evaluations[run.evaluations["status"] == "ok"]
    for curve in whole["curve"]:
        losses = [point["valid_loss"] for point in curve]
        assert all(later < earlier for earlier, later in itertools.pairwise(losses[:-1]))
        assert len(losses) == 6 or losses[-1] >= losses[-2]
    assert whole["epochs"].min() < 6
    task = examples.task()
    check_learner(LEARNERS["patience"](), task, examples.network_for(task.spec))


def test_a_strategy(own: Own, tmp_path: Path) -> None:
    strategy = {"kind": "climbing", "random": 3}
    sections = {**TOKENS, "strategy": strategy, "schedule": {"generation": 4, "lookahead": 1}}
    run = searched(tmp_path, sections, own("climbing_strategy.py"), own("token_space.py"))
    found = run.evaluations.set_index("candidate")
    assert found["operator"].tolist() == ["random"] * 3 + ["climb"] * 5
    for index in range(3, 8):  # with a lookahead of 1, all before it are known when a candidate is bred
        (parent,) = found.loc[index, "parents"]
        full = found.loc[: index - 1]
        assert found.loc[parent, "error"] == full["error"].min()
    check_strategy(STRATEGIES["climbing"])


def test_an_exporter(own: Own, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = searched(tmp_path, {**IMAGES, "budget": {"evaluations": 2}})
    best = int(run.front()["candidate"].iloc[0])
    out = tmp_path / "net.ts"
    file = own("torchscript_exporter.py")
    capsys.readouterr()
    assert main(["export", str(run.folder), str(best), "--out", str(out), "--import", str(file)]) == 0
    assert f"{out}: takes uint8 (N, 1, 8, 8); torch.jit.load('{out}'); its output differs" in capsys.readouterr().out
    found = torch.jit.load(out)(torch.from_numpy(run.task().splits.valid.x)).detach().numpy()
    assert np.allclose(found, outputs(run, best)[0], atol=1e-4)
    check_exporter(EXPORTERS["ts"])


@pytest.mark.usefixtures("local_ray")
def test_a_users_own_reaches_the_workers_of_a_cluster_by_value(own: Own, tmp_path: Path) -> None:
    """Space, task, learner and metric, from files that are gone when the workers start, and named by a config alone."""
    names = ("token_space", "patience_learner", "depth_metric")
    files = [own(f"{name}.py") for name in names]
    sections = {**TOKENS, "learner": {"kind": "patience"}, "record": ["depth"]}
    serial = searched(tmp_path, sections, *files)
    for file in files:
        file.unlink()
    sys.path[:] = [entry for entry in sys.path if entry != str(tmp_path / "user")]
    importlib.invalidate_caches()
    config = {**serial.description["config"], "runtime": {"kind": "ray", "workers": 1}}
    config["objectives"] = [{"metric": "error"}, {"metric": "params"}]
    prepared = prepare(config, run=tmp_path / "cluster")
    assert {module.__name__ for module in prepared.modules} == set(names)
    execute(prepared, watch=lambda search, evaluation: None)
    run = evonas.load(tmp_path / "cluster")
    assert run.description["config"] == {
        **serial.description["config"],
        "runtime": run.description["config"]["runtime"],
    }
    assert rows(run) == rows(serial)
    assert run.verify().difference == ""


def rows(run: evonas.Run) -> str:
    """What was found, without when and where."""
    text: str = run.evaluations.drop(columns=[*NON_REPRODUCIBLE]).to_json(orient="records")
    return text
