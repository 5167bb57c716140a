"""A searched cell in a searched network, genes within genes: python examples/nested_cells.py [--smoke]

A small library of cells is searched, and at the same time the network around them: how many stages, how wide, and which
of the cells each is a stack of (two levels of the hierarchy of Liu et al. 2018).
"""

import json
import sys

from torch import nn

import evonas
from evonas import Choice, Group, Integer, OneOf, Repeat, Space
from evonas.spaces import SPACES


def branch():
    return OneOf(conv=Group(kernel=Choice(1, 3, 5)), pool=Group(), skip=Group())


class Nested(Space):
    cells = Repeat(2, left=branch(), right=branch())
    stages = Repeat(Integer(1, 3), width=Choice(8, 16, 32), repeats=Integer(1, 2), cell=Choice(0, 1, ordered=False))

    def identity(self, genome):
        """What the stages are made of."""
        arch = self.decode(genome)
        cells = [sorted([repr(cell.left), repr(cell.right)]) for cell in arch.cells]
        return json.dumps([[stage.width, stage.repeats, cells[stage.cell]] for stage in arch.stages])

    def build(self, arch, task):
        network, channels = nn.Sequential(), task.input_shape[0]
        for at, stage in enumerate(arch.stages):
            network.append(nn.Conv2d(channels, stage.width, 3, stride=2 if at else 1, padding=1))
            network.extend([Cell(arch.cells[stage.cell], stage.width) for _ in range(stage.repeats)])
            channels = stage.width
        return network.extend([nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, task.outputs)])


class Cell(nn.Module):
    """The sum of two branches, normalised."""

    def __init__(self, form, width):
        super().__init__()
        self.left, self.right = layer(form.left, width), layer(form.right, width)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x):
        return self.norm(self.left(x) + self.right(x)).relu()


def layer(form, width):
    if form.kind == "conv":
        return nn.Conv2d(width, width, form.kernel, padding=form.kernel // 2)
    return nn.AvgPool2d(3, 1, 1) if form.kind == "pool" else nn.Identity()


SPACES["nested"] = Nested

CONFIG = {
    "space": {"kind": "nested"},
    "task": {"kind": "digits"},
    "objectives": [{"metric": "error"}, {"metric": "params"}],
    "strategy": {"population": 8},
    "training": {"epochs": 6, "rungs": [2]},
    "budget": {"evaluations": 24},
}

if __name__ == "__main__":
    if "--smoke" in sys.argv:  # two candidates in this process, to see that it runs
        CONFIG |= {"budget": {"evaluations": 2}, "runtime": {"kind": "serial"}, "training": {"epochs": 1}}
    run = evonas.search(CONFIG, run="runs/nested_cells")
    print(run.front()[["candidate", "error", "params"]])
