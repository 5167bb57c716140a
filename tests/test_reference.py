"""Each kind that comes with evonas is on the page of the reference that is of its registry."""

import inspect
import re
from pathlib import Path

import pytest

from evonas.evaluation.learners import LEARNERS
from evonas.spaces import SPACES
from evonas.strategies import STRATEGIES
from evonas.tasks import TASKS

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
PAGES = {"tasks": TASKS, "spaces": SPACES, "strategies": STRATEGIES, "evaluation": LEARNERS}


@pytest.mark.parametrize("page", PAGES)
def test_every_kind_of_a_registry_is_on_its_page(page: str) -> None:
    shown = set(re.findall(r"^::: ([\w.]+)$", (REFERENCE / f"{page}.md").read_text(), re.M))
    kinds = {kind: inspect.unwrap(made) for kind, made in PAGES[page].items() if made.__module__.startswith("evonas.")}
    assert kinds
    assert [kind for kind, made in kinds.items() if f"{made.__module__}.{made.__qualname__}" not in shown] == []
