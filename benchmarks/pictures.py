"""What is an epoch of pictures worth that are decoded once, beside one whose pictures are decoded each time?

    python benchmarks/pictures.py [--pictures 2000] [--side 256] [--size 64] [--batch 64] [--repeats 5] [--workers 2]

JPEG files in class folders, made up, of side x side pixels. Printed, by the clock and of the CPU time of all threads
and processes: decoding them once into the cache, and opening it again, by the task `image_folder`; then, in turns in
each repeat, the shuffled batches of one epoch from that file, as if memory had no room for it, and from PyTorch's
DataLoader with a data set that does what torchvision's ImageFolder does with Resize and PILToTensor. Medians, the
ratio of neighbours, and after how many epochs decoding once has paid.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from _common import parse
from PIL import Image
from torch import Generator
from torch.utils.data import DataLoader

from evonas.evaluation.batches.streaming import Streaming
from evonas.measuring.backends.pytorch import device_name
from evonas.tasks import TASKS, Task, room

CPU = torch.device("cpu")


class Decoding:
    """What ImageFolder is: a picture is opened, decoded and scaled whenever it is asked for."""

    def __init__(self, folder: Path, size: int) -> None:
        self._files = [(file, label) for label in (0, 1) for file in sorted((folder / f"class {label}").iterdir())]
        self._size = size

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        file, label = self._files[row]
        with Image.open(file) as picture:
            pixels = np.asarray(picture.convert("RGB").resize((self._size, self._size), Image.Resampling.BILINEAR))
        return torch.from_numpy(pixels.copy()).permute(2, 0, 1).contiguous(), label


def write(folder: Path, pictures: int, side: int) -> None:
    """Smooth noise, which takes as long to decode as a photograph."""
    random = np.random.default_rng(0)
    for row in range(pictures):
        (folder / f"class {row % 2}").mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(random.integers(0, 256, (side // 8 + 1, side // 8 + 1, 3), dtype=np.uint8))
        coarse.resize((side, side), Image.Resampling.BICUBIC).save(folder / f"class {row % 2}" / f"{row}.jpg")


def task(folder: Path, size: int) -> Task:
    """All pictures but 2 % in train, not held in memory."""
    few = {"valid_fraction": 0.01, "test_fraction": 0.01}
    return TASKS["image_folder"](path=str(folder / "pictures"), size=size, cache=str(folder / "cache"), **few)


def seconds(work: Callable[[], Any]) -> tuple[float, float]:
    """By the clock, and of all threads of this process and of the processes that it has waited for."""
    wall, cpu = time.perf_counter(), _cpu()
    work()
    return time.perf_counter() - wall, _cpu() - cpu


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def drained(batches: Any) -> None:
    for batch in batches:
        del batch


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    print(f"{options.pictures:,} JPEG of {options.side} x {options.side} to {options.size} x {options.size}, ", end="")
    print(f"batches of {options.batch}, n = {options.repeats}, {options.workers} loading processes, {device_name(CPU)}")
    room.machine_memory = lambda: 1  # type: ignore[assignment]  # so that training reads from the disk
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "pictures", options.pictures, options.side)
        once = seconds(lambda: task(folder, options.size))
        again = seconds(lambda: task(folder, options.size))
        kept = Streaming(task(folder, options.size).splits.train, CPU)
        shuffled = Generator().manual_seed(0)
        loader: Any = DataLoader(
            Decoding(folder / "pictures", options.size),  # type: ignore[arg-type]
            options.batch,
            shuffle=True,
            num_workers=options.workers,
        )
        turns = [
            (seconds(lambda: drained(kept.shuffled(options.batch, shuffled))), seconds(lambda: drained(loader)))
            for _ in range(options.repeats + 1)
        ][1:]
    report(once, again, np.array(turns))


def report(once: tuple[float, float], again: tuple[float, float], turns: Any) -> None:
    """turns: (repeats, decoded once or each time, wall or CPU) in seconds."""
    for i, clock in enumerate(("wall", "CPU")):
        ours, theirs = (median(turns[:, which, i]) for which in (0, 1))
        ratios = turns[:, 1, i] / turns[:, 0, i]
        print(
            f"{clock}: decoding once {once[i]:.2f} s, opening again {again[i]:.2f} s; an epoch of batches "
            f"{ours:.3f} s, of ImageFolder and DataLoader {theirs:.2f} s, ratio {median(ratios):.0f} "
            f"({min(ratios):.0f} to {max(ratios):.0f}); paid after {once[i] / max(1e-9, theirs - ours):.1f} epochs"
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    return parse(parser, pictures=200, side=32, size=8, repeats=1)


if __name__ == "__main__":
    main()
