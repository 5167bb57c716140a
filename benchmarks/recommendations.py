"""How good are the recommendations of a search, beside those that nobody has to search for?

    python benchmarks/recommendations.py [--evaluations 60]
    python benchmarks/recommendations.py --write shop.csv

2,000 users with latent tastes and 500 items, of which some are popular, made by a seeded generator (scikit-learn
ships no table of them). Beside the front of configs/recommendation.yaml stand, by the same metrics, what most
users took, neighbours of items (cosine of their users), and a truncated singular value decomposition, of the rank that
is best on the validation part. The network is the best of the front by the validation part; the figures are those of
the test part. All learn from the training part alone.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from _common import parse
from _made_tables import tastes
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import randomized_svd

import evonas
from evonas.config.loading import load_config
from evonas.tasks import Task
from evonas.tasks.baselines import baseline
from evonas.tasks.recommendation.ranking import ITEMS

ROOT = Path(__file__).parents[1]
RANKS = (2, 4, 6, 8, 16, 32)


def taken(task: Task) -> np.ndarray:
    """(users, items) 1 where a training pair is."""
    train, users = task.splits.train, task.spec.input.high
    found = np.zeros((users, task.spec.outputs), np.float32)
    found[train.x, train.y[:, ITEMS]] = 1
    return found


def scored(name: str, task: Task, scores: np.ndarray) -> dict[str, dict[str, float]]:
    """The metrics of scores (users, items)."""
    outputs = {part: scores[task.splits.parts[part].x].astype(np.float32) for part in ("valid", "test")}
    return baseline(name, task.metrics, task.splits, outputs)


def neighbours(task: Task) -> dict[str, dict[str, float]]:
    """Items whose users are those of the items that a user took (Sarwar et al. 2001)."""
    had = taken(task)
    of_items = normalize(had.T)
    return scored("neighbours of items", task, had @ (of_items @ of_items.T))


def decomposed(task: Task) -> dict[str, dict[str, float]]:
    """PureSVD (Cremonesi et al. 2010)."""
    had, found = taken(task), {}
    for rank in RANKS:
        u, s, v = randomized_svd(had, rank, random_state=0)
        found |= scored(f"truncated SVD, rank {rank}", task, u * s @ v)
    best = max(found, key=lambda name: found[name][task.spec.metric])
    return {best: found[best]}


def network(run: evonas.Run, task: Task) -> dict[str, dict[str, float]]:
    """The metrics of the best network of the front."""
    best = run.front().sort_values(task.spec.metric).iloc[-1]
    with torch.inference_mode():
        scores = run.build(int(best["candidate"])).eval()(torch.arange(task.spec.input.high)).numpy()
    return scored(f"evonas, {int(best['params']):,} parameters", task, scores)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--evaluations", type=int, default=60)
    parser.add_argument("--write", metavar="FILE", help="the table, for configs/recommendation.yaml; nothing else")
    options = parse(parser, evaluations=2)
    if options.write:
        tastes().to_csv(options.write, index=False)
        print(f"{options.write}: {len(tastes()):,} pairs")
        return
    config = load_config(ROOT / "configs" / "recommendation.yaml").model_dump(mode="json", exclude_unset=True)
    config["budget"] = {"evaluations": options.evaluations}
    with tempfile.TemporaryDirectory() as folder:
        config["task"]["path"] = f"{folder}/shop.csv"
        tastes().to_csv(config["task"]["path"], index=False)
        run = evonas.search(config, run=Path(folder) / "run")
        task = run.task()
        found = {**task.baselines, **neighbours(task), **decomposed(task), **network(run, task)}
    metrics = [key for key in next(iter(found.values())) if key.startswith("test[")]
    print(f"{'test':30}" + "".join(f"{key[5:-1]:>12}" for key in metrics))
    for who, values in found.items():
        print(f"{who:30}" + "".join(f"{values[key]:>12.4f}" for key in metrics))


if __name__ == "__main__":
    main()
