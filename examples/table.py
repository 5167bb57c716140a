"""A table with gaps, texts and a rare class: python examples/table.py [--smoke]

It is made of scikit-learn's 569 tumours, as tables come: a tenth of the numbers is missing, a column is text, and all
but 60 of the malignant ones are left out. For a config of your own: evonas init TABLE.csv
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer

import evonas


def write_tumours(file: Path) -> None:
    rng = np.random.default_rng(0)
    data = load_breast_cancer(as_frame=True)
    table = data.data.mask(rng.random(data.data.shape) < 0.1)
    table["size"] = pd.cut(data.data["mean radius"], [0, 11, 14, 99], labels=["small", "middle", "large"])
    table["diagnosis"] = [data.target_names[label] for label in data.target]
    rare = table.query("diagnosis == 'malignant'").index
    file.parent.mkdir(exist_ok=True)
    table.drop(rare[60:]).to_csv(file, index_label="id")


CONFIG = {
    "space": {"kind": "mlp", "widths": [1, 2, 4, 8, 16]},
    "task": {
        "kind": "table",
        "path": "data/tumours.csv",
        "label": "diagnosis",
        "ignore": ["id"],
        "valid_fraction": 0.3,
        "metrics": ["f1", "error"],  # who always says "benign" has an error of 14 %
    },
    "objectives": [{"metric": "f1"}, {"metric": "params"}],
    "strategy": {"population": 8},
    "training": {"epochs": 20, "batch_size": 16, "learning_rate": 0.02, "rungs": [5]},
    "budget": {"evaluations": 48},
}

if __name__ == "__main__":
    write_tumours(Path("data/tumours.csv"))
    if "--smoke" in sys.argv:  # two candidates in this process, to see that it runs
        CONFIG |= {"budget": {"evaluations": 2}, "runtime": {"kind": "serial"}, "training": {"epochs": 1}}
    run = evonas.search(CONFIG, run="runs/table")
    print(run.front()[["candidate", "f1", "error", "params"]])
    print("all of it as a page: evonas report runs/table")
    print("a network as a file: evonas export runs/table CANDIDATE --out network.onnx")
