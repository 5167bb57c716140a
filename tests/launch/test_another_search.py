"""`evonas cluster up` starts nothing for a search that its run folder is sure to refuse."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from evonas.cli import main
from evonas.config.loading import load_config
from evonas.errors import UserError
from evonas.launch import before
from evonas.launch.slurm import provider as slurm
from evonas.run_identity.checking import check_config
from evonas.run_identity.describing import describe
from evonas.start import prepare
from evonas.store import open_folder
from evonas.store.description import create_run
from evonas.submit.staging import check
from tests.launch.stand_ins import Told, stand_in, user  # noqa: F401 - a fixture
from tests.launch.test_programs import KUBECTL, SLURM
from tests.launch.ups import Ups, on  # noqa: F401 - a fixture
from tests.test_object_store import server  # noqa: F401 - a fixture

OTHER = {
    "seed=7": "holds another search: seed is 0 there, 7 here; give another --run, or the config of that run\n",
    "training.epochs=2": "holds another search: training.epochs is 1 there, 2 here; give another --run, or the conf",
    "training.learning_rate=0.5": "holds another search: training.learning_rate is 0.1 there, 0.5 here; give",
    "space.stages=2": "holds another search: space.stages is 1 there, 2 here; give another",
}
UP = {
    "slurm": ["cluster", "up", "slurm", "c.yaml", "--yes"],
    "kubernetes": ["cluster", "up", "kubernetes", "c.yaml", "--image=me/evonas:9", "--yes"],
}


def _begin(run: str | Path, config: str | dict[str, Any] = "c.yaml", *overrides: str) -> None:
    """As a search begins that is killed at once."""
    prepared = prepare(config, overrides=overrides, run=run)
    if "://" not in str(run):
        Path(run).mkdir(parents=True)
    create_run(open_folder(run), describe(prepared.components))


@pytest.fixture
def told(user: Path, monkeypatch: pytest.MonkeyPatch) -> Told:  # noqa: F811
    monkeypatch.setattr(slurm.Slurm.__init__, "__defaults__", (_interrupted,))  # it waits for no job
    return stand_in(user, monkeypatch, kubectl=KUBECTL, **SLURM)


def _interrupted(_: float) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("cloud", UP)
def test_a_folder_of_another_search_starts_nothing(
    cloud: str, told: Told, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _begin(run := tmp_path / "runs/one")
    for more, said in OTHER.items():
        for dry in ([], ["--dry-run"]):
            assert main([*UP[cloud], "--run", str(run), "--set", more, *dry]) == 2
            assert f"evonas: {run} {said}" in capsys.readouterr().err
    assert [*told.lines("sbatch"), *told.lines("create"), *told.lines("apply")] == []


@pytest.mark.usefixtures("told")
def test_a_folder_that_no_search_can_have_starts_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "damaged"
    run.mkdir()
    open_folder(run).create("run.json", b"{")
    assert main([*UP["slurm"], "--run", str(run)]) == 2
    assert f"{run}/run.json is damaged: it is not JSON; restore it from a copy" in capsys.readouterr().err
    assert main([*UP["slurm"], "--run", str(tmp_path)]) == 2
    assert f"{tmp_path} is neither empty nor a run folder; give another --run" in capsys.readouterr().err


@pytest.mark.skipif(not (find_spec("s3fs") and find_spec("moto")), reason="needs s3fs and moto")
def test_so_it_is_in_a_bucket_of_which_a_dry_run_asks_nothing(
    server: None,  # noqa: F811
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    _begin("s3://bucket/another")
    open_folder("s3://bucket/broken").create("run.json", b"{")
    for run, said in (("another", OTHER["seed=7"]), ("broken", "is damaged: it is not JSON; restore it from a copy\n")):
        assert main([*UP["kubernetes"], "--run", f"s3://bucket/{run}", "--set", "seed=7"]) == 2
        assert said in capsys.readouterr().err
    assert told.lines("apply") == []
    monkeypatch.setattr(before, "open_folder", lambda run: pytest.fail(f"{run} is asked for"))
    assert (
        main([*UP["kubernetes"], "--run", "s3://bucket/another", "--set", "seed=7", "--dry-run", "--platform=eks"]) == 0
    )


@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_the_bucket_of_the_account_is_looked_at_by_the_first_line_of_a_colleague(
    cloud: str,
    on: Callable[[str], Ups],  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = list[str]()
    monkeypatch.setattr(before, "open_folder", lambda run: open_folder(asked.append(run) or tmp_path / "there"))
    _begin(tmp_path / "there", "c.yaml", "seed=3")
    ups = on(cloud)
    assert ups.up("c.yaml") == 2
    assert "holds another search: seed is 3 there, 0 here" in capsys.readouterr().err
    assert {*asked} == {{"aws": "s3://evonas-123456789012-us-west-2/c", "gcp": "gs://my-project-evonas/c"}[cloud]}
    assert (ups.started, ups.folder.exists()) == (0, False)


def test_what_a_task_recommends_and_data_that_have_moved_are_no_other_search(tmp_path: Path) -> None:
    table = "a,b,y\n" + "".join(f"{i},{-i},{i % 2}\n" for i in range(60))
    for name in ("then.csv", "now.csv"):
        (tmp_path / name).write_text(table)
    config: dict[str, Any] = {
        "space": {"kind": "mlp"},
        "task": {"kind": "table", "path": str(tmp_path / "then.csv"), "label": "y"},
        "objectives": [{"metric": "error"}, {"metric": "params"}],
        "training": {"epochs": 1},
        "budget": {"evaluations": 2},
    }
    _begin(run := tmp_path / "run", config)
    for override, difference in (
        (f"task.path={tmp_path / 'now.csv'}", ""),
        ("budget.evaluations=9", ""),
        ("training.optimizer=sgd", "training.optimizer is adamw there, sgd here"),
    ):
        given = load_config(config, [override])
        if difference:
            with pytest.raises(UserError, match=difference):
                check_config(open_folder(run), given, check(given))
        else:
            check_config(open_folder(run), given, check(given))
