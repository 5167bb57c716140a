"""How often kubectl is asked, which may sign in anew for each question: once for what no line has changed since."""

from collections import Counter
from pathlib import Path

import pytest

from evonas.cli import main
from tests.launch.namespaces import Namespaces, namespaces  # noqa: F401 - a fixture
from tests.launch.stand_ins import user  # noqa: F401 - a fixture

UP = ["cluster", "up", "kubernetes", "--image", "me/evonas:9", "--yes"]
IS_THERE = "get raycluster/evonas --ignore-not-found -o name"


def _asked(line: list[str], told: Path) -> Counter[str]:
    """The questions of a line, and how often it has put each."""
    told.unlink()
    assert main(line) == 0
    words = (line.partition("--namespace=a ")[2] for line in told.read_text().splitlines())
    return Counter(word for word in words if word)


@pytest.mark.parametrize(("action", "often"), [("status", 2), ("down --dry-run", 2), ("down --yes", 5)])
def test_nothing_is_asked_twice_of_what_is_as_it_was(
    action: str,
    often: int,
    namespaces: Namespaces,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`down` looks before it asks, when it is told to go on, when the pods have gone, and at the end."""
    assert main(UP) == 0
    name, *words = action.split()
    asked = _asked(["cluster", name, "kubernetes", *words], tmp_path / "told")
    assert asked[IS_THERE] >= 1
    assert max(asked.values()) <= often
