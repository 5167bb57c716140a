"""How good is the front after so many epochs of training? Rules of early stopping, on tables of learning curves.

    python benchmarks/early_stopping.py [--table TABLE.parquet] [--seeds 20] [--rules cutoff ...] [--strategy bayes]
    python benchmarks/early_stopping.py --fit RUN

Problems: the chains of `search_quality.py`, with curves of 27 epochs that are drawn (`quality/curves.py`); and, with
--table, the cells of NAS-Bench-201 on CIFAR-10 with what they really have after 12 epochs (of a training of 12 epochs)
and after 200, and the latencies of a Raspberry Pi 4. Two objectives, error and latency.

Rules: full training; the cutoff of `training.stopping: cutoff`; `pause`, which pauses at each rung and promotes; and
ASHA (Li et al. 2020), which pauses and promotes by the error alone. All through evonas's own breeder and ledger, with
NSGA-II (--strategy takes another) and otherwise the options that a user gets by default.

Printed: the share of the true front's hypervolume in percent (`quality/metric.py`) of the fully trained networks, after
as many epochs as 25 to 100 full trainings have, mean and half the 95 % interval of it over the seeds. Checkpoints are
taken to cost nothing.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from _common import parse
from quality.chain import chain_values
from quality.curves import drawn, fitted
from quality.metric import Metric, mean_and_interval
from quality.problems import TWO, Problem, problems
from quality.searches import SPEC, config_of

import evonas
from evonas.config.loading import load_config
from evonas.driver.breeding import Breeder
from evonas.objectives.objectives import Objectives
from evonas.objectives.promotion import Promotions, promoted_to
from evonas.records import Evaluation, Fitness, Genome, Status
from evonas.strategies import Exhausted
from evonas.tabular import Tabular

THIRD = 0.334


@dataclass(frozen=True)
class Curves:
    """A problem, and genome -> errors at `milestones`, the last of which is full training."""

    problem: Problem
    milestones: tuple[int, ...]
    errors: Mapping[Genome, Sequence[float]]
    rules: Mapping[str, Mapping[str, Any]]
    strategy: str = "nsga2"

    @property
    def epochs(self) -> int:
        return self.milestones[-1]


def _rules(*rungs: tuple[str, str, float, tuple[int, ...]]) -> dict[str, dict[str, Any]]:
    own = {
        f"{name} {'-'.join(map(str, at))}, {share:.2g}": {"stopping": stopping, "promote": share, "rungs": list(at)}
        for name, stopping, share, at in rungs
    }
    return {"full training": {}, **own}


CHAIN_RULES = _rules(
    ("ASHA", "pause", THIRD, (3, 9)),
    ("cutoff", "cutoff", 0.5, (3, 9)),
    ("cutoff", "cutoff", THIRD, (3, 9)),
    ("pause", "pause", THIRD, (3, 9)),
    ("pause", "pause", 0.5, (3, 9)),
    ("pause", "pause", THIRD, (9,)),
)
NB201_RULES = _rules(
    ("ASHA", "pause", THIRD, (12,)),
    ("cutoff", "cutoff", 0.5, (12,)),
    ("cutoff", "cutoff", THIRD, (12,)),
    ("pause", "pause", THIRD, (12,)),
    ("pause", "pause", 0.5, (12,)),
    ("pause", "pause", 0.1, (12,)),
    ("cutoff", "cutoff", 0.1, (12,)),
    ("ASHA", "pause", 0.1, (12,)),
)


class ByError(Promotions):
    """ASHA's rule: costs count for nothing."""

    def add(self, fitness: Fitness) -> None:
        super().add(replace(fitness, values=fitness.values[:1]))


def main() -> None:
    options = _options()
    if options.fit:
        print(fitted(evonas.load(options.fit).evaluations))
        return
    for curves in (replace(one, strategy=options.strategy) for one in tables(options.table)):
        budgets = [int(curves.epochs * many) for many in options.at]
        names = [name for name in curves.rules if name.startswith(tuple(options.rules))]
        tasks = [(curves, name, seed, budgets) for name in names for seed in range(options.seeds)]
        found = [_searched(task) for task in tasks]
        print(f"\n{curves.problem.group}, {options.seeds} seeds, % of the true hypervolume after so many epochs")
        print(f"{'rule':24s}" + "".join(f"{f'{budget:,}':>13s}" for budget in budgets))
        for name in names:
            own = np.array([shares for (_, one, *_), shares in zip(tasks, found, strict=True) if one == name])
            cells = [mean_and_interval(own[:, place]) for place in range(len(budgets))]
            print(f"{name:24s}" + "".join(f"{f'{mean:.1f} ± {half:.1f}':>13s}" for mean, half in cells), flush=True)


def tables(path: str | None) -> Iterator[Curves]:
    """The chains, and the cells where there is a table."""
    frame = pd.read_parquet(path) if path else None
    for problem in problems(frame, ["raspi4"]):
        if problem.columns != TWO or problem.limit is not None:
            continue
        if problem.group.startswith("chain"):
            milestones = sorted({at for rule in CHAIN_RULES.values() for at in rule.get("rungs", [])} | {27})
            errors = drawn(np.array([row[0] for row in chain_values().values()]), np.array(milestones), 27)
            known = dict(zip(chain_values(), errors.tolist(), strict=True))
            yield Curves(problem, tuple(milestones), known, CHAIN_RULES)
        elif frame is not None:
            cells = frame[[f"e{i}" for i in range(6)]].to_numpy().tolist()
            early, end = 1 - frame["valid_acc_12ep"] / 100, 1 - frame["valid_acc_200ep"] / 100
            known = {tuple(cell): both for cell, *both in zip(cells, early, end, strict=True)}
            yield Curves(problem, (12, 200), known, NB201_RULES)


def _searched(task: tuple[Curves, str, int, Sequence[int]]) -> list[float]:
    """The share after each budget of epochs."""
    curves, rule, seed, budgets = task
    metric = Metric.of(curves.problem.points())
    trained = list(_trained(curves, rule, seed, max(budgets)))
    values = np.array([values for _, values in trained]).reshape(-1, len(TWO))
    spent = np.array([epochs for epochs, _ in trained])
    return [metric.share(values[spent <= budget]) for budget in budgets]


def _trained(curves: Curves, rule: str, seed: int, most: int) -> Iterator[tuple[int, tuple[float, ...]]]:
    """The fully trained networks of a search, each with the epochs that the search had trained by then."""
    problem, section = curves.problem, {"epochs": curves.epochs, **curves.rules[rule]}
    config = load_config(config_of(problem, seed, {"training": section, "strategy": {"kind": curves.strategy}}))
    objectives = Objectives(config, SPEC)
    evaluate = _table(curves)(problem.space, config, objectives)
    breeder, spent, ends = Breeder(config, problem.space, objectives), 0, config.training.milestones
    if rule.startswith("ASHA"):
        breeder._promotions = ByError(len(ends) - 1, config.training.promote, 0)
    while spent < most:
        try:
            job = breeder.breed()
        except Exhausted:
            return
        for message in evaluate(job):
            if not isinstance(message, Evaluation):
                breeder.buffer.add_report(message)
                continue
            breeder.buffer.add_evaluation(message)
            begins = promoted_to(message.candidate)
            spent += message.curve[-1].epoch - (ends[begins - 1] if begins else 0)
            if message.status is Status.OK:
                yield spent, problem.values[problem.key(job.candidate.genome)]


def _table(curves: Curves) -> Tabular:
    def error(genome: Genome, epochs: int) -> dict[str, float]:
        return {"error": curves.errors[curves.problem.key(genome)][curves.milestones.index(epochs)]}

    def costs(genome: Genome) -> dict[str, float]:
        return {TWO[1]: curves.problem.values[curves.problem.key(genome)][1]}

    return Tabular(error, costs)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--table", metavar="TABLE.parquet", help="of NAS-Bench-201")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--rules", nargs="+", default=[""], help="those that begin with one of these words")
    parser.add_argument("--at", type=float, nargs="+", default=[25, 50, 100], help="budget, in full trainings")
    parser.add_argument("--strategy", default="nsga2", help="that breeds")
    parser.add_argument("--fit", metavar="RUN", help="print the shape of a run's curves, and do nothing else")
    return parse(parser, seeds=1, at=[2, 5])


if __name__ == "__main__":
    main()
