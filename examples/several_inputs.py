"""Two inputs, a picture and a row of a table, and a space of networks that fuse them.

python examples/several_inputs.py [--smoke]; from the command line, in this folder: evonas search CONFIG --import
several_inputs, with space: {kind: fused} and task: {kind: leaves}.
"""

import sys

import numpy as np
import torch
from torch import Tensor, nn

import evonas
from evonas import Arch, Choice, Integer, Space, Split, Splits, Task, TaskSpec
from evonas.records import InputSpec
from evonas.spaces import SPACES
from evonas.tasks import TASKS
from evonas.tasks.baselines import same_for_all
from evonas.tasks.metrics import CLASSIFICATION_METRICS, directions


class Prepared(nn.Module):
    """Bytes of a picture -> 0 to 1; numbers of a row are standardised."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, rows: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(rows.mean(0)))
        self.register_buffer("deviation", torch.from_numpy(rows.std(0)))

    def forward(self, x: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"picture": x["picture"].float() / 255, "row": (x["row"] - self.mean) / self.deviation}


def leaves(*, examples: int = 400) -> Task:
    """Four classes: whether the picture is bright at the top, times whether the row's first number is above 20."""
    rng = np.random.default_rng(0)
    bright, warm = rng.integers(0, 2, (2, 3 * examples))
    pictures = rng.integers(0, 128, (3 * examples, 1, 6, 6)).astype(np.uint8)
    pictures[:, :, :2] += 100 * bright[:, None, None, None].astype(np.uint8)
    rows = rng.normal([20, 1, 5], [3, 1, 2], (3 * examples, 3)).astype(np.float32)
    rows[:, 0] += 6 * warm - 3
    parts = [Split({"picture": pictures[i::3], "row": rows[i::3]}, (2 * bright + warm)[i::3]) for i in range(3)]
    splits = Splits(*parts)
    metrics = {"error": CLASSIFICATION_METRICS["error"](4)}
    inputs = {"picture": InputSpec((1, 6, 6)), "row": InputSpec((3,))}
    spec = TaskSpec("leaves", inputs, (4,), directions(metrics))
    baselines = same_for_all("the first class", metrics, splits, np.eye(4, dtype=np.float32)[0])
    return Task(spec, splits, Prepared(rows[::3]), metrics=metrics, baselines=baselines)


class Fused(nn.Module):
    """picture (n, 1, height, width) and row (n, features) -> logits (n, outputs)."""

    def __init__(self, arch: Arch, features: int, outputs: int) -> None:
        super().__init__()
        pooled = nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.eye = nn.Sequential(
            nn.Conv2d(1, arch.channels, 3, padding=1), *pooled, nn.Linear(4 * arch.channels, arch.width)
        )
        layers = [part for _ in range(arch.layers) for part in (nn.LazyLinear(arch.width), nn.ReLU())]
        self.reader = nn.Sequential(*layers, nn.LazyLinear(arch.width))
        self.reader(torch.zeros(1, features))
        self.fusion = arch.fusion
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(arch.width * (1 + (arch.fusion == "concat")), outputs))

    def forward(self, picture: Tensor, row: Tensor) -> Tensor:
        seen, read = self.eye(picture), self.reader(row)
        joined = torch.cat([seen, read], 1) if self.fusion == "concat" else seen + read
        output: Tensor = self.head(joined)
        return output


class FusedNets(Space):
    channels = Choice(2, 4, 8)
    layers = Integer(0, 2)
    width = Choice(4, 8, 16)
    fusion = Choice("concat", "sum")

    def build(self, arch: Arch, task: TaskSpec) -> nn.Module:
        assert isinstance(task.input, dict)
        return Fused(arch, task.input["row"].shape[0], task.outputs)


SPACES["fused"] = FusedNets
TASKS["leaves"] = leaves

CONFIG = {
    "space": {"kind": "fused"},
    "task": {"kind": "leaves"},
    "objectives": [{"metric": "error"}, {"metric": "params"}],
    "strategy": {"population": 8},
    "training": {"epochs": 6, "batch_size": 32, "optimizer": "adamw", "learning_rate": 0.02},
    "budget": {"evaluations": 16},
}

if __name__ == "__main__":
    if "--smoke" in sys.argv:  # two candidates in this process, to see that it runs
        CONFIG |= {"budget": {"evaluations": 2}, "runtime": {"kind": "serial"}, "training": {"epochs": 1}}
    run = evonas.search(CONFIG, run="runs/several_inputs")
    print(run.front()[["candidate", "error", "params"]])
