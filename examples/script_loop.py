"""A script of your own that trains, in a process of its own: python examples/script_loop.py [--smoke]

It gets network and data by files, and writes the weights back; the front is trained to the end by it, too. From the
command line, in this folder: evonas search CONFIG --import script_loop, with learner: {kind: my_script}, and
evonas train RUN --import script_loop.
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch

import evonas
from evonas.evaluation.learners import LEARNERS, own_loop

SCRIPT = """
import sys, numpy as np, torch
network, data = torch.load("network.pt", weights_only=False), np.load("data.npz")
x, y = torch.from_numpy(data["x"]), torch.from_numpy(data["y"])
torch.manual_seed(int(sys.argv[1]))
torch.set_num_threads(int(sys.argv[2]))
optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
for rows in torch.randperm(len(x)).split(64):
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(network(x[rows]), y[rows])
    loss.backward()
    optimizer.step()
torch.save(network.state_dict(), "weights.pt")
print(float(loss.detach()))
"""


def train(network, data, budget, report):
    """Each epoch is a process."""
    x, y = data.task.splits.train.read(np.arange(len(data.task.splits.train)))
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder)
        np.savez(where / "data.npz", x=data.task.prepare(torch.from_numpy(x)).numpy(), y=y)
        for epoch in range(budget.epochs):
            torch.save(network.cpu(), where / "network.pt")
            line = [sys.executable, "-c", SCRIPT, str(budget.seed + epoch), str(torch.get_num_threads())]
            said = subprocess.run(line, cwd=where, check=True, capture_output=True, text=True).stdout
            network.load_state_dict(torch.load(where / "weights.pt"))
            network.to(data.device)
            report(float(said))


LEARNERS["my_script"] = own_loop(train)

CONFIG = {
    "space": {"kind": "cell", "stages": 1, "cells": [1], "channels": [4, 8], "nodes": 3},
    "task": {"kind": "digits"},
    "objectives": [{"metric": "error"}, {"metric": "params"}],
    "strategy": {"population": 4},
    "learner": {"kind": "my_script"},
    "training": {"epochs": 3, "rungs": [1]},
    "budget": {"evaluations": 8},
}

if __name__ == "__main__":
    if "--smoke" in sys.argv:  # two candidates in this process, to see that it runs
        CONFIG |= {"budget": {"evaluations": 2}, "runtime": {"kind": "serial"}, "training": {"epochs": 1}}
    run = evonas.search(CONFIG, run="runs/script_loop")
    print(run.front()[["candidate", "error", "params"]])
    done = evonas.train(run, pick=1, overrides=["epochs=2", "seeds=1"] if "--smoke" in sys.argv else [])
    print(done[["candidate", "epochs", "test[error]"]])
