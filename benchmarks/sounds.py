"""Spoken digits: the networks of a search, and a small published one, trained alike on all that is not test.

    python benchmarks/sounds.py [FILE.npz] [--run RUN] [--candidates 1] [--epochs 16] [--seeds 3]

Without --run, M5 (Dai et al. 2017), which takes samples, in the form of torchaudio's tutorial (32 channels). With the
run folder of a search with `configs/audio.yaml`, networks of its front. Each by the recipe of that config, from --seeds
initial weights; the test part is looked at after the last epoch. Errors are in %. Times are not compared.
Without FILE, made-up tones stand for words.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
import yaml
from _common import parse
from torch import Tensor, nn

import evonas
from evonas.config import TrainingConfig
from evonas.evaluation.batches.device_data import to_device
from evonas.evaluation.training.loop import Trainer
from evonas.records import InputSpec
from evonas.spaces import SPACES
from evonas.tasks import TASKS, Task
from evonas.tasks.splitting import joined

CONFIG = yaml.safe_load((Path(__file__).parents[1] / "configs" / "audio.yaml").read_text())
SHARED = Path(__file__).parents[2] / "shared" / "data" / "spoken_digits.npz"


class Samples(nn.Module):
    """int16 samples (n, samples) -> (n, 1, samples) of deviation 1 or so."""

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.deviation = deviation

    def forward(self, x: Tensor) -> Tensor:
        return x.float()[:, None] / self.deviation


def m5(classes: int, channels: int = 32) -> nn.Module:
    """Four convolutions over samples, the first of 80 of them, each with BatchNorm and a pooling by 4."""
    layers: list[nn.Module] = []
    for inputs, outputs, kernel, stride in ((1, 1, 80, 16), (1, 1, 3, 1), (1, 2, 3, 1), (2, 2, 3, 1)):
        before = channels * inputs if layers else 1
        layers += [nn.Conv1d(before, channels * outputs, kernel, stride), nn.BatchNorm1d(channels * outputs)]
        layers += [nn.ReLU(), nn.MaxPool1d(4)]
    return nn.Sequential(*layers[:-1], nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(2 * channels, classes))


def tones(file: Path) -> None:
    """Made-up words: rising, falling and even tones in noise, of 800 to 1,199 samples."""
    rng = np.random.default_rng(0)
    octaves = np.arange(400) % 3 - 1
    hertz = rng.uniform(400, 800, 400)
    words = [
        3000 * np.sin(2 * np.pi * np.cumsum(f * 2.0 ** np.linspace(0, o, 800 + i)) / 8000) + rng.normal(0, 900, 800 + i)
        for i, (f, o) in enumerate(zip(hertz, octaves, strict=True))
    ]
    ends = np.cumsum([0, *map(len, words)])
    take = np.arange(400) // 8
    np.savez(file, pcm16=np.concatenate(words).astype(np.int16), offset=ends, label=octaves + 1, take=take, rate=8000)


def trained(task: Task, network: nn.Module, training: TrainingConfig, seed: int) -> float:
    """The error of the test part, in %, after the last epoch."""
    *_, last = Trainer(network, to_device(task, "cpu"), task, training, seed).epochs()
    return 100 * last.valid_metric


def networks(run: str | None, count: int, task: Task) -> dict[str, Callable[[], nn.Module]]:
    """Name -> what makes a network: M5 or, of a run, so many of its front, the most accurate ones."""
    if run is None:
        return {"M5": lambda: m5(task.spec.outputs)}
    space = SPACES["mobile"](**{key: value for key, value in CONFIG["space"].items() if key != "kind"})
    front = evonas.load(run).front().sort_values("error").head(count)
    genomes = {f"candidate {row['candidate']}": tuple(row["genome"]) for _, row in front.iterrows()}
    return {name: partial(space.build, space.decode(genome), task.spec) for name, genome in genomes.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("file", nargs="?", type=Path, help="npz as spoken_digits.npz")
    parser.add_argument("--run", help="run folder of a search with configs/audio.yaml")
    parser.add_argument("--candidates", type=int, default=1, help="of its front, the most accurate ones")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=3)
    options = parse(parser, epochs=1, seeds=1)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        file = options.file or (SHARED if SHARED.exists() and not options.smoke else None)
        if file is None:
            tones(file := Path(folder) / "tones.npz")
        section = {key: value for key, value in CONFIG["task"].items() if key not in ("kind", "path")}
        task = TASKS["audio"](path=str(file), **section)
    whole = replace(task.splits, train=joined(task.splits.train, task.splits.valid), valid=task.splits.test)
    task = replace(task, splits=whole)
    sampled = replace(
        task,
        spec=replace(task.spec, input=InputSpec((1, task.splits.train.x.shape[1]))),
        prepare=Samples(float(task.splits.train.x.std())),
        augment=None,
    )
    recipe = CONFIG["training"] | {"epochs": options.epochs, "rungs": []}
    print(
        f"{len(whole.train):,} recordings to train, {len(whole.valid):,} to test, {options.epochs} epochs", flush=True
    )
    for name, make in networks(options.run, options.candidates, task).items():
        own, training = (sampled, recipe | {"augment": {}}) if name == "M5" else (task, recipe)
        found = []
        for seed in range(options.seeds):
            torch.manual_seed(seed)
            network = make()
            found.append(trained(own, network, TrainingConfig.model_validate(training), seed))
            params = sum(p.numel() for p in network.parameters())
        each = ", ".join(f"{error:.2f}" for error in found)
        print(f"{name:14} {params:7,} params: test error {np.mean(found):.2f} % ({each})", flush=True)


if __name__ == "__main__":
    main()
