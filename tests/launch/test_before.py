"""What `evonas cluster up` sends with a search, and what is said of it before anything costs."""

from pathlib import Path

import pytest

from evonas.cli import main
from evonas.launch.order import WORKERS, Order
from evonas.launch.state import State
from tests.launch.stand_ins import stand_in, user  # noqa: F401 - a fixture

CONFIGS = Path(__file__).parents[2] / "configs"


def _sent(config: str, *overrides: str) -> tuple[str, ...]:
    order = Order("aws", "", Path("none"), State(), {}, config, overrides)
    return order.with_defaults(max_workers=WORKERS, gpus_per_worker=1)[len(overrides) :]


@pytest.mark.parametrize("name", ["digits", "fashion_mnist", "cifar10"])
def test_a_config_that_leaves_the_workers_open_gets_those_of_the_dry_run(name: str) -> None:
    path = str(CONFIGS / f"{name}.yaml")
    assert "runtime.max_workers=16" in _sent(path)
    assert "runtime.max_workers=16" not in _sent(path, "runtime.workers=3")
    assert "runtime.max_workers=16" not in _sent(path, "runtime.max_workers=3")


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize(
    ("override", "expected"),
    [("runtime.kind=serial", "give --set runtime.kind=ray"), ("strategy.populaton=4", "populaton")],
)
@pytest.mark.parametrize("cloud", ["aws", "slurm"])
def test_what_submit_would_refuse_is_refused_before(
    cloud: str, override: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cluster", "up", cloud, "c.yaml", "--set", override, "--dry-run"]) == 2
    assert expected in capsys.readouterr().err


@pytest.mark.usefixtures("user")
def test_more_workers_than_machines_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    line, said = ["cluster", "up", "aws", "c.yaml", "--dry-run", "--set", "runtime.workers=40"], "allows 18 machines"
    assert main(line) == 0
    assert said in capsys.readouterr().out
    assert main([*line, "--set", "runtime.gpus_per_worker=0.125"]) == 0  # five machines
    assert said not in capsys.readouterr().out


def test_up_itself_starts_nothing_of_a_search_that_submit_would_refuse(
    user: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = stand_in(user, monkeypatch, sbatch="", squeue="", scancel="")
    assert main(["cluster", "up", "slurm", "c.yaml", "--yes", "--set", "runtime.kind=serial"]) == 2
    assert "give --set runtime.kind=ray" in capsys.readouterr().err
    assert told.lines() == []
