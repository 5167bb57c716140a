"""Masks, with a task and a space of its own: the pen's pixels in noisy digits: python examples/masks.py [--smoke]"""

import sys

import numpy as np
from sklearn.datasets import load_digits
from torch import Tensor, nn

import evonas
from evonas import Arch, Choice, InputSpec, Integer, Repeat, Space, Split, Splits, Task, TaskMetric, TaskSpec
from evonas.spaces import SPACES
from evonas.tasks import TASKS, divided
from evonas.tasks.task import Standardise


def overlap(output: Tensor, target: Tensor) -> Tensor:
    """(n,) intersection over union, of logits (n, 2, height, width) and masks (n, height, width)."""
    found, true = output.argmax(1).flatten(1) == 1, target.flatten(1) == 1
    return (found & true).sum(1) / (found | true).sum(1)


def pen() -> Task:
    ink = load_digits().images.repeat(2, 1).repeat(2, 2)[:, None]  # (n, 1, 16, 16), 0 to 16
    noisy = ink + np.random.default_rng(0).normal(0, 12, ink.shape)
    pool = Split(noisy.astype(np.float32), (ink[:, 0] > 8).astype(np.int64))
    splits = Splits(*divided(pool, (0.2, 0.2), seed=0, stratify=False))
    spec = TaskSpec("pen", InputSpec((1, 16, 16)), (2, 16, 16), {"iou": "maximize"})
    return Task(spec, splits, Standardise(splits.train.x), metrics={"iou": TaskMetric(overlap, direction="maximize")})


class Pixelwise(Space):
    layers = Repeat(Integer(1, 4), width=Choice(4, 8, 16), dilation=Choice(1, 2))

    def build(self, arch: Arch, task: TaskSpec) -> nn.Module:
        network, width = nn.Sequential(), 1
        for layer in arch.layers:
            conv = nn.Conv2d(width, layer.width, 3, padding=layer.dilation, dilation=layer.dilation)
            network.extend([conv, nn.BatchNorm2d(layer.width), nn.ReLU()])
            width = layer.width
        return network.append(nn.Conv2d(width, 2, 1))


TASKS["pen"], SPACES["pixelwise"] = pen, Pixelwise

CONFIG = {
    "space": {"kind": "pixelwise"},
    "task": {"kind": "pen"},
    "objectives": [{"metric": "iou"}, {"metric": "macs"}],
    "strategy": {"population": 8},
    "training": {"epochs": 6, "rungs": [2]},
    "budget": {"evaluations": 24},
}

if __name__ == "__main__":
    if "--smoke" in sys.argv:  # two candidates in this process, to see that it runs
        CONFIG |= {"budget": {"evaluations": 2}, "runtime": {"kind": "serial"}, "training": {"epochs": 1}}
    run = evonas.search(CONFIG, run="runs/masks")
    print(run.front()[["candidate", "iou", "macs", "params"]])
    print("all of it as a page: evonas report runs/masks")
    print(f"a network as a file: evonas export runs/masks CANDIDATE --out network.onnx --import {sys.argv[0]}")
