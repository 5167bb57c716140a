"""The whole path on real data."""

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

from torch import nn

from evonas.records import Status, TaskSpec
from evonas.spaces.genes import Arch, Choice
from evonas.spaces.space import Space
from evonas.tasks import TASKS
from tests.evaluation.small import config, evaluator, job, run

ALONE = """
import sys
for name in ("ray", "pymoo", "moocore", "pyarrow", "pandas", "datasets", "PIL"):
    sys.modules[name] = None
from evonas.tasks import TASKS
from tests.evaluation.small import ConvNets, config, evaluator, job, run
passed, last = run(evaluator(ConvNets(), TASKS["digits"](), config({"epochs": 2, "rungs": [1]})), job())
print(last.status, len(passed), last.metrics["params"])
"""


class Small(Space):
    width = Choice(8, 16)

    def build(self, arch: Arch, task: TaskSpec) -> nn.Module:
        widths = (task.input_shape[0], arch.width, arch.width, 2 * arch.width, 2 * arch.width)
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        return nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(widths[-1], task.outputs))


def test_the_digits_are_those_of_scikit_learn() -> None:
    """In another order, and each in one part."""
    from sklearn.datasets import load_digits

    def rows(x: Any, y: Any) -> list[tuple[int, ...]]:
        return sorted((*image.ravel().astype(int).tolist(), int(label)) for image, label in zip(x, y, strict=True))

    parts = TASKS["digits"]().splits
    found = [row for part in (parts.train, parts.valid, parts.test) for row in rows(part.x, part.y)]
    bunch = load_digits()
    assert sorted(found) == rows(bunch.images, bunch.target)


def test_a_small_network_reads_digits() -> None:
    evaluate = evaluator(Small(), TASKS["digits"](), config({"epochs": 6, "batch_size": 64}))
    _, last = run(evaluate, job(1))
    assert last.status is Status.OK, last.message
    # A nearest-neighbour rule has 1-2 % on such a split; 5 % leaves room for 6 epochs.
    assert last.metrics["error"] < 0.05
    assert last.weights is not None


def test_it_runs_where_only_torch_and_numpy_are() -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["ok", "1", "438.0"]
