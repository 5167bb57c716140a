"""`evonas cluster up` with a real head of Ray behind a stand-in for `kubectl port-forward`."""

from pathlib import Path

import pytest

from evonas.cli import main
from evonas.launch.state import read
from evonas.runs.run import Run
from tests.conftest import binaries  # noqa: F401 - a fixture
from tests.launch.stand_ins import stand_in, user  # noqa: F401 - a fixture
from tests.launch.test_programs import KUBECTL
from tests.test_submission import TOKEN, Head, head  # noqa: F401 - a fixture


@pytest.mark.slow
@pytest.mark.usefixtures("user")
def test_a_search_is_handed_over_and_shown_to_its_end(
    head: Head,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stand_in(tmp_path, monkeypatch, kubectl=KUBECTL)
    monkeypatch.setenv("API", head.url.rpartition(":")[2])
    auth = tmp_path / "home/.evonas-cluster/auth"
    auth.mkdir(parents=True)
    (auth / "token").write_text(TOKEN)
    small = ["runtime.workers=1", "runtime.gpus_per_worker=0", "runtime.cpus_per_worker=1"]
    words = ["cluster", "up", "kubernetes", "c.yaml", "--image", "me/evonas:9", "--run", str(tmp_path / "run")]
    words += [word for change in small for word in ("--set", change)]
    assert main([*words, "--yes"]) == 0
    out = capsys.readouterr().out
    assert "8 candidates evaluated" in out
    assert "evonas cluster down kubernetes" in out
    assert len(Run(tmp_path / "run").evaluations) == 8
    assert read(tmp_path / "cluster-kubernetes").tunnels == {}
    assert main(words) == 0
    assert "nothing is left to do" in capsys.readouterr().out
    assert main(["cluster", "status", "kubernetes"]) == 0
    assert "8 evaluated; front of " in capsys.readouterr().out
