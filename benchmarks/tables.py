"""A small search on tables against what their users know: gradient-boosted trees and scikit-learn's own networks.

    python benchmarks/tables.py [--splits 5] [--evaluations 24] [--only NAME]

The tables that come with scikit-learn, the digits as one of 64 columns among them. In each split a fifth of the rows is
the test part, the same for all. evonas searches with a fifth of the rest as its validation part, by the recipe of
`configs/table.yaml`; the network of the front with the best first metric is trained on all of the rest, three times
from other initial weights, and the mean of their test figures counts. The others are fitted to all of the rest with
their defaults, the networks behind a StandardScaler, without which they are much worse. Printed are mean and standard
deviation over the splits. Times are not compared.
"""

import argparse
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from _common import parse
from sklearn import datasets
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import evonas
from evonas.config import TrainingConfig
from evonas.evaluation.batches.device_data import to_device
from evonas.evaluation.training.loop import Trainer
from evonas.spaces.units import built
from evonas.tasks import Task
from evonas.tasks.splitting import joined

TABLES = {
    "wine": datasets.load_wine,
    "breast_cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
    "diabetes": datasets.load_diabetes,
}
VALUES = ("diabetes",)
SEEDS = 3
CONFIG = Path(__file__).parents[1] / "configs" / "table.yaml"


def searched(train: pd.DataFrame, test: pd.DataFrame, values: bool, evaluations: int, seed: int) -> float:
    """The test figure of the front's best network of a search, trained on all that is not test."""
    metrics = ("rmse",) if values else ("log_loss", "error")
    task = evonas.table_of(
        train,
        test=test,
        label="target",
        target="values" if values else "classes",
        valid_fraction=0.2,
        split_seed=seed,
        metrics=metrics,
    )
    config = yaml.safe_load(CONFIG.read_text())
    config |= {"seed": seed, "budget": {"evaluations": evaluations}, "runtime": {"kind": "serial"}}
    config["objectives"] = [{"metric": metrics[0]}, {"metric": "params"}]
    del config["task"]
    with tempfile.TemporaryDirectory() as folder:
        run = evonas.search(config, task=task, run=f"{folder}/run", progress=False)
        best = run.front().sort_values(metrics[0]).iloc[0]
    training = TrainingConfig.model_validate(config["training"])
    whole = replace(task.splits, train=joined(task.splits.train, task.splits.valid), valid=task.splits.test)
    found = [
        trained(replace(task, splits=whole), tuple(best["genome"]), training, 100 * seed + n) for n in range(SEEDS)
    ]
    return float(np.mean([metrics_of[metrics[-1]] for metrics_of in found]))


def trained(task: Task, genome: tuple[int, ...], training: TrainingConfig, seed: int) -> dict[str, float]:
    """The metrics of the validation part of a task, which is the test part here, after the last epoch."""
    space = evonas.spaces.MLP(**{k: v for k, v in yaml.safe_load(CONFIG.read_text())["space"].items() if k != "kind"})
    torch.manual_seed(seed)
    *_, last = Trainer(built(space, genome, task.spec), to_device(task, "cpu"), task, training, seed).epochs()
    return dict(last.metrics)


def others(train: pd.DataFrame, test: pd.DataFrame, values: bool, seed: int) -> dict[str, float]:
    """The test figures of scikit-learn's, with their defaults."""
    trees = HistGradientBoostingRegressor if values else HistGradientBoostingClassifier
    network = MLPRegressor if values else MLPClassifier
    models = {
        "trees": trees(random_state=seed),
        "MLP of scikit-learn": make_pipeline(StandardScaler(), network(random_state=seed)),
    }
    found = {}
    for name, model in models.items():
        guess = model.fit(train.drop(columns="target"), train["target"]).predict(test.drop(columns="target"))
        y = test["target"]
        found[name] = float(mean_squared_error(y, guess) ** 0.5 if values else (guess != y).mean())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--evaluations", type=int, default=24)
    parser.add_argument("--only", choices=TABLES)
    options = parse(parser, splits=1, evaluations=2, only="wine")
    warnings.simplefilter("ignore")  # notes of the task, and networks of scikit-learn that have not converged
    for name in [options.only] if options.only else TABLES:
        frame, values = TABLES[name](as_frame=True).frame, name in VALUES
        rows: dict[str, list[float]] = {}
        for seed in range(options.splits):
            stratify = None if values else frame["target"]
            train, test = train_test_split(frame, test_size=0.2, random_state=seed, stratify=stratify)
            found = {"evonas": searched(train, test, values, options.evaluations, seed)}
            for which, figure in (found | others(train, test, values, seed)).items():
                rows.setdefault(which, []).append(figure)
        unit, scale = ("rmse", 1) if values else ("error %", 100)
        said = ", ".join(f"{w} {scale * np.mean(f):.2f} ± {scale * np.std(f):.2f}" for w, f in rows.items())
        print(f"{name:14} {len(frame):5,} rows, {options.splits} splits, {unit}: {said}", flush=True)


if __name__ == "__main__":
    main()
