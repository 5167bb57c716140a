"""How many trainings does a decision before training save? Stand-ins of rung 0, on NAS-Bench-201.

    python benchmarks/rung_0.py TABLE.parquet CIFAR10.npz [--kept FOLDER] [--seeds 20] [--methods params ...]

Each search is NSGA-II through evonas's own breeder and ledger, with two objectives (error, latency): without rung 0;
with the surrogate; with a metric of the untrained network, the ranks of several scores, or the error with a supernet's
weights (`training.before`, by default a tenth passes); and `bayes`, without rung 0. Two more say what the rule can do
with the best stand-in and with none: the network's own error in the table, and a number drawn for it.

What networks say untrained is computed by evonas's own functions of those that `cell` builds, with --channels channels,
one cell a stage and pictures of --side pixels, once of each that a search asks for; the supernet is made as `evonas
supernet` makes one. With --kept it all stays in FOLDER, searches too: the same command goes on where it was ended.

Printed: Kendall's tau of each stand-in with the table's error, of all that were computed and of the best tenth; then
the share of the true front's hypervolume in percent after so many trained networks, mean of the devices and half its
95 % interval over the seeds; the median number of trainings that 95 and 98 % take, over seeds and devices, with its 95
% interval over seeds drawn again; and how many networks were built and measured for each that was trained.

Table: as of `search_quality.py`. Pictures: x_train (n, 3, 32, 32) of uint8, y_train (n,), and x_test, y_test.
"""

import argparse
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch
from _common import parse
from quality import stand_ins
from quality.metric import Metric, mean_and_interval
from quality.problems import DEVICES, TWO, Problem, made_up, problems
from quality.searches import BIRTHS, trained
from quality.stand_ins import Method

SHARES = (95, 98)
Row = dict[str, Any]


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    table = pd.read_parquet(options.table) if options.table else made_up(DEVICES[0])
    devices = options.devices if options.table else DEVICES[:1]
    todo = [one for one in problems(table, devices, options.means) if one.columns == TWO and one.limit is None]
    todo = [one for one in todo if one.group.startswith("NAS")]
    with TemporaryDirectory() as folder:
        kept = Path(options.kept or folder)
        methods = stand_ins.methods(kept, todo[0], options)
        rows = [*searched(todo, methods, kept / "searches.jsonl", options)]
        stand_ins.show(methods, todo[0])
    show(f"{todo[0].group}, mean of {len(todo)} devices", pd.DataFrame(rows), options)


def searched(
    todo: Sequence[Problem], methods: Mapping[str, Method], file: Path, options: argparse.Namespace
) -> Iterator[Row]:
    """A row for each search; those first that a file has."""
    lines = file.read_text().splitlines() if file.exists() else []
    known = {tuple(row["search"]): row for row in map(json.loads, lines)}
    for seed, problem, name in itertools.product(range(options.seeds), todo, methods):
        search = (name, options.promote, max(options.at), options.means, problem.name, seed)
        if search not in known:
            known[search] = {"search": search, **_searched(methods[name], problem, seed, max(options.at))}
            with file.open("a") as held:
                held.write(json.dumps(known[search]) + "\n")
        points, metric = np.array(known[search]["points"]), Metric.of(problem.points())
        yield {
            "device": problem.name,
            "method": name,
            "seed": seed,
            **{f"@{n}": metric.share(points[:n]) if n <= len(points) else np.nan for n in options.at},
            **{f"{share} %": metric.needed(points, share) for share in SHARES},
            "built": known[search]["born"][-1] / len(points),
        }


def _searched(method: Method, problem: Problem, seed: int, most: int) -> Row:
    """What the trained networks have, and how many candidates were bred by then."""
    search = trained(method.sections, problem, seed, BIRTHS * most, method.known(problem))
    born, points = zip(*islice(search, most), strict=True)
    return {"points": points, "born": born}


def show(title: str, frame: pd.DataFrame, options: argparse.Namespace) -> None:
    """A line for each method."""
    print(f"\n{title}, {options.seeds} seeds, % of the true hypervolume")
    heads = [f"@{n}" for n in options.at]
    medians = "".join(f"{f'{share} % (interval)':>20s}" for share in SHARES)
    print(f"{'method':24s}{''.join(f'{head:>13s}' for head in heads)}{medians}{'built':>7s}")
    for name, own in frame.groupby("method", sort=False):
        means = own.groupby("seed")[heads].mean()
        cells = "".join(f"{_share(means[head].dropna().to_numpy()):>13s}" for head in heads)
        counts = "".join(f"{_median(own, f'{share} %', max(options.at)):>20s}" for share in SHARES)
        print(f"{name:24s}{cells}{counts}{own['built'].mean():7.1f}", flush=True)


def _share(values: np.ndarray) -> str:
    if not len(values):
        return "-"
    mean, half = mean_and_interval(values)
    return f"{mean:.1f} ± {half:.1f}"


def _median(own: pd.DataFrame, head: str, most: int) -> str:
    """Over seeds and devices, with the interval of it over seeds drawn again."""
    needed = own.pivot(index="seed", columns="device", values=head).to_numpy()
    draws = np.random.default_rng(0).integers(0, len(needed), (2000, len(needed)))
    medians = [np.median(needed[seeds]) for seeds in draws]
    low, high = np.percentile(medians, [2.5, 97.5], method="nearest")
    text = [f"{value:,.0f}" if np.isfinite(value) else f">{most:,}" for value in (np.median(needed), low, high)]
    return f"{text[0]} ({text[1]} to {text[2]})"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("table", metavar="TABLE.parquet", nargs="?", help="with --smoke it may be left out")
    parser.add_argument("pictures", metavar="CIFAR10.npz", nargs="?", help="with --smoke they may be left out")
    parser.add_argument("--kept", metavar="FOLDER", help="where what was computed stays")
    parser.add_argument("--seeds", type=int, default=20)
    names = stand_ins.NAMES
    parser.add_argument("--methods", nargs="+", default=names, choices=names, metavar="METHOD", help=", ".join(names))
    parser.add_argument("--devices", nargs="+", default=DEVICES, choices=DEVICES)
    parser.add_argument("--at", type=int, nargs="+", default=[50, 100, 200, 400], help="trained networks")
    parser.add_argument("--means", action="store_true", help="genomes of one network have their mean, and no noise")
    parser.add_argument("--promote", type=float, help="share that passes rung 0 by a stand-in; evonas's default")
    parser.add_argument("--channels", type=int, default=4, help="of the first stage of the networks that are built")
    parser.add_argument("--epochs", type=int, default=25, help="of the supernet")
    parser.add_argument("--side", type=int, default=16, help="of the pictures that they are given, pixels")
    parser.add_argument("--valid", type=int, default=250, help="pictures of which inherited errors are")
    options = parse(parser, seeds=1, at=[12, 24], channels=2, epochs=1, side=8, valid=64)
    if not options.smoke and not (options.table and options.pictures):
        parser.error("TABLE.parquet and CIFAR10.npz are missing: the table of NAS-Bench-201, and pictures")
    return options


if __name__ == "__main__":
    main()
