"""Launch files of Kubernetes that were changed by hand, by the command: one line, before anything."""

from pathlib import Path

import pytest
import yaml

from evonas.cli import main
from tests.launch.stand_ins import stand_in, user  # noqa: F401 - a fixture
from tests.launch.test_programs import KUBECTL
from tests.test_kubernetes import built

WHOLE = yaml.safe_dump_all(built("eks"))
REFUSED = {
    "node.kubernetes.io/instance-type: g6.xlarge": (
        "node.kubernetes.io/instance-type: p5.48xlarge",
        "spot-l4 selects node.kubernetes.io/instance-type: p5.48xlarge, and its label evonas-node-type, by which its pri",
    ),
}


@pytest.fixture
def copy(user: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    """Of the launch file, which is not there yet."""
    stand_in(user, monkeypatch, kubectl=KUBECTL)
    (user / "cluster-kubernetes").mkdir()
    return user / "cluster-kubernetes/my-cluster.yaml"


@pytest.mark.parametrize("text", REFUSED)
def test_a_launch_file_that_is_not_as_it_should_be_is_refused(
    text: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new, expected = REFUSED[text]
    assert text in WHOLE
    copy.write_text(WHOLE.replace(text, new))
    assert main(["cluster", "up", "kubernetes", "--platform", "eks", "--dry-run"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line
