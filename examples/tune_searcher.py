"""NSGA-II for what is no network, with Ray Tune: python examples/tune_searcher.py [--smoke]

A random forest on scikit-learn's digits: few errors against few nodes, and no more than 20,000 of them. On two cores it
takes a minute or two.
"""

import sys
from pathlib import Path
from typing import Any

from ray import tune
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

from evonas.tune import EvolutionSearcher

PARAM_SPACE = {
    "n_estimators": tune.lograndint(1, 129),
    "max_depth": tune.randint(2, 16),
    "max_features": tune.loguniform(0.02, 1.0),
    "min_samples_leaf": tune.randint(1, 11),
    "criterion": tune.choice(["gini", "entropy"]),
}


def train(config: dict[str, Any]) -> None:
    x, y = load_digits(return_X_y=True)
    x_train, x_valid, y_train, y_valid = train_test_split(x, y, test_size=0.4, random_state=0, stratify=y)
    forest = RandomForestClassifier(**config, random_state=0).fit(x_train, y_train)
    nodes = sum(tree.tree_.node_count for tree in forest.estimators_)
    tune.report({"error": 1 - forest.score(x_valid, y_valid), "nodes": nodes})


if __name__ == "__main__":
    searcher = EvolutionSearcher(
        metric=["error", "nodes"], mode=["min", "min"], limits={"nodes": {"at_most": 20_000}}, population=16
    )
    tuner = tune.Tuner(
        train,
        param_space=PARAM_SPACE,
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            num_samples=4 if "--smoke" in sys.argv else 120,  # four trials, to see that it runs
            max_concurrent_trials=4,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(storage_path=str(Path("runs").resolve()), name="tune_searcher", verbose=0),
    )
    tuner.fit()
    for trial in searcher.front():
        print(f"error {trial.metrics['error']:.4f}  nodes {trial.metrics['nodes']:6,.0f}  {dict(trial.config)}")
