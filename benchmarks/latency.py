"""How repeatable a latency is, idle and beside trainers on every core: evonas against what is common.

    python benchmarks/latency.py [--networks 30] [--repeats 5] [--device cpu] [--trainers 2] [--others] [--beside]

The same random networks of the `mobile` space, measured in turns by three methods in each repeat:
  evonas       LatencyBenchmark: quiet device, in turns with a reference network, until the interval is within 2 %
  mean of 10   without warm-up (what once-for-all and ProxylessNAS do)
  median of 200
idle, and beside trainers that pause for evonas, as those of a search do; with --others also beside some that do not,
with --beside beside some that do not and have all cores but the last, on which evonas measures.
For each: the coefficient of variation over the repeats, median over networks; and Kendall's tau of the order of the
networks in single repeats against that of the idle condition, mean over repeats.
"""

import argparse
import multiprocessing
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean, median

import numpy as np
import numpy.typing as npt
import torch
from _common import parse
from scipy.stats import kendalltau
from torch import nn

from evonas.config import TargetConfig
from evonas.config.loading import load_config
from evonas.evaluation.batches.device_data import to_device
from evonas.evaluation.training.loop import Trainer
from evonas.measuring.backends.pytorch import available, device_name, lock_name
from evonas.measuring.benchmark import LatencyBenchmark
from evonas.measuring.device_lock import DeviceLock
from evonas.measuring.reference import reference
from evonas.records import InputSpec, TaskSpec
from evonas.seeding import stream
from evonas.spaces import SPACES
from evonas.tasks import TASKS

CONFIG = Path(__file__).parents[1] / "configs" / "digits.yaml"
INPUT = InputSpec((3, 32, 32))
Times = npt.NDArray[np.float64]


def train(device: str, quiet: bool, seed: int, core: int | None, ready: "multiprocessing.synchronize.Event") -> None:
    """Trains networks of the same space on digits, one after another, for as long as the process lives."""
    torch.set_num_threads(1)
    if core is not None:
        os.sched_setaffinity(0, {core})
        os.nice(15)  # as Ray's workers have it
    quiet_hold = DeviceLock(["cpu", lock_name(available(device, "--device"))], enabled=quiet)
    task, space = TASKS["digits"](), SPACES["mobile"]()
    config = load_config(CONFIG, ["training.epochs=100"]).training
    data, rng = to_device(task, torch.device(device)), stream(seed, "trainer")
    while True:
        network = space.build(space.decode(space.sample(rng)), task.spec).to(device)
        with quiet_hold.shared():
            for _ in Trainer(network, data, task, config, seed, quiet_hold.checkpoint).epochs():
                ready.set()


@contextmanager
def load(trainers: int, device: str, quiet: bool, cores: Sequence[int | None] = ()) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    on = cores or [None] * trainers
    events = [context.Event() for _ in on]
    crew = [
        context.Process(target=train, args=(device, quiet, i, core, event), daemon=True)
        for i, (core, event) in enumerate(zip(on, events, strict=True))
    ]
    for process in crew:
        process.start()
    try:
        for event in events:
            event.wait()
        yield
    finally:
        for process in crew:
            process.kill()
            process.join()


def common(network: nn.Module, device: str, passes: int) -> list[float]:
    """Milliseconds of single passes, batch 1, as scripts time them (here with the synchronisation that they forget)."""
    x = torch.randn(1, *INPUT.shape).to(device)
    probe = network.to(device).eval()
    times = []
    with torch.inference_mode():
        for _ in range(passes):
            start = time.perf_counter()
            probe(x)
            if device != "cpu":
                torch.cuda.synchronize()
            times.append(1e3 * (time.perf_counter() - start))
    return times


def measured(
    networks: list[nn.Module], repeats: int, methods: dict[str, Callable[[nn.Module], float]]
) -> dict[str, Times]:
    """Method -> (repeats, networks) milliseconds."""
    found = {name: np.zeros((repeats, len(networks))) for name in methods}
    for repeat in range(repeats):
        for i, network in enumerate(networks):
            for name, method in methods.items():
                found[name][repeat, i] = method(network)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--networks", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--trainers", type=int, default=2)
    parser.add_argument("--graph", action="store_true")
    parser.add_argument("--others", action="store_true")
    parser.add_argument("--beside", action="store_true")
    parser.add_argument("--max-seconds", type=float, default=4.0, help="time cap of one measurement by evonas")
    options = parse(parser, networks=2, repeats=2, trainers=1, max_seconds=0.1)
    if min(options.networks, options.repeats) < 2:
        parser.error("too few networks or repeats to say how repeatable anything is: at least 2 of each")
    torch.set_num_threads(1)
    space, rng = SPACES["mobile"](), stream(0, "latency")
    spec = TaskSpec("images", INPUT, (10,))
    networks = [space.build(space.decode(space.sample(rng)), spec).eval() for _ in range(options.networks)]
    target = TargetConfig(device=options.device, graph=options.graph, max_seconds=options.max_seconds)
    device = available(options.device, "--device")
    bench = LatencyBenchmark("here", target, reference(), DeviceLock(["cpu", lock_name(device)]))
    seconds: list[float] = []
    settled: list[bool] = []

    def ours(network: nn.Module) -> float:
        start = time.perf_counter()
        found = bench.measure(network, INPUT)
        seconds.append(time.perf_counter() - start)
        settled.append(found.settled)
        return found.ms

    methods: dict[str, Callable[[nn.Module], float]] = {
        "mean of 10": lambda network: fmean(common(network, options.device, 10)),
        "median of 200": lambda network: median(common(network, options.device, 200)),
        "evonas": ours,
    }
    print(f"{device_name(device)}, torch {torch.__version__}, Python {platform.python_version()}")
    print(
        f"{options.networks} networks of mobile at {INPUT.shape}, batch 1, {options.repeats} repeats, "
        f"{options.trainers} trainers"
    )
    idle = measured(networks, options.repeats, methods)
    report("idle", idle, idle, seconds, settled)
    loads = [("trainers that pause", True), *([("trainers that do not", False)] if options.others else [])]
    for name, quiet in loads:
        with load(options.trainers, options.device, quiet):
            report(name, measured(networks, options.repeats, methods), idle, seconds, settled)
    if options.beside:
        others = sorted(os.sched_getaffinity(0))[:-1]
        with load(0, options.device, False, others):
            report("beside, own core", measured(networks, options.repeats, methods), idle, seconds, settled)


def report(
    name: str, found: dict[str, Times], idle: dict[str, Times], seconds: list[float], settled: list[bool]
) -> None:
    for method, times in found.items():
        cv = float(np.median(times.std(0, ddof=1) / times.mean(0)))
        taus = [kendalltau(times[i], idle[method][i - 1]).statistic for i in range(len(times))]  # another repeat
        bias = float(np.median(times.mean(0) / idle[method].mean(0))) - 1
        print(
            f"{name:22} {method:14} CV {100 * cv:6.2f} %  tau {fmean(taus):.3f}  against idle {100 * bias:+6.1f} %",
            flush=True,
        )
    print(f"{'':22} evonas: {median(seconds):.2f} s a measurement, {100 * fmean(settled):.0f} % settled", flush=True)
    seconds.clear()
    settled.clear()


if __name__ == "__main__":
    main()
