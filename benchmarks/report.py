"""How long does a report take, and how big is it?

    python benchmarks/report.py [--candidates 2000 10000] [--epochs 60] [--samples 400] [--keep DIR]

The run is that of a whole search of `mobile` whose evaluations are made up, with all columns that real ones fill (a
curve of --epochs points for each third candidate and a tenth of it for the others, rungs, raw latency samples,
conditions). Their numbers are random. Printed: the size of its Parquet files, the seconds that the command takes in a
process of its own, from start to end, and the size of the page.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from _common import parse

import evonas
from evonas.config import Config
from evonas.objectives.objectives import Objectives
from evonas.records import Epoch, Evaluation, InputSpec, Job, RungReport, Status, TaskSpec
from evonas.spaces.space import Space
from evonas.tabular import Evaluate

SPEC = TaskSpec("digits", InputSpec((1, 8, 8)), (10,))
CONFIG = {
    "space": {"kind": "mobile"},
    "task": {"kind": SPEC.name},
    "objectives": [{"metric": "error"}, {"metric": "latency_ms", "target": "cpu"}],
    "limits": [{"metric": "params", "at_most": 100_000}],
    "targets": {"cpu": {}},
    "strategy": {"population": 100},
    "runtime": {"kind": "serial"},
}
CONDITIONS = dict.fromkeys(("host", "device", "torch", "python", "dtype", "threads", "device[cpu]"), "AMD EPYC")


def write_run(where: Path, candidates: int, epochs: int, samples: int) -> None:
    """A run folder of that many candidates."""
    training = {"epochs": epochs, "rungs": [max(1, epochs // 10)]}
    config = {**CONFIG, "training": training, "budget": {"evaluations": candidates}}
    evonas.search(config, task=SPEC, evaluator=partial(made_up, samples), run=where)


def made_up(samples: int, space: Space, config: Config, objectives: Objectives) -> Evaluate:
    """An evaluator whose evaluations have something in every column."""
    return lambda job: iter([evaluation(job, samples, config.training.milestones, objectives.metrics)])


def evaluation(job: Job, samples: int, milestones: Sequence[int], metrics: Sequence[str]) -> Evaluation:
    index, rng = job.candidate.index, np.random.default_rng(job.candidate.index)
    full = index % 3 == 0
    values = dict(zip(metrics, rng.lognormal(size=len(metrics)).tolist(), strict=True))
    reached = milestones if full else milestones[:1]
    losses = rng.random((reached[-1], 3)).tolist()
    return Evaluation(
        job.candidate,
        Status.OK if full else Status.STOPPED,
        values,
        [Epoch(epoch, *three) for epoch, three in enumerate(losses, 1)],
        [RungReport(index, rung, values) for rung in range(len(reached))],
        {"cpu": rng.lognormal(size=samples).tolist()},
        CONDITIONS,
        batch_size=32,
        measure_s=1.0,
        train_s=2.0,
        started_at=1.8e9 + index,
        finished_at=1.8e9 + index + 3,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--candidates", type=int, nargs="*", default=[2000, 10_000])
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--keep", type=Path, help="folder that the runs stay in")
    options = parse(parser, candidates=[30], epochs=10, samples=5)
    for candidates in options.candidates:
        with tempfile.TemporaryDirectory() as temporary:
            run = (options.keep or Path(temporary)) / f"run-{candidates}"
            write_run(run, candidates, options.epochs, options.samples)
            size = sum(path.stat().st_size for path in run.rglob("*.parquet"))
            start = time.perf_counter()
            subprocess.run([sys.executable, "-m", "evonas", "report", run], check=True, stdout=subprocess.DEVNULL)
            took, page = time.perf_counter() - start, (run / "report.html").stat().st_size
            print(f"{candidates:,} candidates ({size / 1e6:.0f} MB): {took:.1f} s, {page / 1e6:.2f} MB", flush=True)


if __name__ == "__main__":
    main()
