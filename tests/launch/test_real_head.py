"""`evonas cluster up` with a real head of Ray behind a stand-in for `kubectl port-forward`."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evonas.cli import main
from evonas.launch.state import read
from evonas.runs.run import Run
from tests.conftest import binaries  # noqa: F401 - a fixture
from tests.launch.stand_ins import stand_in, user  # noqa: F401 - a fixture
from tests.launch.test_programs import KUBECTL
from tests.test_submission import GATED_SPACE, ROOT, TOKEN, Head, head, listens  # noqa: F401 - a fixture

MOUNTED = (
    'sed -e "s|mountPath: /dev/shm|mountPath: $HERE|" '
    "-e 's|emptyDir: {medium.*}}|persistentVolumeClaim: {claimName: c}}|'"
)
"""A volume of the head's pod for a run folder in the folder of the test."""
WITH_VOLUME = KUBECTL.replace('cat "${2%', MOUNTED + ' "${2%')


@pytest.mark.slow
@pytest.mark.usefixtures("user")
def test_a_search_is_handed_over_and_shown_to_its_end(
    head: Head,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stand_in(tmp_path, monkeypatch, kubectl=WITH_VOLUME)
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


@pytest.mark.slow
def test_a_search_that_its_money_and_then_the_line_of_up_have_stopped_goes_on_with_the_same_result(
    head: Head,  # noqa: F811
    user: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A cent a second; a shell is given the lines as they are printed, with no token in its environment."""
    stand_in(user, monkeypatch, kubectl=WITH_VOLUME)
    monkeypatch.setenv("API", head.url.rpartition(":")[2])
    monkeypatch.setenv("PATH", f"{user / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", ROOT)
    auth = user / "home/.evonas-cluster/auth"
    auth.mkdir(parents=True)
    (auth / "token").write_text(TOKEN)
    (user / "gated_space.py").write_text(GATED_SPACE)
    gate, run = user / "gate", user / "run"
    search = ["c.yaml", "--import", "gated_space", "--set", f"space={{kind: gated, gate: {gate}}}"]
    small = ["workers=1", "gpus_per_worker=0", "cpus_per_worker=1", 'prices={"*": 36}']
    up = ["cluster", "up", "kubernetes", *search, "--image", "me/evonas:9", "--run", str(run), "--yes"]
    up += [f"--set=runtime.{change}" for change in small]

    def lines(*words: str) -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, "-m", "evonas", *words], stdout=subprocess.PIPE, text=True)

    gate.write_text("1000")
    gate.with_suffix(".built").touch()  # by none, where the money is used up before
    out, _ = lines(*up, "--set=budget.usd=0.01").communicate()
    assert "the budget of $0.01 is used up" in out
    gate.write_text(str(gate.with_suffix(".built").stat().st_size + 4))
    with lines(*up, "--set=budget.usd=1000") as shown:
        assert shown.stdout
        assert any(" evaluated, " in line for line in iter(shown.stdout.readline, ""))
        before = len(Run(run).evaluations)
        shown.send_signal(signal.SIGINT)
        out = shown.stdout.read()
        assert shown.wait() == 130
    forward, stop = re.findall(r"^to stop it: open the tunnel again, `(.*)`, and meanwhile: (.*)$", out, re.M)[0]
    assert read(user / "cluster-kubernetes").tunnels == {}
    with subprocess.Popen(["sh", "-c", f"exec {forward}"]) as tunnel:
        while not listens(int(stop.rpartition(":")[2])):
            assert tunnel.poll() is None
            time.sleep(0.1)
        stopped = subprocess.run(["sh", "-c", stop], capture_output=True, text=True, check=False)
        tunnel.terminate()
    assert stopped.returncode == 0, stopped.stderr
    assert Run(run).state.startswith("stopped")
    assert before <= len(Run(run).evaluations) < 8
    gate.write_text("1000")
    out, _ = lines(*up, "--set=budget.usd=1000").communicate()
    assert "was stopped; going on from there" in out
    assert "8 candidates evaluated" in out
    lines("search", *search, "--run", "whole", "--set=runtime.kind=serial").communicate()
    same = ["candidate", "genome", "error", "params", "status"]
    assert Run(run).evaluations[same].equals(Run("whole").evaluations[same])
    assert Run(run).money.usd > Run(run).evaluations["usd"].sum() > 0
