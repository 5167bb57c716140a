"""How long does it take to load a run and find its front?

    python benchmarks/analysis.py [--candidates 10000] [--samples 500] [--repeats 5] [--folder DIR]

The run is made by the real Store, with rows as a search writes them: a learning curve of 20 epochs, three rungs with
14 metrics each, 17 conditions, and the raw samples of one target. Each repeat is a process of its own that imports
evonas, and what is printed is measured inside it after the import: `load` and `front`, for which all columns of all
evaluations are read. The files are in the page cache by then.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from evonas.records import Candidate, Epoch, Evaluation, RungReport, Status
from evonas.store import Store, create_run, evaluations_schema, open_folder, recover, to_row

POPULATION, EPOCHS, RUNGS = 100, 20, (1, 5, 20)
ENDS = ("", "low_", "high_", "p90_", "raw_")
METRICS = (
    *("error", "params", "macs", "train_memory_mb", *(f"latency_{end}ms[cpu]" for end in ENDS)),
    *("reference_ms[cpu]", "drift[cpu]", "examples_per_s[cpu]", "settled[cpu]", "remeasured[cpu]"),
)
OBJECTIVES = [{"column": "error", "unit": "", "sign": 1}, {"column": "latency_ms[cpu]", "unit": "ms", "sign": 1}]
DESCRIPTION = {"metrics": METRICS, "targets": ["cpu"], "tables": {}, "objectives": OBJECTIVES, "config": {}}
TIMED = """
import json, sys, time
import evonas, evonas.run
start, cpu = time.perf_counter(), time.process_time()
front = evonas.load(sys.argv[1]).front()
print(json.dumps([time.perf_counter() - start, time.process_time() - cpu, len(front)]))
"""


def make(folder: Path, candidates: int, samples: int) -> None:
    """A run folder of that many candidates, every generation committed."""
    where, rng = open_folder(folder), np.random.default_rng(0)
    create_run(where, DESCRIPTION)
    store = Store(where, evaluations_schema(METRICS, ["cpu"]))
    store.started({})
    store.restore(recover(where, METRICS, ["cpu"]))
    for first in range(0, candidates, POPULATION):
        indices = range(first, min(candidates, first + POPULATION))
        for index in indices:
            found = evaluation(index, samples, rng)
            arch = json.dumps({"blocks": [{"width": int(gene), "op": "conv"} for gene in found.candidate.genome]})
            store.evaluated(to_row(found, arch, str(index), 0.0), float(index))
        store.commit(indices, first, [(index, 0, 1.0) for index in indices], float(first))
    store.close()


def evaluation(index: int, samples: int, rng: np.random.Generator) -> Evaluation:
    size, luck = rng.lognormal(0, 1), rng.random()
    values = {name: float(luck) for name in METRICS} | {"latency_ms[cpu]": size, "error": (0.5 + luck) / size}
    stopped = luck > 0.4
    rungs = [RungReport(index, rung, values) for rung in range(1 if stopped else len(RUNGS))]
    curve = [Epoch(epoch, 1.0 / epoch, 1.1 / epoch, values["error"]) for epoch in range(1, 1 + EPOCHS)]
    return Evaluation(
        candidate=Candidate(index, tuple(map(int, rng.integers(0, 5, 20))), (0, 1), "crossover", index, index),
        status=Status.STOPPED if stopped else Status.OK,
        metrics=values,
        curve=curve[: RUNGS[0]] if stopped else curve,
        rungs=rungs,
        latency_samples={"cpu": rng.lognormal(0, 0.1, samples).astype(np.float32).tolist()},
        conditions={f"condition {number}": "value" for number in range(17)},
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--candidates", type=int, default=10_000)
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="keep the run here, and take the one that is there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder or Path(name)
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
