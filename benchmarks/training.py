"""How many images a second does the training loop learn from, beside plain loops of PyTorch?

    python benchmarks/training.py [FILE.npz] [--examples 2560] [--batch 128] [--repeats 7]

Fashion-MNIST where FILE is given or lies in ../shared/data, else made-up images of its shape. Three networks of the
`mobile` space, each trained on one thread by one recipe (SGD with Nesterov momentum, the one-cycle schedule, clipped
gradients, random crops and flips), an epoch at a time, validated on 16 images alone, in three ways, in turns, each in a
process of its own, for how the C library keeps memory is a process' matter, and ours changes it:

    evonas      the loop of a search
    DataLoader  a Dataset of one image after another (floats, standardised, cropped, flipped), batches by a DataLoader
                in the same process, torch.optim, OneCycleLR, the loss read after each step: the loop of most tutorials
    resident    that loop, its images one tensor of floats on the device, cropped and flipped by the batch

Printed are images a second of CPU time (which other work on the machine disturbs less than the clock), the medians; and
the median, least and greatest of how many times the other loop's ours is, of neighbours. `--profile` says instead where
the time of ours goes.
"""

import argparse
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from _common import parse
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from evonas.config import AugmentConfig, TrainingConfig
from evonas.evaluation.batches.device_data import to_device
from evonas.evaluation.training.loop import Trainer
from evonas.evaluation.training.schedules import one_cycle
from evonas.evaluation.untrained.costs import multiply_accumulates, parameters
from evonas.spaces import SPACES
from evonas.tasks import Split, Splits, Task, classification

SHARED = Path(__file__).parents[2] / "shared" / "data" / "fashion_mnist.npz"
CROP = 2
PARTS: dict[str, dict[str, Any]] = {
    "small": {"stem": {"width": 8, "stride": 2}, "stages": [(8, "separable"), (16, "separable"), (16, "separable")]},
    "middle": {"stem": {"width": 8, "stride": 2}, "stages": [(16, "inverted"), (24, "inverted"), (32, "residual")]},
    "large": {"stem": {"width": 16, "stride": 1}, "stages": [(16, "residual"), (24, "residual"), (32, "residual")]},
}
"""Stem, and width and block of the three stages; with 1, 2 and 2 blocks in a stage."""
DEPTHS = {"small": 1, "middle": 2, "large": 2}
Loop = Callable[[], object]


class Images(Dataset[tuple[Tensor, int]]):
    """One image at a time, as a tutorial has it."""

    def __init__(self, split: Split) -> None:
        self._x, self._y = torch.from_numpy(split.x), split.y
        floats = self._x.float() / 255
        self._mean, self._std = floats.mean(), floats.std()

    def __len__(self) -> int:
        return len(self._x)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        x = (self._x[row].float() / 255 - self._mean) / self._std
        top, left = torch.randint(2 * CROP + 1, (2,)).tolist()
        x = F.pad(x, (CROP,) * 4)[:, top : top + x.shape[1], left : left + x.shape[2]]
        return (x.flip(-1) if torch.rand(()) < 0.5 else x), int(self._y[row])


class Batches:
    """All images on the device, as floats; a batch at a time."""

    def __init__(self, split: Split, batch: int) -> None:
        floats = torch.from_numpy(split.x).float() / 255
        self._x, self._y, self._batch = (floats - floats.mean()) / floats.std(), torch.from_numpy(split.y), batch

    def __len__(self) -> int:
        return len(self._x) // self._batch

    def __iter__(self) -> Any:
        order = torch.randperm(len(self._x))
        for i in range(len(self)):
            rows = order[i * self._batch : (i + 1) * self._batch]
            x, y = self._x[rows], self._y[rows]
            n, _, height, width = x.shape
            windows = F.pad(x, (CROP,) * 4).unfold(2, height, 1).unfold(3, width, 1)
            top, left = torch.randint(2 * CROP + 1, (2, n))
            x = windows[torch.arange(n), :, top, left]
            yield torch.where((torch.rand(n) < 0.5)[:, None, None, None], x.flip(-1), x), y


def plain(network: nn.Module, batches: Any, config: TrainingConfig) -> None:
    """An epoch of PyTorch as it comes."""
    optimizer = torch.optim.SGD(
        network.parameters(), config.learning_rate, config.momentum, weight_decay=config.weight_decay, nesterov=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: one_cycle(min(1.0, step / len(batches))))
    criterion = nn.CrossEntropyLoss(label_smoothing=config.label_smoothing)
    network.train()
    total = 0.0
    for x, y in batches:
        optimizer.zero_grad()
        loss = criterion(network(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), config.grad_clip)
        optimizer.step()
        schedule.step()
        total += loss.item()


def loops(name: str, task: Task, config: TrainingConfig) -> dict[str, Loop]:
    """Each way, of an epoch with a network of its own."""
    split = task.splits.train
    resident = Batches(split, config.batch_size)
    loader = DataLoader(Images(split), config.batch_size, shuffle=True, drop_last=True)
    own, theirs, third = (built(name, task) for _ in range(3))
    data = to_device(task, "cpu")
    return {
        "evonas": lambda: list(Trainer(own, data, task, config, seed=0).epochs()),
        "DataLoader": lambda: plain(theirs, loader, config),
        "resident": lambda: plain(third, resident, config),
    }


def built(name: str, task: Task) -> nn.Module:
    space = SPACES["mobile"](depths=(1, 2))
    parts, depth = PARTS[name], DEPTHS[name]
    kinds = {"separable": {"kernel": 3}, "inverted": {"kernel": 3, "expansion": 2}, "residual": {}}
    stages = {
        f"stage_{i}": {"width": width, "depth": depth, "squeeze": False, "block": {"kind": kind, **kinds[kind]}}
        for i, (width, kind) in enumerate(parts["stages"])
    }
    torch.manual_seed(0)
    return space.build(space.decode(space.encode({"stem": parts["stem"], "activation": "relu", **stages})), task.spec)


def compared(ways: dict[str, Loop], images: int, repeats: int) -> str:
    """All in turns, the first time for nothing."""
    crew = [hired(loop) for loop in ways.values()]
    try:
        times = np.array([[asked(pipe) for pipe, _ in crew] for _ in range(repeats + 1)][1:])
    finally:
        for _, process in crew:
            process.kill()
            process.join()
    speeds = " ".join(f"{images / median(times[:, i]):10,.0f}" for i in range(len(ways)))
    ratios = times[:, 1:] / times[:, :1]
    beside = "   ".join(f"{median(r):5.2f} ({min(r):.2f} to {max(r):.2f})" for r in ratios.T)
    return f"{speeds}   {beside}"


def hired(loop: Loop) -> tuple[Connection, Any]:
    """A process, forked from this one, that runs the loop whenever it is asked to, and says how long it took."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, loop), daemon=True)
    process.start()
    theirs.close()  # so that a process that dies is an error here
    return ours, process


def serve(pipe: Connection, loop: Loop) -> None:
    while True:
        pipe.recv()
        pipe.send(seconds(loop))


def asked(pipe: Connection) -> float:
    pipe.send("again")
    return float(pipe.recv())


def seconds(loop: Loop) -> float:
    start = time.process_time()
    loop()
    return time.process_time() - start


def profiled(loop: Loop) -> str:
    loop()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        loop()
    return str(profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=20, max_name_column_width=40))


def made(path: Path | None, examples: int) -> Task:
    """The first examples of the file, or noise."""
    if path is not None:
        with np.load(path) as file:
            x, y = file["x_train"][:examples, None], file["y_train"][:examples].astype(np.int64)
    else:
        rng = np.random.default_rng(0)
        x, y = rng.integers(0, 256, (examples, 1, 28, 28)).astype(np.uint8), np.arange(examples) % 10
    few = Split(np.ascontiguousarray(x[:16]), y[:16])
    return classification("images", Splits(Split(np.ascontiguousarray(x), y), few, few))


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    path = options.file or (SHARED if SHARED.exists() else None)
    task = made(path, options.examples)
    augment = AugmentConfig(crop=CROP, flip=True)
    config = TrainingConfig(epochs=1, batch_size=options.batch, augment=augment, learning_rate=0.05)
    print(
        f"{options.examples:,} {'examples of Fashion-MNIST' if path else 'made-up images'}, "
        f"batches of {options.batch}, n = {options.repeats}, torch {torch.__version__}"
    )
    print("network  params       MACs     images/s: evonas, DataLoader, resident   ours is times DataLoader, resident")
    for name in PARTS:
        network, ways = built(name, task), loops(name, task, config)
        if options.profile:
            print(profiled(ways["evonas"]))
            continue
        head = f"{name:7} {parameters(network):7,} {multiply_accumulates(network, task.spec.input):10,}"
        print(head, compared(ways, options.examples // options.batch * options.batch, options.repeats), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("file", nargs="?", type=Path, help="npz with x_train (n, 28, 28) and y_train")
    parser.add_argument("--examples", type=int, default=2560)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--profile", action="store_true", help="where the time of ours goes")
    return parse(parser, examples=256, repeats=1)


if __name__ == "__main__":
    main()
