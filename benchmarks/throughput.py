"""How many candidates a second can a driver breed, dispatch through Ray, hear and record?

    python benchmarks/throughput.py [--candidates 3000] [--workers 2] [--tune 60]

The search, the space, the Ray workers and the run folder are real; the workers' work is nothing. Printed: candidates a
second, from the first birth to the last commit; what the driver grew by, per 1,000 candidates, once it is warm; and,
for comparison, trials a second of Ray Tune with `reuse_actors` doing nothing in the same process.
"""

import argparse
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from evonas.components import Components
from evonas.config import Config
from evonas.driver.loop import Search
from evonas.loading import validated
from evonas.objectives.objectives import Objectives
from evonas.records import Evaluation, InputSpec, Job, RungReport, Status, TaskSpec
from evonas.runtime import Message, Work
from evonas.spaces import SPACES
from evonas.start import PreparedSearch, execute

SPEC = TaskSpec("nothing", InputSpec((1, 8, 8)), (10,))
WARM = 1000  # candidates before the driver's memory counts as warm


def nothing(job: Job) -> Iterator[Message]:
    """Costs and an error out of thin air: larger networks tend to be better, so that NSGA-II has a front to sort."""
    index = job.candidate.index
    params = 1000.0 * (1 + sum(job.candidate.genome))
    luck = (index * 7919 % 1000) / 1000
    metrics = {"error": 0.5 * (0.5 + luck) / params**0.25, "params": params, "macs": 9 * params, "train_memory_mb": 1.0}
    yield Evaluation(job.candidate, Status.OK, metrics, rungs=[RungReport(index, 0, metrics)])


def make() -> Work:
    return nothing


class Meter:
    """Watches the driver: when the first and last candidates were evaluated, and its resident memory."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.memory: dict[int, float] = {}

    def __call__(self, search: Search, evaluation: Evaluation | None) -> None:
        if evaluation and search.evaluated % 100 == 0:
            self.memory[search.evaluated] = resident_mb()


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        rate, growth = evonas_rate(Path(folder), options.candidates, options.workers)
    print(f"evonas: {rate:.0f} candidates/s, driver grows by {growth:.2f} MB per 1,000 candidates")
    if options.tune:
        print(f"Ray Tune, reuse_actors: {tune_rate(options.tune, options.workers):.1f} trials/s")


def evonas_rate(folder: Path, candidates: int, workers: int) -> tuple[float, float]:
    config = validated(
        Config,
        {
            "space": {"kind": "mobile"},
            "task": {"kind": "nothing"},
            "objectives": [{"metric": "error"}, {"metric": "params"}],
            "strategy": {"population": 100},
            "training": {"epochs": 1},
            "budget": {"evaluations": candidates},
            "runtime": {"workers": workers},
        },
        "config",
    )
    space, objectives = SPACES["mobile"](), Objectives(config, SPEC)
    parts = Components(config, space, SPEC, objectives, make)
    meter = Meter()
    meter_from_first_birth = partial(_from_first, meter)
    execute(PreparedSearch(parts, folder / "run"), watch=meter_from_first_birth)
    seconds = time.perf_counter() - meter.began
    counts = sorted(count for count in meter.memory if count >= WARM)
    growth = (meter.memory[counts[-1]] - meter.memory[counts[0]]) / (counts[-1] - counts[0]) * 1000
    return candidates / seconds, growth


def _from_first(meter: Meter, search: Search, evaluation: Evaluation | None) -> None:
    """Start the clock with the first decision: starting Ray is not what is measured."""
    if search.evaluated == 1:
        meter.began = time.perf_counter()
    meter(search, evaluation)


def tune_rate(trials: int, workers: int) -> float:
    import ray
    from ray import tune

    def trial(config: dict[str, float]) -> None:
        tune.report({"error": config["x"]})

    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    tuner = tune.Tuner(
        trial,
        param_space={"x": tune.uniform(0, 1)},
        tune_config=tune.TuneConfig(num_samples=trials, reuse_actors=True),
        run_config=tune.RunConfig(storage_path=tempfile.mkdtemp(), verbose=0),
    )
    began = time.perf_counter()
    tuner.fit()
    seconds = time.perf_counter() - began
    ray.shutdown()
    return trials / seconds


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=3000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--tune", type=int, default=60, help="Ray Tune trials to compare with; 0: none")
    return parser.parse_args()


if __name__ == "__main__":
    main()
