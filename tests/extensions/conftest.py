"""A user's files in a folder of their own, and evonas as it was behind each test."""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evonas.evaluation.learners import LEARNERS
from evonas.exporters import EXPORTERS
from evonas.objectives.metrics import METRICS
from evonas.spaces import SPACES
from evonas.strategies import STRATEGIES
from evonas.tasks import TASKS

REGISTRIES = (SPACES, TASKS, STRATEGIES, LEARNERS, METRICS, EXPORTERS)
USER = Path(__file__).parent / "user"
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Copies a user's file, or an example, to a folder that nothing is imported from, and gives its path."""
    registered, modules, path = [dict(registry) for registry in REGISTRIES], set(sys.modules), list(sys.path)

    def copied(name: str) -> Path:
        (tmp_path / "user").mkdir(exist_ok=True)
        return Path(shutil.copy((USER if (USER / name).exists() else EXAMPLES) / name, tmp_path / "user"))

    yield copied
    sys.path[:] = path
    for name in {file.stem for folder in (USER, EXAMPLES) for file in folder.glob("*.py")} & (
        set(sys.modules) - modules
    ):
        del sys.modules[name]
    for registry, before in zip(REGISTRIES, registered, strict=True):
        registry.clear()
        registry.update(before)  # type: ignore[arg-type]
