"""Was a search worth it? Its front against that of random search, and against what its networks are in the end.

    python benchmarks/audit.py NPZ [--train 4500] [--valid 1500] [--evaluations 48] [--pick 6] [--folder DIR]

NSGA-II and random search, as `evonas audit RUN --baseline` makes it, on some of the training examples of an npz file
with the space of configs/fashion_mnist.yaml; then the front of each is tested with the weights that the search left it,
some of its networks are trained to the end, and `evonas audit` says what came of it. With --folder the same line goes
on. With --smoke the data are the digits of scikit-learn.
"""

import argparse
import json
import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from _common import parse

import evonas
from evonas.audit.baseline import config_of_baseline, default_folder
from evonas.cli import main as command_line
from evonas.config.loading import load_config
from evonas.final.testing import look_at_networks

CONFIG = Path(__file__).parents[1] / "configs" / "fashion_mnist.yaml"
RAY = ["runtime={kind: ray, workers: 2}", "targets.cpu.max_seconds=0.5"]
SMOKE = [
    "task={kind: digits}",
    "space={kind: mobile, stages: 1, widths: [4, 8], depths: [0, 1]}",
    "training={epochs: 2, rungs: [1]}",
    "strategy.population=4",
    "objectives=[{metric: error}, {metric: params}]",
    "targets={}",
    "runtime={kind: serial}",
]
"""Overrides by which both searches take seconds."""


def some(path: str, examples: int, folder: Path) -> Path:
    """A copy of an npz file with so many of its training examples, drawn with seed 0, and all of its test examples."""
    found = folder / Path(path).name
    if not found.exists():
        with np.load(path) as arrays:
            chosen = np.random.default_rng(0).permutation(len(arrays["x_train"]))[:examples]
            train = {name: arrays[name][chosen] for name in ("x_train", "y_train")}
            np.savez(found, **train, **{name: arrays[name] for name in ("x_test", "y_test")})
    return found


def finish(run: evonas.Run, pick: int, how: list[str]) -> None:
    """Test the front as the search left it, then train some of it to the end."""
    if run.tests.empty:
        look_at_networks(run, [int(number) for number in run.front()["candidate"]], run.task())
    evonas.train(run, pick=pick, overrides=how)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("data", nargs="?", help="npz file with x_train, y_train, x_test, y_test")
    parser.add_argument("--train", type=int, default=4500)
    parser.add_argument("--valid", type=int, default=1500)
    parser.add_argument("--evaluations", type=int, default=48)
    parser.add_argument("--pick", type=int, default=6)
    parser.add_argument("--folder", type=Path, help="keep the runs here, and go on with those that are there")
    options = parse(parser, evaluations=8, pick=2)
    if not options.smoke and not options.data:
        parser.error("give the npz file")
    torch.set_num_threads(1)  # the threads of a look at many examples wait for each other on a busy machine
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder or Path(name)
        whole = options.train + options.valid
        given = [f"budget={json.dumps({'evaluations': options.evaluations})}"]
        if options.smoke:
            given += SMOKE
        else:
            data = {"path": str(some(options.data, whole, folder)), "valid_fraction": options.valid / whole}
            given += [*RAY, *(f"task.{key}={value}" for key, value in data.items())]
        run = evonas.search(load_config(CONFIG, given).model_dump(mode="json"), run=folder / "run", progress=False)
        random = evonas.search(config_of_baseline(run), run=default_folder(run), progress=False)
        how = ["trials=1", "seeds=2", f"epochs={2 if options.smoke else 12}"]
        for own in (run, random):
            finish(own, options.pick, how)
        command_line(["audit", str(run.folder)])
    versions = ", ".join(f"{package} {version(package)}" for package in ("torch", "ray", "pymoo", "moocore"))
    print(
        f"n = 1 run each, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, {versions}"
    )


if __name__ == "__main__":
    main()
