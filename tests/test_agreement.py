"""A worker evaluates the network that the driver's genome names, or refuses to work."""

import importlib
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import evonas
from evonas.errors import UserError
from evonas.evaluation import Evaluator, agreement
from evonas.objectives.objectives import Objectives
from evonas.runtime.sandbox.packing import hold, pack
from evonas.tasks import Split, Splits, Task, classification
from tests.evaluation.small import bars_task
from tests.evaluation.small import config as small_config

MODULE = """
from torch import nn
from evonas import Choice, Space, Group

class Base(Space):
    y = Choice(1, 2)
    b = Choice(1, 2)

class Unsorted(Base):
    z = Choice(4, 8, 16)
    a = Choice(4, 8, 16)
    y = Choice(1, 2, 3)

    def __init__(self):
        self.q = Choice(1, 2)
        self.c = Group(n=Choice(1, 2), m=Choice(1, 2))

    def build(self, arch, task):
        inputs = task.input_shape[0] * task.input_shape[1] * task.input_shape[2]
        sizes = inputs, arch.z, arch.a, task.outputs
        return nn.Sequential(nn.Flatten(), *(nn.Linear(n, m) for n, m in zip(sizes, sizes[1:])))
"""
GENES = ["y", "b", "z", "a", "q", "c.n", "c.m"]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    (tmp_path / "unsorted_space.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("unsorted_space", None)
    return importlib.import_module("unsorted_space")


def test_genes_keep_their_order_where_a_space_travels_by_value(module: "object", tmp_path: Path) -> None:
    """Seen from a process that cannot import the module, which is what a worker is."""
    space = module.Unsorted()  # type: ignore[attr-defined]
    file = hold(pack(partial(str, space), [module]))  # type: ignore[list-item]
    code = (
        f"from evonas.runtime.sandbox.packing import load; f = load({file}); "
        "print([gene.name for gene in f.args[0].genes], f.args[0].signature())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], pass_fds=[file], capture_output=True, text=True, check=True, cwd="/"
    )
    assert done.stdout.strip() == f"{GENES} {space.signature()}"


@pytest.mark.usefixtures("local_ray")
def test_rows_on_ray_are_of_the_networks_that_they_name(module: "object", tmp_path: Path) -> None:
    space = module.Unsorted()  # type: ignore[attr-defined]
    run = evonas.search(
        {
            "space": {"kind": "unsorted"},
            "task": {"kind": "digits"},
            "objectives": [{"metric": "error"}, {"metric": "params"}],
            "strategy": {"kind": "random"},
            "schedule": {"generation": 6},
            "training": {"epochs": 1},
            "budget": {"evaluations": 6},
            "runtime": {"kind": "ray", "workers": 1, "cpus_per_worker": 0.5},
        },
        space=space,
        run=tmp_path / "run",
    )
    assert run.evaluations["status"].eq("ok").all()
    for arch, params in zip(run.evaluations["arch"], run.evaluations["params"], strict=True):
        z, a = json.loads(arch)["z"], json.loads(arch)["a"]
        assert params == 65 * z + (z + 1) * a + (a + 1) * 10
    verdict = run.verify()
    assert (verdict.difference, verdict.recounted) == ("", 6)


def test_verify_recounts_params(module: "object", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = module.Unsorted()  # type: ignore[attr-defined]
    evonas.search(
        {
            "space": {"kind": "unsorted"},
            "task": {"kind": "digits"},
            "objectives": [{"metric": "error"}, {"metric": "params"}],
            "strategy": {"population": 2},
            "training": {"epochs": 1},
            "budget": {"evaluations": 2},
            "runtime": {"kind": "serial"},
        },
        space=space,
        run=tmp_path / "run",
    )
    build = type(space).build
    monkeypatch.setattr(
        type(space), "build", lambda s, arch, task: torch.nn.Sequential(build(s, arch, task), torch.nn.PReLU())
    )
    assert "params is" in evonas.load(tmp_path / "run", space).verify().difference


def other_labels(task: Task) -> Task:
    splits = task.splits
    return classification("bars", Splits(Split(splits.train.x, np.roll(splits.train.y, 1)), splits.valid, splits.test))


@pytest.mark.parametrize("part", ["genes", "task", "data"])
def test_a_worker_with_another_space_or_task_refuses(part: str, module: "object") -> None:
    task, config = bars_task(), small_config({"epochs": 1})
    space = module.Unsorted()  # type: ignore[attr-defined]
    expected = agreement(space, task)
    Evaluator(space, task, config, Objectives(config, task.spec), expected=expected)
    if part == "data":
        expected = agreement(space, other_labels(task))
    else:
        expected[part] += "!"
    with pytest.raises(UserError, match=f"a worker has other {part} than the driver"):
        Evaluator(space, task, config, Objectives(config, task.spec), expected=expected)
