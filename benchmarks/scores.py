"""How well do zero-cost scores rank networks? On 300 of NAS-Bench-201, built by the space `cell` and not trained.

    python benchmarks/scores.py TABLE.parquet CIFAR10.npz [--networks 300] [--channels 16] [--cells 5] [--rows FILE]

Printed: Kendall's tau and Spearman's rho of each score with the validation accuracy after 200 epochs (mean of the
trained seeds), of all networks and of the best tenth, and beside them what was published for all 15,625 networks on
CIFAR-10. The networks are each 52nd by accuracy, so chance-level ones are among them as they are among all. `az_nas` is
the sum of the logarithms of ranks of az_expressivity, az_progressivity, az_trainability and macs among the networks.

With --rows each network is a line of FILE (JSON) as soon as its scores are known, in an order each beginning of which
is spread by accuracy: the same command goes on where it was ended, and with --most 0 it says what there is so far.

Table: NAS-Bench-201 (Dong & Yang 2020) with columns e0..e5 and valid_acc_200ep. Pictures: x_train (n, 3, 32, 32) of
uint8, y_train (n,), and x_test, y_test.
"""

import argparse
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from _common import parse
from quality.untrained import pictures, scores
from scipy.stats import kendalltau, spearmanr

from evonas.objectives.metrics import AGGREGATED, SCORES
from evonas.objectives.score_ranks import aggregate
from evonas.spaces.cell import Cell
from evonas.tasks import Task

PUBLISHED = {"synflow": 0.561, "zico": 0.607, "az_nas": 0.712, "params of the table": 0.535}
"""Kendall's tau on CIFAR-10; params: of the table itself, which counts those on dead edges. The others are quoted from
InTrain (CVPR 2026)."""


def main() -> None:
    options = _options()
    frame = pd.read_parquet(options.table) if options.table else made_up()
    chosen = stratified(frame, options.networks)
    task = pictures(options.pictures)
    torch.set_num_threads(options.threads)
    found = pd.DataFrame(known_and_new(chosen, task, options))
    found["az_nas"] = aggregate(found[[*AGGREGATED]].to_numpy(float))
    accuracies = chosen.loc[found["place"], "valid_acc_200ep"].to_numpy()
    if "params" in chosen:
        found["params of the table"] = chosen.loc[found["place"], "params"].to_numpy()
    seconds = found["cpu_s"].sum()
    print(f"{len(found)} networks, {options.channels} channels, {options.cells} cells, {seconds / 60:.1f} CPU minutes")
    print(f"{'score':20s}{'tau':>8s}{'95 %':>16s}{'rho':>8s}{'tau, best tenth':>18s}{'published tau':>16s}")
    for name in ("params", "macs", *SCORES, "az_nas", *found.columns.intersection(["params of the table"])):
        print(line(name, found[name].to_numpy(), accuracies))


def known_and_new(chosen: pd.DataFrame, task: Task, options: argparse.Namespace) -> list[dict[str, float]]:
    """The scores of networks, those first that a file has."""
    file = Path(options.rows) if options.rows else None
    rows = [json.loads(text) for text in file.read_text().splitlines()] if file and file.exists() else []
    there = {row["place"] for row in rows}
    left = [place for place in spread(len(chosen)) if chosen.index[place] not in there][: options.most]
    space, names = Cell(channels=options.channels, cells=options.cells), ("params", "macs", *SCORES)
    for place in left:
        genome = [int(gene) for gene in chosen.iloc[place][[f"e{i}" for i in range(6)]]]
        began = time.process_time()
        row = {"place": int(chosen.index[place]), **scores(genome, space, task, names, options.seed)}
        rows.append({**row, "cpu_s": round(time.process_time() - began, 2)})
        if file:
            with file.open("a") as held:
                held.write(json.dumps(rows[-1]) + "\n")
    return rows


def spread(count: int) -> Iterator[int]:
    """0 to count - 1, each beginning of which is spread evenly: by their digits in base 2, backwards."""
    digits = max(1, (count - 1).bit_length())
    backwards = (int(f"{place:0{digits}b}"[::-1], 2) for place in range(2**digits))
    return (place for place in backwards if place < count)


def made_up() -> pd.DataFrame:
    """A table of all genomes in which more operations are better."""
    frame = pd.DataFrame(itertools.product(range(5), repeat=6), columns=[f"e{i}" for i in range(6)])
    return frame.assign(valid_acc_200ep=90 - 30 / (1 + frame.sum(axis=1)))


def stratified(frame: pd.DataFrame, count: int) -> pd.DataFrame:
    """As many networks, evenly spread by accuracy."""
    order = frame.sort_values(["valid_acc_200ep", *(f"e{i}" for i in range(6))])
    places = np.linspace(0, len(order) - 1, count).round().astype(int)
    return order.iloc[places]


def line(name: str, values: np.ndarray, accuracies: np.ndarray) -> str:
    """A score's correlations, and the interval of tau over networks drawn again."""
    best = accuracies >= np.sort(accuracies)[-max(2, len(accuracies) // 10)]
    tau, top = kendalltau(values, accuracies).statistic, kendalltau(values[best], accuracies[best]).statistic
    draws = np.random.default_rng(0).integers(0, len(values), (500, len(values)))
    low, high = np.nanpercentile([kendalltau(values[i], accuracies[i]).statistic for i in draws], [2.5, 97.5])
    known = f"{PUBLISHED[name]:16.3f}" if name in PUBLISHED else ""
    rho = spearmanr(values, accuracies).statistic
    return f"{name:20s}{tau:8.3f}{f'{low:.3f} to {high:.3f}':>16s}{rho:8.3f}{top:18.3f}{known}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("table", metavar="TABLE.parquet", nargs="?", help="with --smoke it may be left out")
    parser.add_argument("pictures", metavar="CIFAR10.npz", nargs="?", help="with --smoke they may be left out")
    parser.add_argument("--networks", type=int, default=300)
    parser.add_argument("--channels", type=int, default=16, help="of the first stage, as published")
    parser.add_argument("--cells", type=int, default=5, help="in each of three stages, as published")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rows", metavar="FILE", help="where each network's scores are kept as they come")
    parser.add_argument("--most", type=int, help="new networks at most; all that are missing")
    parser.add_argument("--seed", type=int, default=0, help="of the weights")
    options = parse(parser, networks=6, channels=2, cells=1)
    if not options.smoke and not (options.table and options.pictures):
        parser.error("TABLE.parquet and CIFAR10.npz are missing: the table of NAS-Bench-201, and pictures")
    return options


if __name__ == "__main__":
    main()
