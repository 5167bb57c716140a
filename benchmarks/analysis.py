"""How long does it take to load a run and find its front?

    python benchmarks/analysis.py [--candidates 10000] [--samples 500] [--repeats 5] [--folder DIR]

The run is that of a whole search whose evaluations are made up, with all that real ones have: a learning curve of 20
epochs, three rungs with 14 metrics each, 17 conditions, and the raw samples of one target. Each repeat is a process of
its own that imports evonas, and what is printed is measured inside it after the import: `load` and `front`, for which
all columns of all evaluations are read. The files are in the page cache by then.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
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

SPEC = TaskSpec("made up", InputSpec((1, 8, 8)), (10,))
CONFIG = {
    "space": {"kind": "mobile"},
    "task": {"kind": SPEC.name},
    "objectives": [{"metric": "error"}, {"metric": "latency_ms", "target": "cpu"}],
    "targets": {"cpu": {}},
    "strategy": {"population": 100},
    "training": {"epochs": 20, "rungs": [1, 5]},
    "runtime": {"kind": "serial"},
}
TIMED = """
import json, sys, time
import evonas, evonas.runs.loading
start, cpu = time.perf_counter(), time.process_time()
front = evonas.load(sys.argv[1]).front()
print(json.dumps([time.perf_counter() - start, time.process_time() - cpu, len(front)]))
"""


def make(folder: Path, candidates: int, samples: int) -> None:
    """A run folder of that many candidates, every generation committed."""
    config = {**CONFIG, "budget": {"evaluations": candidates}}
    evonas.search(config, task=SPEC, evaluator=partial(made_up, samples), run=folder)


def made_up(samples: int, space: Space, config: Config, objectives: Objectives) -> Evaluate:
    """An evaluator whose evaluations have something in every column."""
    return lambda job: iter([evaluation(job, samples, config.training.milestones, objectives.metrics)])


def evaluation(job: Job, samples: int, milestones: Sequence[int], metrics: Sequence[str]) -> Evaluation:
    index, rng = job.candidate.index, np.random.default_rng(job.candidate.index)
    size, luck = rng.lognormal(0, 1), rng.random()
    values = dict.fromkeys(metrics, luck) | {"latency_ms[cpu]": size, "error": (0.5 + luck) / size}
    stopped = luck > 0.4
    reached = milestones[:1] if stopped else milestones
    return Evaluation(
        candidate=job.candidate,
        status=Status.STOPPED if stopped else Status.OK,
        metrics=values,
        curve=[Epoch(epoch, 1.0 / epoch, 1.1 / epoch, values["error"]) for epoch in range(1, 1 + reached[-1])],
        rungs=[RungReport(index, rung, values) for rung in range(len(reached))],
        latency_samples={"cpu": rng.lognormal(0, 0.1, samples).astype(np.float32).tolist()},
        conditions={f"condition {number}": "value" for number in range(17)},
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--candidates", type=int, default=10_000)
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="keep the run here, and take the one that is there")
    options = parse(parser, candidates=30, samples=5, repeats=1)
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder or Path(name) / "run"
        if not (folder / "run.json").exists():
            make(folder, options.candidates, options.samples)
        command = [sys.executable, "-c", TIMED, str(folder)]
        runs = [json.loads(subprocess.check_output(command)) for _ in range(options.repeats)]
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    wall, cpu, front = zip(*runs, strict=True)
    print(
        f"{options.candidates:,} candidates, {options.samples} samples each, {size / 1e6:.0f} MB, front of {front[0]}"
    )
    print(f"load and front: wall {statistics.median(wall):.2f} s ({min(wall):.2f} to {max(wall):.2f}), ", end="")
    print(f"CPU {statistics.median(cpu):.2f} s ({min(cpu):.2f} to {max(cpu):.2f})")
    print(f"n = {options.repeats}, {platform.machine()}, Python {platform.python_version()}")


if __name__ == "__main__":
    main()
