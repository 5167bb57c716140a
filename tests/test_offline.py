"""What evonas opens connections for: nothing but what its config and its command line name."""

import os
import subprocess
from pathlib import Path

import pytest

from evonas.errors import UserError
from evonas.tasks import TASKS

WATCHED = """
import sys
from evonas.cli import main

def hear(event, words):
    if event in ("socket.connect", "socket.sendto") and isinstance(words[1], tuple):
        calls.append((event, words[1][0]))
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        calls.append((event, words[0]))

calls = []
sys.addaudithook(hear)
config = ["configs/digits.yaml", "--run", sys.argv[1]]
for change in ("budget.evaluations=2", "strategy.population=2", "training.epochs=1", "training.rungs=[]",
               "runtime.kind=serial", "objectives=[{metric: error}, {metric: params}]"):
    config += ["--set", change]
assert main(["search", *config]) == 0
assert main(["report", sys.argv[1]]) == 0
outside = [call for call in calls if call[1] not in ("localhost", "127.0.0.1", "::1", "", None)]
print("outside:", outside)
"""


def test_a_search_and_its_report_ask_nobody_for_anything(binaries: Path, tmp_path: Path) -> None:
    words = [str(binaries / "run-code"), WATCHED, str(tmp_path / "run")]
    done = subprocess.run(words, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("outside: []\n"), done.stdout[-500:]


def test_a_data_set_that_is_not_here_and_no_network_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setitem(os.environ, "HF_HOME", str(tmp_path))
    with pytest.raises(
        UserError, match=r"^task\.name: cannot load 'nobody/nothing': .*; without a network: HF_HOME with"
    ):
        TASKS["huggingface"](name="nobody/nothing")
