"""How many candidates a second can a driver breed, dispatch through Ray, hear and record?

    python benchmarks/throughput.py [--candidates 3000] [--workers 2] [--tune 60]

The search, the space, the Ray workers and the run folder are real; the workers' work is nothing. Printed: candidates a
second, from the first decision to the last; what the driver grew by, per 1,000 candidates, once it is warm; and,
for comparison, trials a second of Ray Tune with `reuse_actors` doing nothing in the same process.
"""

import argparse
import logging
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from _common import parse, resident_mb

from evonas.records import Genome, InputSpec, TaskSpec
from evonas.start import execute, prepare
from evonas.tabular import Tabular

SPEC = TaskSpec("nothing", InputSpec((1, 8, 8)), (10,))
WARM, EVERY = 1000, 100
"""Candidates before the driver's memory counts as warm, and from one look at it to the next."""


def costs(genome: Genome) -> Mapping[str, float]:
    params = 1000.0 * (1 + sum(genome))
    return {"params": params, "macs": 9 * params, "train_memory_mb": 1.0}


def trained(genome: Genome, epochs: int) -> Mapping[str, float]:
    """An error out of thin air: larger networks tend to be better, so that NSGA-II has a front to sort."""
    luck = hash(genome) % 1000 / 1000  # of whole numbers, it is the same in every process
    return {"error": 0.5 * (0.5 + luck) / costs(genome)["params"] ** 0.25}


class Meter:
    """Watches the driver: when candidates were evaluated, and its resident memory after each `EVERY` of them."""

    def __init__(self) -> None:
        self.evaluated = 0
        self.first_s = self.last_s = 0.0
        self.memory: dict[int, float] = {}

    def __call__(self, search: object, evaluation: object) -> None:
        if evaluation is None:
            return
        self.evaluated += 1
        self.last_s = time.perf_counter()
        self.first_s = self.first_s or self.last_s  # starting Ray is not what is measured
        if self.evaluated % EVERY == 0:
            self.memory[self.evaluated] = resident_mb()

    @property
    def pace(self) -> str:
        if self.evaluated < 2:
            return "too few candidates to say how many a second"
        return f"{(self.evaluated - 1) / (self.last_s - self.first_s):.0f} candidates/s"

    @property
    def growth(self) -> str:
        counts = [count for count in self.memory if count >= WARM]
        if len(counts) < 2:
            return f"too few candidates to say what the driver grows by: that takes {WARM + EVERY:,}"
        grown, candidates = self.memory[counts[-1]] - self.memory[counts[0]], counts[-1] - counts[0]
        return f"driver grows by {1000 * grown / candidates:.2f} MB per 1,000 candidates"


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        meter = searched(Path(folder), options.candidates, options.workers)
    print(f"evonas: {meter.pace}, {meter.growth}", flush=True)
    if options.tune:
        print(f"Ray Tune, reuse_actors: {tune_rate(options.tune, options.workers):.1f} trials/s")


def searched(folder: Path, candidates: int, workers: int) -> Meter:
    """What was seen of a search."""
    config = {
        "space": {"kind": "mobile"},
        "task": {"kind": SPEC.name},
        "objectives": [{"metric": "error"}, {"metric": "params"}],
        "strategy": {"population": 100},
        "training": {"epochs": 1},
        "budget": {"evaluations": candidates},
        "runtime": {"kind": "ray", "workers": workers},
    }
    meter = Meter()
    execute(prepare(config, task=SPEC, evaluator=Tabular(trained, costs), run=folder / "run"), watch=meter)
    return meter


def tune_rate(trials: int, workers: int) -> float:
    import ray
    from ray import tune

    def trial(config: dict[str, float]) -> None:
        tune.report({"error": config["x"]})

    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        tuner = tune.Tuner(
            trial,
            param_space={"x": tune.uniform(0, 1)},
            tune_config=tune.TuneConfig(num_samples=trials, reuse_actors=True),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        )
        began = time.perf_counter()
        tuner.fit()
        seconds = time.perf_counter() - began
        ray.shutdown()
    return trials / seconds


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--candidates", type=int, default=3000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--tune", type=int, default=60, help="Ray Tune trials to compare with; 0: none")
    return parse(parser, candidates=20, workers=1, tune=0)


if __name__ == "__main__":
    main()
