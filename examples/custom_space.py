"""A search space of your own: python examples/custom_space.py [--smoke]

From the command line, in this folder: evonas search CONFIG --import custom_space, with space: {kind: mynet}.
"""

import math
import sys

from torch import nn

import evonas
from evonas.records import TaskSpec
from evonas.spaces import SPACES, Arch, Choice, Integer, Optional, Repeat, Space


class MyNet(Space):
    """A multi-layer perceptron for inputs of any shape."""

    layers = Repeat(Integer(1, 4), width=Choice(16, 32, 64, 128), activation=Choice("relu", "tanh"))
    dropout = Optional(Choice(0.1, 0.3))

    def build(self, arch: Arch, task: TaskSpec) -> nn.Module:
        activations = {"relu": nn.ReLU, "tanh": nn.Tanh}
        network, width = nn.Sequential(nn.Flatten()), math.prod(task.input_shape)
        for layer in arch.layers:
            network.extend([nn.Linear(width, layer.width), activations[layer.activation]()])
            width = layer.width
        if arch.dropout is not None:
            network.append(nn.Dropout(arch.dropout))
        return network.append(nn.Linear(width, task.outputs))


SPACES["mynet"] = MyNet

CONFIG = {
    "space": {"kind": "mynet"},
    "task": {"kind": "digits"},
    "objectives": [{"metric": "error"}, {"metric": "params"}],
    "strategy": {"population": 8},
    "training": {"epochs": 6, "rungs": [2]},
    "budget": {"evaluations": 32},
}

if __name__ == "__main__":
    if "--smoke" in sys.argv:  # two candidates in this process, to see that it runs
        CONFIG |= {"budget": {"evaluations": 2}, "runtime": {"kind": "serial"}}
    run = evonas.search(CONFIG, space=MyNet(), run="runs/custom_space")
    print(run.front()[["candidate", "error", "params"]])
