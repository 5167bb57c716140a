"""A task of your own: python examples/custom_task.py [--smoke]

A regression on a table: the progression of diabetes from ten measurements of 442 patients (Efron et al. 2004).
"""

import sys

import numpy as np
from custom_space import MyNet
from sklearn.datasets import load_diabetes

import evonas
from evonas import Split, Splits, Task, regression
from evonas.tasks import TASKS, divided


def diabetes(*, valid_fraction: float = 0.25, test_fraction: float = 0.25) -> Task:
    x, y = load_diabetes(return_X_y=True)
    pool = Split(x.astype(np.float32), (y / y.std()).astype(np.float32))
    return regression("diabetes", Splits(*divided(pool, (valid_fraction, test_fraction), seed=0, stratify=False)))


TASKS["diabetes"] = diabetes

CONFIG = {
    "space": {"kind": "mynet"},
    "task": {"kind": "diabetes"},
    "objectives": [{"metric": "mse"}, {"metric": "params"}],
    "strategy": {"population": 8},
    "training": {"epochs": 20, "batch_size": 16, "learning_rate": 0.02, "rungs": [5]},
    "budget": {"evaluations": 24},
}

if __name__ == "__main__":
    if "--smoke" in sys.argv:  # two candidates in this process, to see that it runs
        CONFIG |= {"budget": {"evaluations": 2}, "runtime": {"kind": "serial"}}
    run = evonas.search(CONFIG, space=MyNet(), task=diabetes(), run="runs/custom_task")
    print(run.front()[["candidate", "mse", "params"]])
