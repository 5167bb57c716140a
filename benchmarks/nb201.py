"""Does NSGA-II beat random search? On all 15,625 trained networks of NAS-Bench-201, as a table.

    python benchmarks/nb201.py TABLE.parquet [--seeds 20] [--latency latency_ms_raspi4] [--optuna]

Objectives: validation error after 200 epochs (mean of the trained seeds) and one device's measured latency.
Printed: hypervolume in percent of that of the true front, mean and standard deviation over the seeds, after 200, 500
and 1,000 candidates; the reference point is the worst value of each objective on the true front, and a tenth of its
range more. Breeding goes through the search's own window (lookahead: half a generation), as with that many workers.

Genomes of one isomorphism class are one network, trained and measured with other noise: by default each has the mean of
its class, so that nobody gains by drawing the noise of a network again and again. --raw takes each genome's own values,
as published; then a search that evaluates a network once cannot reach 100 %: with one random genome of each of the
6,466 classes, the whole space gives 99.3 to 99.6 % (raspi4).

Table: NAS-Bench-201 (Dong & Yang 2020) with HW-NAS-Bench's latencies (Li et al. 2021); columns e0..e5, valid_acc_200ep
and latency_ms_*.
"""

import argparse
from collections.abc import Callable

import moocore
import numpy as np
import pandas as pd

from evonas.config import Config
from evonas.driver.breeding import Breeder
from evonas.loading import validated
from evonas.objectives.objectives import Objectives
from evonas.records import Evaluation, Genome, InputSpec, RungReport, Status, TaskSpec
from evonas.spaces import SPACES

AT = (200, 500, 1000)
SPEC = TaskSpec("nb201", InputSpec((3, 32, 32)), (10,))
Table = dict[Genome, tuple[float, float]]
Points = np.ndarray


def main() -> None:
    options = _options()
    frame = pd.read_parquet(options.table)
    table = read_table(frame, options.latency, options.raw)
    everything = np.array(list(table.values()))
    front = everything[moocore.is_nondominated(everything)]
    worst = front.max(0) + 0.1 * (front.max(0) - front.min(0))
    best = moocore.hypervolume(front, ref=worst)
    print(f"NAS-Bench-201, error and {options.latency}, {options.seeds} seeds, % of the true front's hypervolume")
    print(f"{'strategy':24s}" + "".join(f"{n:>16,}" for n in AT))
    searchers: dict[str, Callable[[int], Points]] = {
        name: lambda seed, name=name: evonas_points(table, name, seed, options.population)
        for name in ("nsga2", "regularised_evolution", "random")
    }
    if options.optuna:
        searchers["optuna NSGA-II"] = lambda seed: optuna_points(table, seed, options.population)
    means = {}
    for name, points in searchers.items():
        found = [points(seed) for seed in range(options.seeds)]
        shares = np.array([[100 * moocore.hypervolume(p[:n], ref=worst) / best for n in AT] for p in found])
        means[name] = shares.mean(0)
        cells = zip(shares.mean(0), shares.std(0), strict=True)
        print(f"{name:24s}" + "".join(f"{mean:9.2f} ± {deviation:4.2f}" for mean, deviation in cells))
    verdict = "beats" if (means["nsga2"] > means["random"]).all() else "DOES NOT beat"
    print(f"nsga2 {verdict} random in mean hypervolume at {', '.join(f'{n:,}' for n in AT)}")


def read_table(frame: pd.DataFrame, latency: str, raw: bool) -> Table:
    """Genome -> (error, latency in ms). The table's operations are numbered as those of the space `cell`."""
    genomes = frame[[f"e{i}" for i in range(6)]].itertuples(index=False, name=None)
    values = frame[["valid_acc_200ep", latency]]
    if not raw:
        values = values.groupby(frame["isomorphism_class"]).transform("mean")
    pairs = zip(1 - values["valid_acc_200ep"] / 100, values[latency], strict=True)
    return {tuple(map(int, genome)): (float(e), float(ms)) for genome, (e, ms) in zip(genomes, pairs, strict=True)}


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
            "strategy": {"kind": strategy, **({} if strategy == "random" else {"population": population})},
            "schedule": {"generation": population},
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
        breeder.buffer.add_evaluation(Evaluation(candidate, Status.OK, metrics, rungs=[RungReport(index, 0, metrics)]))
        points.append((error, ms))
    return np.array(points)


def optuna_points(table: Table, seed: int, population: int) -> Points:
    """The same with optuna's NSGA-II (categorical genes, repeats and all), as its users run it."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.NSGAIISampler(population_size=population, seed=seed)
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    study.optimize(lambda t: table[tuple(t.suggest_categorical(f"e{i}", range(5)) for i in range(6))], max(AT))
    return np.array([trial.values for trial in study.trials])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", metavar="TABLE.parquet")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--population", type=int, default=20)
    parser.add_argument("--latency", default="latency_ms_raspi4")
    parser.add_argument("--raw", action="store_true", help="each genome's own values instead of its class's mean")
    parser.add_argument("--optuna", action="store_true", help="also optuna's NSGA-II (pip install optuna)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
