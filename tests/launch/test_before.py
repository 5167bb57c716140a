"""What `evonas cluster up` sends with a search, and what is said of it before anything costs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from evonas.cli import main
from evonas.launch.order import WORKERS, Order
from evonas.launch.state import State
from tests.launch.stand_ins import stand_in, user  # noqa: F401 - a fixture
from tests.launch.test_programs import KUBECTL
from tests.launch.ups import Ups, on  # noqa: F401 - a fixture

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
@pytest.mark.parametrize(
    ("cloud", "workers", "runtime", "expected"),
    [
        ("aws", 19, {}, "allows 18 machines (max_workers), which hold 18 of them: each asks for 4 CPUs and 1 GPUs"),
        ("aws", 40, {"gpus_per_worker": 0.125, "cpus_per_worker": 1}, None),  # 4 x 8 and 14 x 4
        ("aws", 89, {"gpus_per_worker": 0.125, "cpus_per_worker": 1}, "which hold 88 of them"),
        ("aws", 19, {"gpus_per_worker": 0.125, "cpus_per_worker": 4}, None),  # 4 x 4 and 14
        (
            "aws",
            31,
            {"gpus_per_worker": 0.125, "cpus_per_worker": 4},
            "which hold 30 of them: each asks for 4 CPUs and 0",
        ),
        ("aws", 8, {"memory_mb_per_worker": 9000}, "nothing says the MB of memory of spot_l4, spot_a10g, spot_packed"),
        ("kubernetes", 24, {}, None),
        (
            "kubernetes",
            25,
            {},
            "the launch file allows 26 pods (maxReplicas), which hold 24 of them: each asks for 3 CPUs",
        ),
        (
            "kubernetes",
            33,
            {"gpus_per_worker": 0.1, "cpus_per_worker": 1, "memory_mb_per_worker": 20000},
            "hold 12 of th",
        ),
        ("slurm", 4, {}, "nothing says the CPUs of a node"),
        (
            "slurm",
            5,
            {},
            "5 workers are asked for, and the job has 4 nodes, which hold 4 of them: each asks for 1 CPUs and",
        ),
        ("slurm", "auto", {}, None),
    ],
)
def test_workers_are_counted_by_all_that_machines_have(
    cloud: str,
    workers: object,
    runtime: dict[str, float],
    expected: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By hand, of what cluster/aws.yaml, cluster/kuberay and cluster/slurm.sbatch say."""
    stand_in(tmp_path, monkeypatch, kubectl=KUBECTL.replace("overlays/eks", "overlays/*"))
    words = [f"--set=runtime.{name}={value}" for name, value in {"workers": workers, **runtime}.items()]
    bucket = ["--bucket", "mine"] if cloud == "kubernetes" else []
    assert main(["cluster", "up", cloud, "c.yaml", *bucket, *words, "--dry-run"]) == 0
    out = capsys.readouterr().out.partition("what it costs:")[2]
    if expected is None:
        assert ("workers are asked for" in out, "nothing says" in out) == (False, False)
    else:
        assert expected in out


def test_up_itself_starts_nothing_of_a_search_that_submit_would_refuse(
    user: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = stand_in(user, monkeypatch, sbatch="", squeue="", scancel="")
    assert main(["cluster", "up", "slurm", "c.yaml", "--yes", "--set", "runtime.kind=serial"]) == 2
    assert "give --set runtime.kind=ray" in capsys.readouterr().err
    assert told.lines() == []


def test_a_project_of_a_domain_is_refused_wherever_it_is_said(
    on: Callable[[str], Ups],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Ray's launcher would look for its account there by a name that it does not have."""
    ups = on("gcp")
    monkeypatch.setenv("CLOUDSDK_CORE_PROJECT", "example.com:my-project")
    assert ups.up() == 2
    assert "project 'example.com:my-project': a project's id is as my-project-123; Ray's" in capsys.readouterr().err
    assert not ups.told.lines(" create ") + ups.told.lines("enable")
