"""How good are the forecasts of a search, beside those that nobody has to search for?

    python benchmarks/forecasts.py [--evaluations 60] [--only NAME]
    python benchmarks/forecasts.py --write load.csv

The series: an hourly load that is made (a day, a week, heating; the next 24 hours), as in configs/series.yaml, and a
recorded one, the four channels of an EEG that matplotlib ships (the next 4 samples). Beside the front stand, on the
same windows and by the same metrics, the seasonal naive forecast, ridge regression on the whole window, and gradient
boosting, a model for each step ahead, on the window. The network is the most accurate of the front by the
validation part; the figures are those of the test part, at which each is looked at once.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from _common import parse
from _made_tables import hourly_load
from matplotlib import cbook
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.multioutput import MultiOutputRegressor

import evonas
from evonas.config.loading import load_config
from evonas.tasks import Task
from evonas.tasks.baselines import baseline

ROOT = Path(__file__).parents[1]
EEG = {"targets": [f"channel {i}" for i in range(4)], "covariates": [], "known": [], "time": "", "season": 1}
TABLES: dict[str, dict[str, Any]] = {"load": {}, "eeg": {**EEG, "context": 32, "horizon": 4}}
"""Name -> options of the task that differ from those of configs/series.yaml."""


def table(name: str) -> pd.DataFrame:
    """The rows of a series."""
    if name == "load":
        return hourly_load()
    with cbook.get_sample_data("eeg.dat") as file:
        rows = np.frombuffer(file.read(), np.float64).reshape(-1, 4)
    return pd.DataFrame(rows, columns=EEG["targets"])


def others(task: Task) -> dict[str, dict[str, float]]:
    """The metrics of models that are fitted to the windows of the training part."""
    x = {part: task.prepare(torch.from_numpy(split.x)).flatten(1).numpy() for part, split in task.splits.parts.items()}
    boosting = MultiOutputRegressor(HistGradientBoostingRegressor(loss="absolute_error", max_iter=100, random_state=0))
    found = {}
    for name, model in {
        "ridge on the window": RidgeCV(10.0 ** np.arange(-1, 5)),
        "boosting, a step each": boosting,
    }.items():
        model.fit(x["train"], task.splits.train.y)
        outputs = {part: model.predict(x[part]).astype(np.float32) for part in ("valid", "test")}
        found |= baseline(name, task.metrics, task.splits, outputs)
    return found


def searched(name: str, path: Path, folder: Path, evaluations: int) -> evonas.Run:
    """The run of a search."""
    config = load_config(ROOT / "configs" / "series.yaml").model_dump(mode="json", exclude_unset=True)
    config["task"] = {**config["task"], **TABLES[name], "path": str(path)}
    config["budget"] = {"evaluations": evaluations}
    if name == "eeg":  # a few hundred windows
        config["training"] |= {"epochs": 40, "rungs": [8, 20], "batch_size": 32}
    return evonas.search(config, run=folder / f"run-{name}")


def network(run: evonas.Run, task: Task) -> dict[str, dict[str, float]]:
    """The metrics of the most accurate network of the front."""
    best = run.front().sort_values("mae").iloc[0]
    module = run.build(int(best["candidate"])).eval()
    with torch.inference_mode():
        outputs = {
            part: module(task.prepare(torch.from_numpy(task.splits.parts[part].x))).numpy()
            for part in ("valid", "test")
        }
    return baseline(f"evonas, {int(best['params']):,} parameters", task.metrics, task.splits, outputs)


def show(name: str, found: dict[str, dict[str, float]]) -> None:
    print(f"{name}: test", flush=True)
    metrics = [key for key in next(iter(found.values())) if key.startswith("test[")]
    print(f"  {'':30}" + "".join(f"{key[5:-1]:>10}" for key in metrics))
    for who, values in found.items():
        print(f"  {who:30}" + "".join(f"{values[key]:>10.4g}" for key in metrics))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--evaluations", type=int, default=60)
    parser.add_argument("--only", choices=[*TABLES])
    parser.add_argument("--write", metavar="FILE", help="the table of the load, for configs/series.yaml; nothing else")
    options = parse(parser, evaluations=2, only="eeg")
    if options.write:
        hourly_load().to_csv(options.write, index=False)
        print(f"{options.write}: {len(hourly_load()):,} hours")
        return
    for name in [options.only] if options.only else TABLES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}.csv"
            table(name).to_csv(path, index=False)
            run = searched(name, path, Path(folder), options.evaluations)
            task = run.task()
            show(name, {**task.baselines, **others(task), **network(run, task)})


if __name__ == "__main__":
    main()
