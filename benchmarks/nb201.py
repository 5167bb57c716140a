"""Does NSGA-II beat random search? On all 15,625 trained networks of NAS-Bench-201, as a table.

    python benchmarks/nb201.py TABLE.parquet [--seeds 20] [--latency latency_ms_raspi4] [--optuna]

Objectives: validation error after 200 epochs (mean of the trained seeds) and one device's measured latency.
Printed: hypervolume in percent of that of the true front, mean and standard deviation over the seeds, after 200, 500
and 1,000 candidates; the reference point is the worst value of each objective on the true front, and a tenth of its
range more. Each is a whole search by the table (`evonas.tabular`), one candidate after another; by its window
(lookahead: half a generation) the same candidates are bred with any number of workers.

Genomes of one isomorphism class are one network, trained and measured with other noise: by default each has the mean of
its class, so that nobody gains by drawing the noise of a network again and again. --raw takes each genome's own values,
as published; then a search that evaluates a network once cannot reach 100 %: with one random genome of each of the
6,466 classes, the whole space gives 99.3 to 99.6 % (raspi4).

Table: NAS-Bench-201 (Dong & Yang 2020) with HW-NAS-Bench's latencies (Li et al. 2021); columns e0..e5, valid_acc_200ep
and latency_ms_*.
"""

import argparse
import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path

import moocore
import numpy as np
import pandas as pd
from _common import parse

import evonas
from evonas.records import Genome, InputSpec, TaskSpec
from evonas.tabular import Tabular

SPEC = TaskSpec("nb201", InputSpec((3, 32, 32)), (10,))
Table = dict[Genome, tuple[float, float]]
Points = np.ndarray


def main() -> None:
    options = _options()
    at: list[int] = options.at
    frame = pd.read_parquet(options.table) if options.table else made_up(options.latency)
    table = read_table(frame, options.latency, options.raw)
    everything = np.array(list(table.values()))
    front = everything[moocore.is_nondominated(everything)]
    worst = front.max(0) + 0.1 * (front.max(0) - front.min(0))
    best = moocore.hypervolume(front, ref=worst)
    print(f"NAS-Bench-201, error and {options.latency}, {options.seeds} seeds, % of the true front's hypervolume")
    print(f"{'strategy':24s}" + "".join(f"{n:>16,}" for n in at))
    searchers: dict[str, Callable[[int], Points]] = {
        name: lambda seed, name=name: evonas_points(table, name, seed, options.population, max(at))
        for name in ("nsga2", "regularised_evolution", "random")
    }
    if options.optuna:
        searchers["optuna NSGA-II"] = lambda seed: optuna_points(table, seed, options.population, max(at))
    means = {}
    for name, points in searchers.items():
        found = [points(seed) for seed in range(options.seeds)]
        shares = np.array([[100 * moocore.hypervolume(p[:n], ref=worst) / best for n in at] for p in found])
        means[name] = shares.mean(0)
        cells = zip(shares.mean(0), shares.std(0), strict=True)
        print(f"{name:24s}" + "".join(f"{mean:9.2f} ± {deviation:4.2f}" for mean, deviation in cells))
    verdict = "beats" if (means["nsga2"] > means["random"]).all() else "DOES NOT beat"
    print(f"nsga2 {verdict} random in mean hypervolume at {', '.join(f'{n:,}' for n in at)}")


def read_table(frame: pd.DataFrame, latency: str, raw: bool) -> Table:
    """Genome -> (error, latency in ms). The table's operations are numbered as those of the space `cell`."""
    genomes = frame[[f"e{i}" for i in range(6)]].itertuples(index=False, name=None)
    values = frame[["valid_acc_200ep", latency]]
    if not raw:
        values = values.groupby(frame["isomorphism_class"]).transform("mean")
    pairs = zip(1 - values["valid_acc_200ep"] / 100, values[latency], strict=True)
    return {tuple(map(int, genome)): (float(e), float(ms)) for genome, (e, ms) in zip(genomes, pairs, strict=True)}


def made_up(latency: str) -> pd.DataFrame:
    """A table of all genomes that has the columns of the real one: what takes longer tends to be better."""
    frame = pd.DataFrame(itertools.product(range(5), repeat=6), columns=[f"e{i}" for i in range(6)])
    size = frame.sum(axis=1)
    noise = np.random.default_rng(0).random(len(frame))
    return frame.assign(
        isomorphism_class=frame.index, valid_acc_200ep=90 - 30 / (1 + size) - noise, **{latency: 1 + size}
    )


def evonas_points(table: Table, strategy: str, seed: int, population: int, candidates: int) -> Points:
    """Objectives of the candidates in the order they were bred, shape (candidates, 2)."""
    config = {
        "seed": seed,
        "space": {"kind": "cell", "channels": 16, "cells": 5},
        "task": {"kind": "nb201"},
        "objectives": [{"metric": "error"}, {"metric": "latency_ms", "target": "board"}],
        "targets": {"board": {}},
        "strategy": {"kind": strategy, **({} if strategy == "random" else {"population": population})},
        "schedule": {"generation": population},
        "training": {"epochs": 200},
        "budget": {"evaluations": candidates},
        "runtime": {"kind": "serial"},
    }
    looked_up = Tabular(
        trained=lambda genome, epochs: {"error": table[genome][0]},
        costs=lambda genome: {"latency_ms[board]": table[genome][1]},
    )
    with tempfile.TemporaryDirectory() as folder:
        run = evonas.search(config, task=SPEC, evaluator=looked_up, run=Path(folder) / "run")
        return run.evaluations[["error", "latency_ms[board]"]].to_numpy()


def optuna_points(table: Table, seed: int, population: int, candidates: int) -> Points:
    """The same with optuna's NSGA-II (categorical genes, repeats and all), as its users run it."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.NSGAIISampler(population_size=population, seed=seed)
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    study.optimize(lambda t: table[tuple(t.suggest_categorical(f"e{i}", range(5)) for i in range(6))], candidates)
    return np.array([trial.values for trial in study.trials])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", metavar="TABLE.parquet", nargs="?", help="with --smoke it may be left out")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--population", type=int, default=20)
    parser.add_argument("--latency", default="latency_ms_raspi4")
    parser.add_argument("--raw", action="store_true", help="each genome's own values instead of its class's mean")
    parser.add_argument("--optuna", action="store_true", help="also optuna's NSGA-II (pip install optuna)")
    parser.add_argument("--at", type=int, nargs="+", default=[200, 500, 1000], help="candidates after which to look")
    options = parse(parser, seeds=1, population=8, at=[12, 24])
    if not (options.table or options.smoke):
        parser.error("TABLE.parquet is missing: the path of the table of NAS-Bench-201")
    return options


if __name__ == "__main__":
    main()
