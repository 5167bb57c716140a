"""The learner of a search whose networks are trained to the end, and which options of `evonas train` reach it."""

from evonas.config import Config
from evonas.config.final import FinalConfig
from evonas.config.options import construct
from evonas.errors import UserError
from evonas.evaluation.learners import LEARNERS, Learner
from evonas.store import Folder
from evonas.text import counted

OURS = "scratch"
"""The learner whose trainings `evonas train` stretches, averages and teaches itself."""
UNTUNED = {"trials": 1, "average": 0.0}
"""Of a learner of the user's own, unless the line says otherwise."""


def own_learner(config: Config, folder: Folder) -> Learner | None:
    """How the candidates of a search got their weights, where that is no learner of evonas's; else None.

    Args:
        config: of the search.
        folder: its run folder, for people.

    Raises:
        UserError: it trains nothing, or the module that registers it has not been imported.
    """
    kind = config.learner.kind
    if kind == OURS:
        return None
    if kind not in LEARNERS:
        raise UserError(
            f"the learner {kind!r} of {folder} is not evonas's own: give the module that registers it by --import "
            f"(LEARNERS[{kind!r}] = ...), or from Python import it before"
        )
    learner = construct(LEARNERS, config.learner, "learner")
    if not learner.trains:
        raise UserError(f"learner {kind} of {folder} trains nothing; there is no recipe to begin with")
    return learner


def as_reached(final: FinalConfig, kind: str) -> FinalConfig:
    """How networks are trained to the end by a learner of the user's own.

    Args:
        final: as the line says.
        kind: of the learner.

    Raises:
        UserError: the line asks for what is done inside of evonas's own training loop.
    """
    for key, none in (("average", 0), ("distill", 0), ("processes", 1)):
        if key in final.model_fields_set and getattr(final, key) != none:
            raise UserError(
                f"{key}: learner {kind} has a training loop of its own, which that cannot reach: {key}={none}"
            )
    return final.model_copy(update={key: v for key, v in UNTUNED.items() if key not in final.model_fields_set})


def about_learner(final: FinalConfig, kind: str) -> str:
    """One line: who trains, and what of it can be tuned."""
    tuned = "learning_rate, weight_decay and augment"
    if final.trials > 1:
        return (
            f"by learner {kind}, as in the search; {counted(final.trials, 'recipe')} differ in {tuned} of `training` "
            "alone: in nothing, where it does not read these"
        )
    return f"by learner {kind}, as in the search: its own options are not tuned ({tuned} of `training`: trials=N)"
