"""The recipes that are tried for a network: that of the search, stretched, and others drawn around it.

Each is drawn from a stream of its own, so that a plan that goes on tries the same.
"""

import numpy as np

from evonas.config import TrainingConfig
from evonas.config.final import STRETCH, FinalConfig
from evonas.seeding import stream
from evonas.tasks.task import Task

RATE, DECAY = 10**0.6, 10.0
"""Learning rates are drawn up to so many times smaller and larger than that of the search, and weight decays."""
STRENGTHS = (0.0, 1.0, 2.0)
"""Of the augmentation, in multiples of that of the search; where it has none, of crops by a sixteenth of the side."""


def recipes(
    training: TrainingConfig, final: FinalConfig, task: Task, seed: int, candidate: int
) -> list[TrainingConfig]:
    """What to try for a network, the search's own recipe first.

    Args:
        training: of the search.
        final: how many, and how long.
        task: which augmentations are possible.
        seed: of the search.
        candidate: its number.
    """
    epochs = final.epochs or STRETCH * training.epochs
    own = training.model_copy(update={"epochs": epochs, "rungs": ()})
    found = [own]
    for trial in range(1, final.trials):
        random = stream(seed, f"final recipe {trial}", candidate)
        found.append(_drawn(own, task, random))
    return found


def _drawn(own: TrainingConfig, task: Task, random: np.random.Generator) -> TrainingConfig:
    rate = own.learning_rate * RATE ** random.uniform(-1, 1)
    decay = own.weight_decay * DECAY ** random.uniform(-1, 1)
    strength = float(random.choice(STRENGTHS))
    changed = {"learning_rate": _rounded(rate), "weight_decay": _rounded(decay), "augment": own.augment}
    if "crop" in task.effects:
        side = min(task.image_shape[1:])
        crop = own.augment.crop or max(1, side // 16)
        sizes = {"crop": min(side, round(strength * crop)), "cutout": min(side, round(strength * own.augment.cutout))}
        changed["augment"] = own.augment.model_copy(update=sizes)
    return own.model_copy(update=changed)


def _rounded(number: float) -> float:
    """Three digits, which is more than a recipe is sensitive to."""
    return float(f"{number:.3g}")
