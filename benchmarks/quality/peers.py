"""Who else searches: random draws, Optuna's samplers, pymoo's NSGA-II, a Pareto evolution; as their users run them.

A peer trains what it proposes, one network after another. In its favour, a genome that it proposes again costs nothing,
as with a cache, and one over the limit is not trained either: its costs and how far it is over are told all the same.
"""

import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from typing import Any

import moocore
import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.problem import ElementwiseProblem
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.sampling.rnd import IntegerRandomSampling
from pymoo.optimize import minimize

from evonas.records import Genome
from evonas.strategies.variation import mutate
from quality.metric import Points
from quality.problems import Problem

PROPOSALS = 4
"""A peer ends after so many for each trained network that is asked for: it may repeat itself for ever."""

DRAWS = 100_000
"""Children at most of a search that trains no network twice: at the end there may be no new one among them."""


class Enough(Exception):
    """As many networks are trained as were asked for."""


class Trainer:
    """Looks up what is proposed, and ends a search from within when enough is trained.

    Args:
        problem: what is searched.
        count: networks to train.
    """

    def __init__(self, problem: Problem, count: int) -> None:
        self._problem, self._count, self._proposed = problem, count, 0
        self.trained: dict[Genome, tuple[float, ...]] = {}
        """In the order in which they were."""

    def __call__(self, genome: Genome) -> tuple[float, ...]:
        """The objectives of a genome.

        Raises:
            Enough: no more are to be trained.
        """
        if len(self.trained) >= self._count or self._proposed >= PROPOSALS * self._count:
            raise Enough
        self._proposed += 1
        key = self._problem.key(genome)
        values = self._problem.values[key]
        if self._problem.excess(values) <= 0:
            self.trained.setdefault(key, values)
        return values


Search = Callable[[Problem, Trainer, int], None]
"""(problem, trainer, seed): proposes until the trainer has enough."""


def trained_by(search: Search, problem: Problem, seed: int, count: int) -> Points:
    """What the first `count` trained networks of a peer's search have; fewer where it only repeats itself."""
    trainer = Trainer(problem, count)
    with suppress(Enough):
        search(problem, trainer, seed)
    return np.array(list(trainer.trained.values())).reshape(-1, len(problem.columns))


def random_draws(problem: Problem, trainer: Trainer, seed: int) -> None:
    """Each network of the space as likely as its genomes."""
    rng = np.random.default_rng(seed)
    while True:
        trainer(problem.space.sample(rng))


def pareto_evolution(problem: Problem, trainer: Trainer, seed: int, founders: int = 10, twins: bool = True) -> None:
    """Ten random networks, then one-gene mutants of members of the front of all trained so far, as Archai breeds.

    Parents keep the inactive genes that they were born with: a table's canonical form has the first value there, which
    is a good or a bad one by the order in which a gene's values are written down.

    Args:
        problem: what is searched.
        trainer: takes what is proposed.
        seed: of the draws.
        founders: random networks.
        twins: whether a genome that builds the same network as one before is trained, with that genome's own noise in
            the table. No strategy of evonas does it.
    """
    rng, rate = np.random.default_rng(seed), 1 / len(problem.space.genes)
    born: dict[Genome, Genome] = {}  # the table's genome -> the one that was proposed
    networks: set[str] = set()
    for _ in range(DRAWS):
        trained = list(trainer.trained.items())
        if len(trained) < founders:
            child = problem.space.sample(rng)
        else:
            front = np.flatnonzero(moocore.is_nondominated(np.array([values for _, values in trained])))
            child = mutate(problem.space, born[trained[rng.choice(front)][0]], rate, rng)
        if not twins:
            if (network := problem.space.identity(child)) in networks:
                continue
            networks.add(network)
        born.setdefault(problem.key(child), child)
        trainer(child)


class _Genes(ElementwiseProblem):
    """A problem as pymoo has it: a whole number a gene."""

    def __init__(self, problem: Problem, trainer: Trainer) -> None:
        self._problem, self._trainer = problem, trainer
        upper = np.array([gene.size - 1 for gene in problem.space.genes])
        counts = {"n_obj": len(problem.columns), "n_ieq_constr": int(problem.limit is not None)}
        super().__init__(n_var=len(upper), xl=0 * upper, xu=upper, vtype=int, **counts)

    def _evaluate(self, x: np.ndarray, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        out["F"] = values = self._trainer(tuple(map(int, x)))
        out["G"] = [self._problem.excess(values)] * self.n_ieq_constr


def pymoo_nsga2(problem: Problem, trainer: Trainer, seed: int, population: int = 100) -> None:
    """pymoo's NSGA-II with the operators that its guide has for whole numbers."""
    repair = {"vtype": float, "repair": RoundingRepair()}
    operators = {"sampling": IntegerRandomSampling(), "crossover": SBX(**repair), "mutation": PM(**repair)}
    algorithm = NSGA2(population, **operators)
    minimize(_Genes(problem, trainer), algorithm, ("n_gen", 10**6), seed=seed)


def optuna_search(sampler: Callable[..., Any], problem: Problem, trainer: Trainer, seed: int) -> None:
    """A study of Optuna: an int of an ordered gene, a category of any other, the limit as a constraint."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    genes = list(enumerate(problem.space.genes))

    def objective(trial: Any) -> tuple[float, ...]:
        values = trainer(
            tuple(
                trial.suggest_int(f"g{i}", 0, gene.size - 1)
                if gene.ordered
                else trial.suggest_categorical(f"g{i}", range(gene.size))
                for i, gene in genes
            )
        )
        trial.set_user_attr("excess", [problem.excess(values)])
        return values

    limit = {"constraints_func": lambda trial: trial.user_attrs["excess"]} if problem.limit is not None else {}
    study = optuna.create_study(directions=["minimize"] * len(problem.columns), sampler=sampler(seed=seed, **limit))
    study.optimize(objective, 10**6)


def _optuna(name: str, **options: Any) -> Search:
    def made(**given: Any) -> Any:
        from optuna import samplers

        return getattr(samplers, name)(**options, **given)

    return partial(optuna_search, made)


def peers() -> Mapping[str, Search]:
    """Name -> the search of each peer that is installed."""
    optuna = {
        "optuna NSGA-II 50": _optuna("NSGAIISampler", population_size=50),
        "optuna NSGA-II 20": _optuna("NSGAIISampler", population_size=20),
        "optuna TPE": _optuna("TPESampler", multivariate=True),
        "optuna GP": _optuna("GPSampler"),
    }
    found: dict[str, Search] = {
        "random draws": random_draws,
        "pareto evolution": pareto_evolution,
        "... without twins": partial(pareto_evolution, twins=False),
        "pymoo NSGA-II": pymoo_nsga2,
    }
    return {**found, **optuna} if find_spec("optuna") else found
