"""What a task recommends for its training, where a config does not say."""

from collections.abc import Mapping
from typing import Any

from evonas.config.config import Config
from evonas.config.messages import validated
from evonas.config.training import TrainingConfig
from evonas.did_you_mean import unknown
from evonas.errors import UserError

OF_THE_OPTIMIZER = ("optimizer", "learning_rate", "momentum", "weight_decay")
"""Keys that belong together: a learning rate of one optimiser is wrong for another."""
OF_THE_SEARCH = (
    "epochs",
    "rungs",
    "promote",
    "before",
    "supernet",
    "stopping",
    "checkpoints_mb",
    "precision",
    "graph",
    "threads",
)
"""Keys that are no matter of the data."""


def with_recipe(config: Config, recipe: Mapping[str, Any], recorded: Mapping[str, Any] | None = None) -> Config:
    """A config whose training is as a task recommends, in the keys that it does not set itself.

    Those of the optimiser are one: a config that names another optimiser, or a learning rate or momentum without one,
    takes none of them.

    Args:
        config: with what its source sets.
        recipe: keys of `training` and their values.
        recorded: `training` of the run that goes on, which trained by what was recommended when it began.

    Raises:
        UserError: the recipe has a key or value that `training` does not take.
    """
    for key in recipe:
        if key not in TrainingConfig.model_fields or key in OF_THE_SEARCH:
            known = [name for name in TrainingConfig.model_fields if name not in OF_THE_SEARCH]
            raise UserError(f"task {config.task.kind}: recipe: {unknown(key, known)}")
    taken = {key: value for key, value in recipe.items() if key in _free(config.training, recipe)}
    if not taken:
        return config
    if recorded is not None:
        taken = {key: recorded[key] for key in taken if key in recorded}
    own = config.training.model_dump(exclude_unset=True)
    training = validated(TrainingConfig, {**own, **taken}, f"task {config.task.kind}: recipe")
    return config.model_copy(update={"training": training})


def recommended(before: Config, after: Config) -> dict[str, Any]:
    """The keys of `training` that a recipe has set, with their values."""
    keys = after.training.model_fields_set - before.training.model_fields_set
    return {key: getattr(after.training, key) for key in TrainingConfig.model_fields if key in keys}


def in_words(recipe: Mapping[str, Any]) -> str:
    """Keys and values on one line, as YAML has them."""
    return ", ".join(
        f"{key}: {value:g}" if isinstance(value, float) else f"{key}: {value}" for key, value in recipe.items()
    )


def _free(training: TrainingConfig, recipe: Mapping[str, Any]) -> set[str]:
    """Keys of a recipe that a config leaves to it."""
    own = training.model_fields_set
    agreed = "optimizer" in own and training.optimizer == recipe.get("optimizer")
    bound = not agreed and bool(own & {"optimizer", "learning_rate", "momentum"})
    return {key for key in recipe if key not in own and not (bound and key in OF_THE_OPTIMIZER)}
