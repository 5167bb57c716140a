"""How good is the front after so many trained networks? On tables of which every network is known, beside peers.

    python benchmarks/search_quality.py [--table TABLE.parquet] [--seeds 20] [--methods nsga2 ...] [--jobs 1]

Problems: NAS-Bench-201 with each of four devices (left out without --table), and chains of one to four blocks, a table
of the project's own (`quality/chain.py`); with two objectives (error, latency) and three (and parameters), without a
limit and with one at the median latency. Methods: every strategy of evonas, with its default options and through its
own breeder and ledger, nsga2 and bayes with rung 0 as well, and peers (`quality/peers.py`). Optuna's are left out where
it is not installed (pip install optuna); of its Gaussian process, which takes a minute a run, only 3 seeds are run, up
to 100 networks. Regularised evolution is the aging evolution of Real et al. 2019. No strategy of evonas trains one
network twice; peers do, with the twin's own noise in the table, which lifts what caps them: "... without twins" is the
Pareto evolution that does not, --cap prints what the others cannot exceed, and --means takes the noise away.

Printed: the share of the true front's hypervolume, in percent, after 50 to 1,000 trained networks, mean and half the 95
% interval of it over the seeds (`quality/metric.py` says the metric and what caps it); then the median number of
networks that 95, 98 and 99 % take. What is not trained, as over a limit, is not counted. A group of problems that
differ in the device is one table, each seed's mean over the devices; --each prints every device as well.

Table: NAS-Bench-201 on CIFAR-10 (Dong & Yang 2020) with HW-NAS-Bench's latencies (Li et al. 2021); columns e0..e5,
valid_acc_200ep, params and latency_ms_DEVICE.
"""

import argparse
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
from _common import parse
from quality import peers, searches
from quality.metric import Metric, Points, mean_and_interval
from quality.problems import DEVICES, Problem, made_up, one_each, problems

SHARES = (95, 98, 99)
SLOW = {"optuna GP": (3, 100)}
"""Method -> seeds and trained networks at most."""
Method = Callable[[Problem, int, int], Points]
Row = dict[str, object]


def main() -> None:
    options = _options()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before a peer imports torch
    methods = {name: method for name, method in all_methods().items() if name in options.methods}
    table = pd.read_parquet(options.table) if options.table else made_up(DEVICES[0]) if options.smoke else None
    devices = options.devices if options.table else DEVICES[:1]
    todo = [problem for problem in problems(table, devices, options.means) if _wanted(problem, options)]
    if table is None:
        print("NAS-Bench-201 is left out: no --table says where it is")
    if left_out := [name for name in options.methods if name not in methods]:
        print(f"left out, for optuna is not installed (pip install optuna): {', '.join(left_out)}")
    rows: list[Row] = []
    for group in dict.fromkeys(problem.group for problem in todo):
        of_group = [problem for problem in todo if problem.group == group]
        rows += found(of_group, methods, options)
        _show(group, [row for row in rows if row["group"] == group], options)
        if options.cap:
            print(f"all networks, one genome of each: {_cap(of_group):.1f}")
    if options.csv:
        pd.DataFrame(rows).to_csv(options.csv, index=False)


def _wanted(problem: Problem, options: argparse.Namespace) -> bool:
    named = any(part in problem.group for part in options.problems)
    return named and not (options.unlimited and problem.limit is not None)


def _cap(of_group: Sequence[Problem]) -> float:
    """What a search that trains each network once reaches with all of them, mean of devices and 5 draws of genomes."""
    shares = [Metric.of(p.points()).share(one_each(p, seed)) for p in of_group for seed in range(5)]
    return float(np.mean(shares))


def all_methods() -> dict[str, Method]:
    """Name -> what searches: evonas's own first, then the peers that are installed."""
    own = {name: partial(searches.trained_by, sections) for name, sections in searches.METHODS.items()}
    return {**own, **{name: partial(peers.trained_by, search) for name, search in peers.peers().items()}}


def found(todo: Sequence[Problem], methods: Mapping[str, Method], options: argparse.Namespace) -> Iterator[Row]:
    """A row for each problem, method and seed."""
    tasks = [
        (problem, name, seed)
        for problem in todo
        for name in methods
        for seed in range(min(options.seeds, SLOW.get(name, (options.seeds, 0))[0]))
    ]
    work = partial(_searched, {problem.name: Metric.of(problem.points()) for problem in todo}, methods, options.at)
    if options.jobs == 1:
        yield from map(work, tasks)
        return
    _Forked.work, _Forked.tasks = work, tasks
    with multiprocessing.get_context("fork").Pool(options.jobs) as pool:
        yield from pool.imap(_Forked.run, range(len(tasks)))


class _Forked:
    """What a forked process has from its parent, so that no table is pickled."""

    work: Callable[[tuple[Problem, str, int]], Row]
    tasks: Sequence[tuple[Problem, str, int]]

    @classmethod
    def run(cls, place: int) -> Row:
        return cls.work(cls.tasks[place])


def _searched(
    metrics: Mapping[str, Metric], methods: Mapping[str, Method], at: Sequence[int], task: tuple[Problem, str, int]
) -> Row:
    problem, name, seed = task
    metric, most = metrics[problem.name], min(max(at), SLOW.get(name, (0, max(at)))[1])
    points = methods[name](problem, seed, most)
    reached = {f"@{n}": metric.share(points[:n]) for n in at if n <= most}
    needed = {f"{share} %": metric.needed(points, share) for share in SHARES}
    return {"group": problem.group, "device": problem.name, "method": name, "seed": seed, **reached, **needed}


def _show(group: str, rows: Sequence[Row], options: argparse.Namespace) -> None:
    frame = pd.DataFrame(rows)
    devices = list(frame["device"].unique())
    _table(f"{group}{f', mean of {len(devices)} devices' if len(devices) > 1 else ''}", frame, options)
    for device in devices if options.each and len(devices) > 1 else ():
        _table(f"{group}, {device}", frame[frame["device"] == device], options)


def _table(title: str, frame: pd.DataFrame, options: argparse.Namespace) -> None:
    columns = [f"@{n}" for n in options.at]
    print(f"\n{title}, {options.seeds} seeds, % of the true hypervolume")
    heads = [f"{share} %" for share in SHARES]
    print(f"{'method':22s}{''.join(f'{c:>13s}' for c in columns)}{''.join(f'{h:>8s}' for h in heads)}")
    for name, own in frame.groupby("method", sort=False):
        means = own.groupby("seed")[columns].mean()
        cells = [_cell(means[column].dropna().to_numpy()) for column in columns]
        counts = "".join(f"{_count(own[head], max(options.at)):>8s}" for head in heads)
        fewer = f"  {len(means)} seeds" if len(means) < options.seeds else ""
        print(f"{name:22s}{''.join(f'{cell:>13s}' for cell in cells)}{counts}{fewer}", flush=True)


def _cell(values: np.ndarray) -> str:
    if not len(values):
        return "-"
    mean, half = mean_and_interval(values)
    return f"{mean:.1f} ± {half:.1f}"


def _count(values: pd.Series, most: int) -> str:
    """The median over seeds and devices."""
    median = float(np.sort(values)[len(values) // 2])
    return f"{median:,.0f}" if np.isfinite(median) else f">{most:,}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    names = [*all_methods()]
    optuna = [f"optuna {name}" for name in ("NSGA-II 50", "NSGA-II 20", "TPE", "GP")]
    every = [*names, *(name for name in optuna if name not in names)]
    parser.add_argument("--table", metavar="TABLE.parquet", help="of NAS-Bench-201")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--methods", nargs="+", default=every, choices=every, metavar="METHOD", help=", ".join(every))
    parser.add_argument("--problems", nargs="+", default=[""], help="groups with one of these words in their name")
    parser.add_argument("--unlimited", action="store_true", help="leave the problems with a limit out")
    parser.add_argument("--devices", nargs="+", default=DEVICES, choices=DEVICES)
    parser.add_argument("--at", type=int, nargs="+", default=[50, 100, 200, 400, 1000], help="trained networks")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--each", action="store_true", help="print every device, too")
    parser.add_argument("--cap", action="store_true", help="print what all networks have, one genome of each")
    parser.add_argument("--means", action="store_true", help="genomes of one network have their mean, and no noise")
    parser.add_argument("--csv", metavar="FILE", help="write a row for each search")
    return parse(parser, seeds=1, at=[12, 24], methods=[name for name in every if name not in SLOW])


if __name__ == "__main__":
    main()
