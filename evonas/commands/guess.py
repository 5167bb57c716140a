"""What a guess is, and names that say something of a column."""

from typing import Any, NamedTuple

MOST_CLASSES = 50
"""Whole numbers of more different values are taken for values to predict."""
LONGEST = 256
"""Characters: longer texts are cut to it at first, so that a first search takes minutes."""
CLASSES = "; task.target: classes predicts classes, with metric: error in the place of mse"
LABELS = ("label", "labels", "class", "target", "y", "category", "species", "diagnosis", "outcome")


class Guess(NamedTuple):
    """The section `task` of a config, and what was decided of it, a line each for people."""

    section: dict[str, Any]
    decisions: tuple[str, ...] = ()


def in_a_line(section: dict[str, Any]) -> str:
    """A section as a config has it."""
    import yaml

    return yaml.safe_dump(section, default_flow_style=True, sort_keys=False, width=10**6, allow_unicode=True).strip()
