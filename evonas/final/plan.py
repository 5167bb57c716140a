"""What is to be trained: a plan's networks, their trainings, and the names under which these are kept."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from evonas.config import Config, TrainingConfig
from evonas.config.final import FinalConfig
from evonas.final.recipes import recipes
from evonas.records import Genome
from evonas.seeding import seed_for
from evonas.store.final import final_name
from evonas.tasks.task import Task

Stage = Literal["trial", "seed"]


@dataclass(frozen=True, slots=True)
class FinalTraining:
    """One training of a chosen network.

    Args:
        name: under which it is kept.
        candidate, genome: whose network.
        stage: trial: learns from the training examples, to find a recipe. seed: is finished, and tested.
        number: of the trial or the seed, from 0 or 1.
        seed: of initial weights and everything random.
        training: the recipe.
        fit_on: what it learns from.
    """

    name: str
    candidate: int
    genome: Genome
    stage: Stage
    number: int
    seed: int
    training: TrainingConfig
    fit_on: Literal["train", "train+valid"]


@dataclass(frozen=True, slots=True)
class FinalPlan:
    """The trainings of one network.

    Args:
        config: of the search.
        final: how it is trained to the end.
        task: with its data.
        candidate, genome: whose network.
        run_id: of the search.
    """

    config: Config
    final: FinalConfig
    task: Task
    candidate: int
    genome: Genome
    run_id: str

    @property
    def key(self) -> str:
        """Names how the network is trained; the same for the same line."""
        said = [self.run_id, list(self.genome), self.config.seed, self.final.decisive]
        said.append(self.config.training.model_dump(mode="json", exclude=self.config.training.unused))
        if self.config.learner.kind != "scratch":
            said.append(self.config.learner.model_dump(mode="json"))
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:8]

    @property
    def name(self) -> str:
        """Of the finished network."""
        return final_name(self.candidate, self.key)

    def trials(self) -> list[FinalTraining]:
        """Of each recipe one."""
        config = self.config
        found = recipes(config.training, self.final, self.task, config.seed, self.candidate)
        return [self._training("trial", i, recipe, "train") for i, recipe in enumerate(found)]

    def seeds(self, recipe: TrainingConfig) -> list[FinalTraining]:
        """With the best recipe, each from other initial weights."""
        return [self._training("seed", i + 1, recipe, self.final.fit_on) for i in range(self.final.seeds)]

    def _training(
        self, stage: Stage, number: int, recipe: TrainingConfig, fit_on: Literal["train", "train+valid"]
    ) -> FinalTraining:
        # All trials begin with the same weights: they differ in the recipe alone.
        seed = seed_for(self.config.seed, f"final {stage} {number if stage == 'seed' else 0}", self.candidate)
        name = final_name(self.candidate, self.key, stage, number)
        return FinalTraining(name, self.candidate, self.genome, stage, number, seed, recipe, fit_on)


def best_trial(
    trials: Sequence[FinalTraining], results: Mapping[str, Mapping[str, Any]], metric: str, direction: str
) -> FinalTraining | None:
    """The trial whose network is best on the validation examples; of equal ones the first. None: all have failed."""
    sign = -1 if direction == "maximize" else 1
    able = [trial for trial in trials if results[trial.name]["status"] == "ok"]
    return min(able, key=lambda trial: sign * results[trial.name]["metrics"][f"valid[{metric}]"], default=None)
