"""Whether two configs are of the same search."""

from collections.abc import Callable, Mapping
from typing import Any

from evonas.config import ENDPOINT_KEYS, LATER_TRAINING_KEYS, MUTABLE_SECTIONS, PLACES, TrainingConfig
from evonas.config.options import with_defaults
from evonas.evaluation.learners import LEARNERS
from evonas.spaces import SPACES
from evonas.strategies import STRATEGIES
from evonas.tasks import TASKS

PARTS: dict[str, Mapping[str, Callable[..., Any]]] = {
    "space": SPACES,
    "task": TASKS,
    "strategy": STRATEGIES,
    "learner": LEARNERS,
}


def different_key(recorded: Mapping[str, Any], wanted: Mapping[str, Any], path: str = "") -> str:
    """The first key that has another value; MUTABLE_SECTIONS and the places of targets may."""
    for key in dict.fromkeys((*recorded, *wanted)):
        have, want = recorded.get(key), wanted.get(key)
        if have == want or path + key in MUTABLE_SECTIONS or (path.startswith("targets.") and key in ENDPOINT_KEYS):
            continue
        if not (isinstance(have, Mapping) and isinstance(want, Mapping)):
            return f"{path}{key} is {have} there, {want} here"
        if difference := different_key(have, want, f"{path}{key}."):
            return difference
    return ""


def resolved(config: Mapping[str, Any]) -> dict[str, Any]:
    """With the options that its parts have by default, whether they are given or not, and keys of `training` that are
    younger than the config; without the place of the supernet, whose content is compared."""
    default = TrainingConfig()
    keys = (*LATER_TRAINING_KEYS, *default.unused)
    later = {key: getattr(default, key) for key in keys if key not in ("augment", "supernet")}
    parts = {name: with_defaults(PARTS[name], own) if name in PARTS else own for name, own in config.items()}
    if "task" in parts:
        kept_out = PLACES.get(parts["task"].get("kind", ""), ())
        parts["task"] = {key: value for key, value in parts["task"].items() if key not in kept_out}
    if "training" not in config:
        return parts
    augment = {**default.augment.model_dump(mode="json"), **config["training"].get("augment", {})}
    own = {key: value for key, value in config["training"].items() if key != "supernet"}
    return {**parts, "training": {**later, **own, "augment": augment}}
