"""What the lock is worth in a search: its latency column against a measurement in peace, with the lock and without.

    python benchmarks/quiet_search.py [--candidates 60] [--limit 0.5] [--limit-only]

The same random networks (same seed) are searched twice on as many workers as there are cores, so that trainers are busy
on all of them: with `targets.cpu.quiet` and without. Then, with nothing else running, each network is measured again.
Also without the reference network: the medians as they were clocked, and of the front alone, which a search measures
to the end. Last, NSGA-II with a limit on the latency: how far over the limit the members of its front, and all others
that it took to be within the limit, are when measured again.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from _common import parse
from scipy.stats import kendalltau

import evonas
from evonas.config import TargetConfig
from evonas.config.loading import load_config
from evonas.measuring.benchmark import LatencyBenchmark
from evonas.measuring.device_lock import DeviceLock
from evonas.measuring.reference import reference
from evonas.runs.rebuild import config_of, space_of
from evonas.tasks.shipped import Shipped, preparation

CONFIG = Path(__file__).parents[1] / "configs" / "digits.yaml"
SMOKE = [
    "runtime.kind=serial",
    "space={kind: mobile, stages: 1, widths: [8], depths: [0, 1]}",
    "training.epochs=1",
    "training.rungs=[]",
    "targets.cpu.max_seconds=0.1",
]
"""Overrides by which a search takes seconds."""
Times = npt.NDArray[np.float64]


def search(folder: Path, overrides: list[str]) -> evonas.Run:
    config = load_config(CONFIG, overrides).model_dump(mode="json")
    return evonas.search(config, run=folder)


def again(run: evonas.Run, rows: pd.DataFrame) -> Times:
    """Milliseconds of each row's network, measured here and now."""
    config = config_of(run.folder, run.description)
    space, task = space_of(run.description, None), run.task()
    section = TargetConfig.model_validate({**config.targets["cpu"].model_dump(), "quiet": True})
    bench = LatencyBenchmark("cpu", section, reference(), DeviceLock([]))
    networks = (space.build(space.decode(tuple(genome)), task.spec) for genome in rows["genome"])
    stored = preparation(task)  # a search measures what is shipped
    return np.array([bench.measure(Shipped(stored.module, n).eval(), stored.inputs).ms for n in networks])


def compare(lock: str, rows: pd.DataFrame, real: Times, front: "pd.Series[int]") -> None:
    everybody, to_the_end = np.full(len(rows), True), rows["candidate"].isin(front).to_numpy()
    for what, column, those in (
        ("corrected", "latency_ms[cpu]", everybody),
        ("as clocked", "latency_raw_ms[cpu]", everybody),
        ("the front", "latency_ms[cpu]", to_the_end),
    ):
        found, there = rows[column].to_numpy()[those], real[those]
        if len(found) < 2:
            print(f"lock {lock:3} {what:10} too few candidates to say anything, n = {len(found)}")
            continue
        tau, off = kendalltau(found, there).statistic, 100 * np.abs(found / there - 1)
        print(
            f"lock {lock:3} {what:10} tau {tau:.3f}, difference: median {np.median(off):.1f} %, "
            f"95th percentile {np.quantile(off, 0.95):.1f} %, n = {len(found)}",
            flush=True,
        )
    print(f"         training paused {rows['paused_s'].sum():.1f} s of {rows['train_s'].sum():.1f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--candidates", type=int, default=60)
    parser.add_argument("--limit", type=float, default=0.5)
    parser.add_argument("--limit-only", action="store_true", help="the last part alone")
    options = parse(parser, candidates=2)
    torch.set_num_threads(1)
    given = [f"budget.evaluations={options.candidates}", *(SMOKE if options.smoke else ())]
    with tempfile.TemporaryDirectory() as folder:
        for lock, quiet in () if options.limit_only else (("on", "true"), ("off", "false")):
            keys = [*given, "strategy={kind: random}", "schedule.generation=20", f"targets.cpu.quiet={quiet}"]
            run = search(Path(folder) / lock, keys)
            rows = run.evaluations.dropna(subset=["latency_ms[cpu]"])
            compare(lock, rows, again(run, rows), run.front()["candidate"])
        limits = json.dumps([{"metric": "latency_ms", "target": "cpu", "at_most": options.limit}])
        run = search(Path(folder) / "limit", [*given, f"limits={limits}"])
        infeasible = int((run.evaluations["status"] == "infeasible").sum())
        print(f"limit of {options.limit:g} ms: {infeasible} of {len(run.evaluations)} infeasible")
        within = run.evaluations[run.evaluations["latency_ms[cpu]"] <= options.limit]
        real = again(run, within)
        off = 100 * np.abs(real / within["latency_ms[cpu]"].to_numpy() - 1)
        over = 100 * (real / options.limit - 1)
        front = within["candidate"].isin(run.front()["candidate"]).to_numpy()
        for what, those in (("of the front", front), ("taken to be within it", ~front)):
            worst = f"is {over[those].max():+.1f} % over it" if those.any() else "is not there: too few candidates"
            print(f"the slowest of {those.sum()} {what}, measured again, {worst}")
        for what, those in (("the front", front), ("the others, measured for a moment", ~front)):
            if those.any():
                own = off[those]
                print(f"difference of {what}, n = {len(own)}: median {np.median(own):.1f} %, largest {own.max():.1f} %")


if __name__ == "__main__":
    main()
