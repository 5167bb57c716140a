"""What does each option of the recipe for few epochs do to the error, at equal epochs?

    python benchmarks/recipe.py [FILE.npz] [--seeds 3] [--epochs 6] [--only NAME]

5,000 images of Fashion-MNIST to train, 2,000 others to validate, from FILE or ../shared/data; else the digits of
scikit-learn. One network of the `mobile` space on one thread, trained as the first line says, then with one option
changed at a time, and with all together; the same seeds for each. Printed are the validation error, mean and standard
deviation over the seeds; how much less than without the option, seed by seed, with the standard error; and the training
loss, which smoothed labels raise.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _common import parse

from evonas.config import TrainingConfig
from evonas.evaluation.batches.device_data import to_device
from evonas.evaluation.training.loop import Trainer
from evonas.spaces import SPACES
from evonas.tasks import TASKS, Split, Splits, Task, classification

SHARED = Path(__file__).parents[2] / "shared" / "data" / "fashion_mnist.npz"
BASE: dict[str, Any] = {"batch_size": 128, "learning_rate": 0.1, "augment": {"crop": 2, "flip": True}}
OPTIONS: dict[str, dict[str, Any]] = {
    "nothing changed": {},
    "label_smoothing 0.2": {"label_smoothing": 0.2},
    "batchnorm_bias_rate 16": {"batchnorm_bias_rate": 16.0},
    "average 0.2": {"average": 0.2},
    "flip alternating": {"augment": {"crop": 2, "flip": "alternating"}},
    "batch 1024, rate 0.4": {"batch_size": 1024, "learning_rate": 0.4},
    "early pooling": {"pool": True},
    "widths doubled": {"wide": 2},
    "first four together": {
        "label_smoothing": 0.2,
        "batchnorm_bias_rate": 16.0,
        "average": 0.2,
        "augment": {"crop": 2, "flip": "alternating"},
    },
}
"""What is changed; `pool` and `wide` are of the network."""


def trained(task: Task, options: dict[str, Any], epochs: int, seed: int) -> tuple[float, float]:
    """Validation error in percent and training loss of the last epoch."""
    options = dict(options)
    pool, wide = options.pop("pool", False), options.pop("wide", 1)
    space = SPACES["mobile"](
        stages=2,
        stem=8 * wide,
        strides=2,
        pools=[pool],
        widths=[[16 * wide], [32 * wide]],
        depths=1,
        blocks=["residual"],
        squeeze=[False],
        activations=["relu"],
    )
    torch.manual_seed(seed)
    network = space.build(space.decode(next(iter(space.genomes()))), task.spec)
    config = TrainingConfig.model_validate({**BASE, "epochs": epochs, **options})
    *_, last = Trainer(network, to_device(task, "cpu"), task, config, seed).epochs()
    return 100 * last.valid_metric, last.train_loss


def made(path: Path | None) -> Task:
    """The first images of the file's training part, and those behind them to validate; or digits."""
    if path is None:
        return TASKS["digits"]()
    with np.load(path) as file:
        x, y = file["x_train"][:7000, None], file["y_train"][:7000].astype(np.int64)
    train, valid = Split(x[:5000], y[:5000]), Split(x[5000:], y[5000:])
    return classification("fashion_mnist", Splits(train, valid, valid))


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    path = options.file or (SHARED if SHARED.exists() else None)
    task = made(path)
    what = "Fashion-MNIST" if path else "digits"
    print(f"{len(task.splits.train):,} images of {what}, {options.epochs} epochs, n = {options.seeds} seeds: {BASE}")
    first: list[float] = []
    for name, changed in OPTIONS.items():
        if options.only and name not in (next(iter(OPTIONS)), options.only):
            continue
        found = [trained(task, changed, options.epochs, seed) for seed in range(options.seeds)]
        errors, losses = ([pair[i] for pair in found] for i in (0, 1))
        first = first or errors
        less = np.subtract(first, errors)
        standard = less.std(ddof=1) / len(less) ** 0.5 if len(less) > 1 else 0.0
        error = f"error {np.mean(errors):6.2f} ± {np.std(errors):.2f} %"
        print(
            f"{name:22} {error}   less by {less.mean():5.2f} ± {standard:.2f}   loss {np.mean(losses):.3f}", flush=True
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("file", nargs="?", type=Path, help="npz with x_train (n, 28, 28) and y_train")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--only", help="one of the options, beside the first line")
    return parse(parser, seeds=1, epochs=1)


if __name__ == "__main__":
    main()
