"""How long does a report take, and how big is it?

    python benchmarks/report.py [--candidates 2000 10000] [--epochs 60] [--samples 400] [--keep DIR]

The run is written with the real store: `mobile` on digits with all columns that a search fills (a curve of --epochs
points for each third candidate and a tenth of it for the others, rungs, raw latency samples, conditions). Its numbers
are random. Printed: the size of its Parquet files, the seconds that the command takes in a process of its own, from
start to end, and the size of the page.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from evonas.records import Candidate, Epoch, Evaluation, RungReport, Status
from evonas.run_identity import describe
from evonas.start import prepare
from evonas.store import Store, create_run, evaluations_schema, open_folder, recover, to_row

GENERATION = 100
CONFIG = {
    "space": {"kind": "mobile"},
    "task": {"kind": "digits"},
    "objectives": [{"metric": "error"}, {"metric": "latency_ms", "target": "cpu"}],
    "limits": [{"metric": "params", "at_most": 100_000}],
    "targets": {"cpu": {}},
    "strategy": {"population": GENERATION},
}
CONDITIONS = dict.fromkeys(("host", "device", "torch", "python", "dtype", "threads", "device[cpu]"), "AMD EPYC")


def write_run(where: Path, candidates: int, epochs: int, samples: int) -> None:
    training = {"epochs": epochs, "rungs": [max(1, epochs // 10)]}
    parts = prepare({**CONFIG, "training": training, "budget": {"evaluations": candidates}}, run=where).parts
    folder, metrics = open_folder(where), parts.objectives.metrics
    create_run(folder, describe(parts))
    store = Store(folder, evaluations_schema(metrics, parts.objectives.targets))
    store.started({"budget": {}})
    store.restore(recover(folder, metrics, parts.objectives.targets))
    rng = np.random.default_rng(0)
    for first in range(0, candidates, GENERATION):
        block = range(first, min(candidates, first + GENERATION))
        for index in block:
            genome = parts.space.sample(rng)
            found = evaluation(index, genome, metrics, epochs, samples, rng)
            arch = json.dumps(parts.space.decode(genome).to_dict())
            store.evaluated(to_row(found, arch, f"{index}", 0.0), float(index))
        store.commit(list(block), first, [(index, 0, 1.0) for index in block], float(first))
    store.close()


def evaluation(
    index: int, genome: tuple[int, ...], metrics: tuple[str, ...], epochs: int, samples: int, rng: np.random.Generator
) -> Evaluation:
    full = index % 3 == 0
    parents = tuple(int(i) for i in rng.integers(0, index, 2)) if index >= GENERATION else ()
    values = {name: float(value) for name, value in zip(metrics, rng.lognormal(size=len(metrics)), strict=True)}
    losses = rng.random((epochs if full else max(1, epochs // 10), 3)).tolist()
    return Evaluation(
        Candidate(index, genome, parents, "crossover+mutation" if parents else "random", max(0, index - 8), index),
        Status.OK if full else Status.STOPPED,
        values,
        [Epoch(epoch, *three) for epoch, three in enumerate(losses, 1)],
        [RungReport(index, rung, values) for rung in range(2 if full else 1)],
        {"cpu": rng.lognormal(size=samples).tolist()},
        CONDITIONS,
        batch_size=32,
        measure_s=1.0,
        train_s=2.0,
        started_at=1.8e9 + index,
        finished_at=1.8e9 + index + 3,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--candidates", type=int, nargs="*", default=[2000, 10_000])
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--keep", type=Path, help="folder that the runs stay in")
    options = parser.parse_args()
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
