"""Learners: how a candidate's network gets its weights, and how good it is then.

To add one: a file here and a line in LEARNERS, or a function that trains: `LEARNERS["mine"] = own_loop(train)`.
"""

from collections.abc import Callable

from evonas.evaluation.learners.cached import Cached
from evonas.evaluation.learners.learner import Learner, TrainingSetup
from evonas.evaluation.learners.none import NoTraining
from evonas.evaluation.learners.own_loop import own_loop
from evonas.evaluation.learners.scratch import FromScratch

LEARNERS: dict[str, Callable[..., Learner]] = {"scratch": FromScratch, "none": NoTraining}
"""Kind -> constructor, whose parameters are the options of a config's `learner` section."""

__all__ = ["LEARNERS", "Cached", "FromScratch", "Learner", "NoTraining", "TrainingSetup", "own_loop"]
