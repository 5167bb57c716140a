"""How much slower is an epoch whose examples are streamed from a file than one whose examples are in memory?

    python benchmarks/streaming.py [--examples 3000] [--batch 64] [--repeats 7] [--device cpu]

Pictures of 3 x 32 x 32 bytes, resident and from a memory-mapped .npy file that the page cache holds, so that what
is measured is the way of the batches and no disk. In turns in each repeat: the shuffled batches of ten epochs alone;
and an epoch of training, validation on a fifth as many examples included, of a network of the `mobile` space. Printed,
first resident, then streamed: medians in seconds, by the clock and of the CPU time of all threads, which other work on
the machine disturbs less; the median, least and greatest of the ratios of neighbours.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from _common import parse
from torch import Generator

from evonas.config import TrainingConfig
from evonas.evaluation.batches.device_data import DeviceData, to_device
from evonas.evaluation.training.loop import Trainer
from evonas.measuring.backends.pytorch import device_name
from evonas.seeding import stream
from evonas.spaces import SPACES
from evonas.tasks import Split, Splits, Task, classification
from evonas.tasks.arrays.npy import NpyFile


def tasks(folder: Path, examples: int) -> dict[str, Task]:
    """The same examples in memory and in files."""
    rng = np.random.default_rng(0)
    parts = []
    for name, count in (("train", examples), ("valid", examples // 5)):
        x = rng.integers(0, 256, (count, 3, 32, 32)).astype(np.uint8)
        np.save(folder / f"{name}.npy", x)
        parts.append((x, NpyFile(folder / f"{name}.npy"), np.arange(count) % 10))
    kinds = {
        "resident": [Split(x, y) for x, _, y in parts],
        "streamed": [Split(file, y) for _, file, y in parts],
    }
    return {kind: classification("noise", Splits(train, valid, valid)) for kind, (train, valid) in kinds.items()}


def batches(data: DeviceData, batch: int) -> None:
    """Ten epochs of them: one takes hundredths of a second."""
    for seed in range(10):
        for x, _ in data.train.shuffled(batch, Generator(data.device).manual_seed(seed)):
            del x
    synchronize(data.device)


def epoch(task: Task, data: DeviceData, batch: int) -> None:
    space = SPACES["mobile"]()
    torch.manual_seed(0)
    network = space.build(space.decode(space.sample(stream(0, "benchmark"))), task.spec).to(data.device)
    list(Trainer(network, data, task, TrainingConfig(epochs=1, batch_size=batch), seed=0).epochs())
    synchronize(data.device)


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def compared(resident: Callable[[], None], streamed: Callable[[], None], repeats: int) -> str:
    """Both in turns, the first time for nothing."""
    times = np.array([(_seconds(resident), _seconds(streamed)) for _ in range(repeats + 1)][1:])  # (n, 2, 2)
    ratios = times[:, 1] / times[:, 0]
    return ", ".join(
        f"{clock} {median(times[:, 0, i]):.3f} and {median(times[:, 1, i]):.3f} s, "
        f"ratio {median(ratios[:, i]):.2f} ({min(ratios[:, i]):.2f} to {max(ratios[:, i]):.2f})"
        for i, clock in enumerate(("wall", "CPU"))
    )


def _seconds(work: Callable[[], None]) -> tuple[float, float]:
    """By the clock, and of all threads of this process together."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    device = torch.device(options.device)
    print(f"{options.examples:,} examples, batches of {options.batch}, n = {options.repeats}, on {device_name(device)}")
    with tempfile.TemporaryDirectory() as folder:
        made = tasks(Path(folder), options.examples)
        data = {kind: to_device(task, device) for kind, task in made.items()}
        alone = [lambda kind=kind: batches(data[kind], options.batch) for kind in data]
        print("10 times the batches:", compared(*alone, options.repeats))
        training = [lambda kind=kind: epoch(made[kind], data[kind], options.batch) for kind in data]
        print("an epoch of training:", compared(*training, options.repeats))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--examples", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    return parse(parser, examples=300, repeats=1)


if __name__ == "__main__":
    main()
