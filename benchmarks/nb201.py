"""Does NSGA-II beat random search? On all 15,625 trained networks of NAS-Bench-201, as a table.

    python benchmarks/nb201.py TABLE.parquet [--seeds 20] [--latency latency_ms_raspi4] [--optuna]

Objectives: validation error after 200 epochs (mean of the trained seeds) and one device's measured latency.
Printed: hypervolume in percent of that of the true front, mean and standard deviation over the seeds, after 200, 500
and 1,000 candidates; the reference point is the worst value of each objective in the table. Breeding goes through the
search's own window (lookahead: half the population), as it does with that many workers.

Table: NAS-Bench-201 (Dong & Yang 2020) with HW-NAS-Bench's latencies (Li et al. 2021); columns e0..e5, valid_acc_200ep
and latency_ms_*.
"""

import argparse
from collections.abc import Callable

import moocore
import numpy as np
import pandas as pd

from evonas.breeding import Breeder
from evonas.config import Config, validated
from evonas.objectives import Objectives
from evonas.records import Evaluation, Genome, Progress, Status, TaskSpec
from evonas.spaces import SPACES
from evonas.streams import stream

AT = (200, 500, 1000)
SPEC = TaskSpec("nb201", (3, 32, 32), 10)
Table = dict[Genome, tuple[float, float]]
Points = np.ndarray


def main() -> None:
    options = _options()
    frame = pd.read_parquet(options.table)
    table = read_table(frame, options.latency)
    everything = np.array(list(table.values()))
    worst = everything.max(0)
    best = moocore.hypervolume(everything, ref=worst)
    print(f"NAS-Bench-201, error and {options.latency}, {options.seeds} seeds, % of the true front's hypervolume")
    print(f"{'strategy':16s}" + "".join(f"{n:>16,}" for n in AT))
    searchers: dict[str, Callable[[int], Points]] = {
        name: lambda seed, name=name: evonas_points(table, name, seed, options.population)
        for name in ("nsga2", "random")
    }
    if options.optuna:
        searchers["optuna NSGA-II"] = lambda seed: optuna_points(table, seed, options.population)
    means = {}
    for name, points in searchers.items():
        shares = np.array([[100 * moocore.hypervolume(p[:n], ref=worst) / best for n in AT] for p in
                           (points(seed) for seed in range(options.seeds))])  # fmt: skip
        means[name] = shares.mean(0)
        print(
            f"{name:16s}" + "".join(f"{m:9.2f} ± {s:4.2f}" for m, s in zip(shares.mean(0), shares.std(0), strict=True))
        )
    verdict = "beats" if (means["nsga2"] > means["random"]).all() else "DOES NOT beat"
    print(f"nsga2 {verdict} random in mean hypervolume at {', '.join(f'{n:,}' for n in AT)}")


def read_table(frame: pd.DataFrame, latency: str) -> Table:
    """Genome -> (error, latency in ms). The table's operations are numbered as those of the space `cell`."""
    genomes = frame[[f"e{i}" for i in range(6)]].itertuples(index=False, name=None)
    values = zip(1 - frame["valid_acc_200ep"] / 100, frame[latency], strict=True)
    return {tuple(map(int, genome)): (float(e), float(ms)) for genome, (e, ms) in zip(genomes, values, strict=True)}


def evonas_points(table: Table, strategy: str, seed: int, population: int) -> Points:
    """Objectives of the candidates in the order they were bred, shape (1000, 2)."""
    config = validated(
        Config,
        {
            "seed": seed,
            "space": {"kind": "cell", "channels": 16, "cells": 5},
            "task": {"kind": "nb201"},
            "objectives": [{"metric": "error"}, {"metric": "latency_ms", "target": "board"}],
            "targets": {"board": {}},
            "strategy": {"kind": strategy, "population": population},
            "training": {"epochs": 200},
            "budget": {"evaluations": max(AT)},
        },
        "config",
    )
    space = SPACES["cell"](channels=16, cells=5)
    breeder = Breeder(config, space, Objectives(config, SPEC))
    points = []
    for index in range(max(AT)):
        candidate = breeder.breed().candidate
        error, ms = table[candidate.genome]
        metrics = {"error": error, "latency_ms[board]": ms}
        breeder.ledger.decided(Evaluation(candidate, Status.OK, metrics, rungs=[Progress(index, 0, metrics)]))
        points.append((error, ms))
    return np.array(points)


def optuna_points(table: Table, seed: int, population: int) -> Points:
    """The same with optuna's NSGA-II (categorical genes, repeats and all), as its users run it."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.NSGAIISampler(
        population_size=population, seed=int(stream(seed, "optuna").integers(2**31))
    )
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    study.optimize(lambda t: table[tuple(t.suggest_categorical(f"e{i}", range(5)) for i in range(6))], max(AT))
    return np.array([trial.values for trial in study.trials])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", metavar="TABLE.parquet")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--population", type=int, default=20)
    parser.add_argument("--latency", default="latency_ms_raspi4")
    parser.add_argument("--optuna", action="store_true", help="also optuna's NSGA-II (pip install optuna)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
