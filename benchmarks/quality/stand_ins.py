"""What decides before training in the searches of `rung_0.py`."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import kendalltau

from evonas.config.loading import load_config
from evonas.objectives.metrics import AGGREGATED
from evonas.objectives.objectives import INHERITED
from evonas.objectives.score_ranks import aggregate
from evonas.spaces.cell import Cell
from evonas.tabular import nothing
from quality.problems import Problem
from quality.searches import METHODS, Untrained, config_of
from quality.untrained import SCORED, Kept, inheriting, pictures, scores

ERROR = f"{INHERITED}error"
OF_METHODS = ("nsga2", "nsga2, rung 0", "bayes")
BY_SCORES = ("params", "synflow", "naswot", "scores")
SUPERNET, OWN_ERROR, DRAWN = "supernet", "its own error", "a drawn number"
NAMES = (*OF_METHODS, *BY_SCORES, SUPERNET, OWN_ERROR, DRAWN)


@dataclass(frozen=True)
class Method:
    """A search.

    Args:
        sections: of its config, beside those of the problem.
        known: of a problem, what is known of networks before they are trained.
        kept: where that is computed and kept; None: it is not.
    """

    sections: Mapping[str, Any]
    known: Callable[[Problem], Untrained] = lambda problem: nothing
    kept: Kept | None = None


def methods(folder: Path, problem: Problem, options: argparse.Namespace) -> dict[str, Method]:
    """Those that are asked for, by name.

    Args:
        folder: of what is computed of networks.
        problem: one of those that are searched.
        options: of the command line.
    """
    task = pictures(options.pictures, options.side, valid=options.valid)
    space = Cell(channels=options.channels)
    built = f"{options.channels}x{options.side}"
    scored = Kept(folder / f"scores-{built}.jsonl", partial(scores, space=space, task=task, names=SCORED))
    found = {name: Method(METHODS[name]) for name in OF_METHODS}
    found |= {name: Method(before(name, options.promote), lambda problem: scored, scored) for name in BY_SCORES}
    by_error = before(SUPERNET, options.promote)
    found |= {OWN_ERROR: Method(by_error, own_error), DRAWN: Method(by_error, drawn)}
    if SUPERNET in options.methods:
        config = load_config(config_of(problem, 0, {}))
        file = folder / f"supernet-{built}x{options.epochs}.safetensors"
        inherited = Kept(file.with_suffix(".jsonl"), inheriting(file, config, space, task, options.epochs))
        found[SUPERNET] = Method(by_error, lambda problem: inherited, inherited)
    return {name: found[name] for name in NAMES if name in options.methods}


def before(kind: str, promote: float | None = None) -> dict[str, Any]:
    """The sections of a config with rung 0.

    Args:
        kind: what stands in for training.
        promote: share that passes; None: evonas's default.
    """
    section = {"kind": kind, **({"promote": promote} if promote else {})}
    supernet = {"supernet": "what it says is looked up"} if kind == SUPERNET else {}
    return {"training": {"epochs": 200, "rungs": [0], "before": section, **supernet}}


def own_error(problem: Problem) -> Untrained:
    """In the place of an inherited error, what a training would give: no stand-in ranks better."""
    return lambda genome: {ERROR: problem.values[problem.key(genome)][0]}


def drawn(problem: Problem) -> Untrained:
    """In the place of an inherited error, a number that says nothing."""
    return lambda genome: {ERROR: float(np.random.default_rng(genome).random())}


def show(methods: Mapping[str, Method], problem: Problem) -> None:
    """How stand-ins rank the networks of which they were computed.

    Args:
        methods: by name.
        problem: whose errors they are compared with.
    """
    print(f"{'stand-in':16s}{'networks':>10s}{'tau':>8s}{'tau, best tenth':>18s}")
    for name, method in methods.items():
        if method.kept:
            errors = np.array([problem.values[problem.key(genome)][0] for genome in method.kept.rows])
            guesses = _guesses(name, method.kept)
            best = errors <= np.sort(errors)[max(1, len(errors) // 10)]
            taus = (kendalltau(guesses, -errors).statistic, kendalltau(guesses[best], -errors[best]).statistic)
            print(f"{name:16s}{len(errors):10,}{taus[0]:8.3f}{taus[1]:18.3f}")


def _guesses(name: str, kept: Kept) -> np.ndarray:
    """Of each network, more is better."""
    rows = list(kept.rows.values())
    if name == "scores":
        return aggregate(np.array([[row[score] for score in AGGREGATED] for row in rows]))
    return np.array([-row[ERROR] if name == SUPERNET else row[name] for row in rows])
