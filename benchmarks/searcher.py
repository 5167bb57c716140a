"""Does `EvolutionSearcher` find better fronts than Ray Tune's random search, trial for trial?

    python benchmarks/searcher.py [--seeds 10] [--trials 300] [--in-flight 4] [--problems zdt1 dtlz2 forest]

The searchers are driven as Tune drives them, without Ray, with some trials in flight. Problems: ZDT1 (Zitzler, Deb &
Thiele 2000; 8 variables), DTLZ2 (Deb et al. 2005; 3 objectives, 7 variables), and a random forest on scikit-learn's
digits, error against the number of nodes. Printed: hypervolume after a third, two thirds and all of the trials, mean
and standard deviation over the seeds; of ZDT1 and DTLZ2 in percent of that of the true front, of the forest in percent
of what all trials of all searchers and seeds reach together. Then what suggesting and completing a trial takes.

With optuna installed (pip install optuna), also Tune's OptunaSearch: by its default for several objectives (TPE), and
with optuna's NSGA-II.
"""

import argparse
import json
import logging
import math
import time
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

import moocore
import numpy as np
from _common import parse
from ray import tune
from ray.tune.search.searcher import Searcher
from ray.tune.search.variant_generator import generate_variants
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

from evonas.tune import EvolutionSearcher

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Problem:
    """front: points of the true front; of what was found, where that is not known."""

    space: Config
    evaluate: Callable[[Config], tuple[float, ...]]
    reference: tuple[float, ...]
    front: Sequence[Sequence[float]] = ()

    @property
    def metrics(self) -> list[str]:
        return [f"f{i}" for i in range(len(self.reference))]


class RandomSearch(Searcher):
    """What Tune draws by itself."""

    def __init__(self, space: Config, seed: int) -> None:
        super().__init__()
        self._space, self._state = dict(space), np.random.RandomState(seed)

    def suggest(self, trial_id: str) -> dict[str, Any]:
        ((_, spec),) = generate_variants({"config": self._space}, random_state=self._state)
        return dict(spec["config"])

    def on_trial_complete(self, trial_id: str, result: dict | None = None, error: bool = False) -> None:
        pass


def main() -> None:
    options = _options()
    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    problems = {"zdt1": zdt1, "dtlz2": dtlz2, "forest": forest}
    for name in options.problems:
        compare(name, problems[name](), options)


def compare(name: str, problem: Problem, options: argparse.Namespace) -> None:
    at = [max(1, options.trials * third // 3) for third in (1, 2, 3)]
    found, seconds = {}, {}
    for searcher, make in searchers(problem, options.population).items():
        runs = [driven(make(seed), problem, options.trials, options.in_flight) for seed in range(options.seeds)]
        found[searcher] = [points for points, _ in runs]
        seconds[searcher] = np.mean([took for _, took in runs])
    front = problem.front or np.concatenate([points for runs in found.values() for points in runs])
    best = moocore.hypervolume(np.asarray(front, float), ref=problem.reference)
    print(f"{name}, {options.seeds} seeds, {options.in_flight} in flight, hypervolume in %")
    print(f"{'searcher':24s}{''.join(f'{n:>9,} trials ' for n in at)} suggest and complete")
    for searcher, runs in found.items():
        shares = [[100 * moocore.hypervolume(run[:n], ref=problem.reference) / best for n in at] for run in runs]
        cells = zip(np.mean(shares, 0), np.std(shares, 0), strict=True)
        text = "".join(f"{mean:9.2f} ± {deviation:4.2f}" for mean, deviation in cells)
        print(f"{searcher:24s}{text}{1000 * seconds[searcher]:14.1f} ms a trial", flush=True)


def searchers(problem: Problem, population: int) -> dict[str, Callable[[int], Searcher]]:
    """Name -> a new searcher of a seed."""
    aims = {"metric": problem.metrics, "mode": ["min"] * len(problem.metrics)}
    found: dict[str, Callable[[int], Searcher]] = {
        "evonas nsga2": lambda seed: EvolutionSearcher(**aims, seed=seed, population=population),
        "evonas regularised": lambda seed: EvolutionSearcher(
            **aims, strategy="regularised_evolution", seed=seed, population=population
        ),
        "tune random": lambda seed: RandomSearch(problem.space, seed),
    }
    if find_spec("optuna"):
        from optuna import logging as optuna_logging
        from optuna.samplers import NSGAIISampler
        from ray.tune.search.optuna import OptunaSearch

        optuna_logging.set_verbosity(optuna_logging.ERROR)
        warnings.simplefilter("ignore")
        found["tune OptunaSearch"] = lambda seed: OptunaSearch(**aims, seed=seed)
        found["... with its NSGA-II"] = lambda seed: OptunaSearch(
            **aims, sampler=NSGAIISampler(population_size=population, seed=seed)
        )
    return found


def driven(searcher: Searcher, problem: Problem, trials: int, in_flight: int) -> tuple[np.ndarray, float]:
    """Objectives of the trials as they end, shape (trials, objectives), and the searcher's seconds a trial."""
    searcher.set_search_properties(None, None, dict(problem.space))
    waiting: deque[tuple[str, Config]] = deque()
    points: list[tuple[float, ...]] = []
    seconds, begun = 0.0, 0
    while len(points) < trials:
        began = time.perf_counter()
        while begun < trials and len(waiting) < in_flight:
            waiting.append((str(begun), searcher.suggest(str(begun))))
            begun += 1
        seconds += time.perf_counter() - began
        trial, config = waiting.popleft()
        points.append(problem.evaluate(config))
        result = dict(zip(problem.metrics, points[-1], strict=True))
        began = time.perf_counter()
        searcher.on_trial_complete(trial, {**result, "training_iteration": 1})
        seconds += time.perf_counter() - began
    return np.array(points), seconds / trials


def zdt1() -> Problem:
    def evaluate(config: Config) -> tuple[float, ...]:
        first, *others = config.values()
        g = 1 + 9 * sum(others) / len(others)
        return first, g * (1 - math.sqrt(first / g))

    front = [(x, 1 - math.sqrt(x)) for x in np.linspace(0, 1, 2_000)]
    return Problem({f"x{i}": tune.uniform(0, 1) for i in range(8)}, evaluate, (1.1, 6.0), front)


def dtlz2() -> Problem:
    def evaluate(config: Config) -> tuple[float, ...]:
        x, y, *others = config.values()
        radius = 1 + sum((z - 0.5) ** 2 for z in others)
        a, b = x * math.pi / 2, y * math.pi / 2
        return radius * math.cos(a) * math.cos(b), radius * math.cos(a) * math.sin(b), radius * math.sin(a)

    angles = np.linspace(0, math.pi / 2, 60)
    front = [(math.cos(a) * math.cos(b), math.cos(a) * math.sin(b), math.sin(a)) for a in angles for b in angles]
    return Problem({f"x{i}": tune.uniform(0, 1) for i in range(7)}, evaluate, (1.6, 1.6, 1.6), front)


def forest() -> Problem:
    x, y = load_digits(return_X_y=True)
    x_train, x_valid, y_train, y_valid = train_test_split(x, y, test_size=0.4, random_state=0, stratify=y)

    @cache
    def trained(config: str) -> tuple[float, ...]:
        found = RandomForestClassifier(**json.loads(config), random_state=0).fit(x_train, y_train)
        nodes = sum(tree.tree_.node_count for tree in found.estimators_)
        return float(1 - found.score(x_valid, y_valid)), math.log10(nodes)

    space = {
        "n_estimators": tune.lograndint(1, 65),
        "max_depth": tune.randint(2, 16),
        "max_features": tune.loguniform(0.02, 1.0),
        "min_samples_leaf": tune.randint(1, 11),
        "criterion": tune.choice(["gini", "entropy"]),
    }
    return Problem(space, lambda config: trained(json.dumps(config, sort_keys=True)), (1.0, 5.0))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--population", type=int, default=24)
    parser.add_argument("--in-flight", type=int, default=4, help="trials that are suggested before the first has ended")
    parser.add_argument("--problems", nargs="+", default=["zdt1", "dtlz2", "forest"], help="which of the three")
    return parse(parser, seeds=1, trials=12, population=4, problems=["zdt1", "forest"])


if __name__ == "__main__":
    main()
