"""A trainer of Lightning's as the search's training loop: python examples/lightning_loop.py [--smoke]

A hook of its module reports each epoch, in the search and in what trains its front to the end. From the command line,
in this folder: evonas search CONFIG --import lightning_loop, with learner: {kind: lightning}, and evonas train RUN
--import lightning_loop.
"""

import sys

import torch

import evonas
from evonas.evaluation.learners import LEARNERS, own_loop

try:
    import lightning
except ImportError:
    sys.exit("this example needs Lightning: pip install lightning")


class Epochs(torch.utils.data.IterableDataset):
    """The search's batches, an epoch each time that it is read."""

    def __init__(self, data):
        self.data, self.epoch = data, -1

    def __iter__(self):
        self.epoch += 1
        return self.data.batches(self.epoch)


class Module(lightning.LightningModule):
    def __init__(self, network, data, report, rate):
        super().__init__()
        self.network, self.loop_data, self.report, self.rate, self.losses = network, data, report, rate, []

    def training_step(self, batch, index):
        x, y = batch
        loss = self.loop_data.loss(self.network(x), y)
        self.losses.append(loss.detach())
        return loss

    def on_train_epoch_end(self):
        self.report(float(torch.stack(self.losses).mean()))
        self.losses.clear()

    def configure_optimizers(self):
        return torch.optim.AdamW(self.network.parameters(), lr=self.rate)


def train(network, data, budget, report, *, rate: float = 0.01):
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    accelerator = "gpu" if data.device.type == "cuda" else "cpu"
    trainer = lightning.Trainer(max_epochs=budget.epochs, accelerator=accelerator, devices=1, **quiet)
    trainer.fit(Module(network, data, report, rate), torch.utils.data.DataLoader(Epochs(data), batch_size=None))


LEARNERS["lightning"] = own_loop(train)

CONFIG = {
    "space": {"kind": "cell", "stages": 1, "cells": [1], "channels": [4, 8], "nodes": 3},
    "task": {"kind": "digits"},
    "objectives": [{"metric": "error"}, {"metric": "params"}],
    "strategy": {"population": 4},
    "learner": {"kind": "lightning"},
    "training": {"epochs": 3, "rungs": [1]},
    "budget": {"evaluations": 8},
}

if __name__ == "__main__":
    if "--smoke" in sys.argv:  # two candidates in this process, to see that it runs
        CONFIG |= {"budget": {"evaluations": 2}, "runtime": {"kind": "serial"}, "training": {"epochs": 1}}
    run = evonas.search(CONFIG, run="runs/lightning_loop")
    print(run.front()[["candidate", "error", "params"]])
    done = evonas.train(run, pick=1, overrides=["epochs=2", "seeds=1"] if "--smoke" in sys.argv else [])
    print(done[["candidate", "epochs", "test[error]"]])
