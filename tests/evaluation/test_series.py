"""Series: forecasts and classes of windows, parts in time, and a baseline that every reader of a run sees."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import evonas
from evonas.cli import main
from evonas.config import PartConfig
from evonas.config.options import construct
from evonas.errors import UserError
from evonas.exporters.shipment import shipment
from evonas.report.card import Exported, card
from evonas.run_identity.describing import describe_task
from evonas.runs.rebuild import task_of
from evonas.spaces.unit_network import from_starts
from evonas.tasks import TASKS, Task
from evonas.tasks.data_record.describing import data_record
from evonas.tasks.data_record.prepare import finish_of, prepare_of
from evonas.tasks.data_record.record import DataRecord
from evonas.tasks.series.forecasting import seasonal_naive
from evonas.tasks.series.table import Series
from evonas.tasks.series.windows import Place
from evonas.testing import check_task

ROWS = 200


def two_seasons(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """Hours with a day and a week in them, and noise; `plan` makes the load higher when it comes."""
    t, random = np.arange(rows), np.random.default_rng(seed)
    plan = (random.random(rows) < 0.2).astype(float)
    load = 50 + 10 * np.sin(t * 2 * np.pi / 24) + 5 * np.sin(t * 2 * np.pi / 168) + 8 * plan + random.normal(0, 1, rows)
    hours = pd.date_range("2024-01-01", periods=rows, freq="h")
    return pd.DataFrame({"hour": hours, "load": load, "wind": random.normal(size=rows), "plan": plan, "cost": 2 * load})


def made(table: pd.DataFrame, folder: Path, **options: Any) -> Task:
    table.to_csv(folder / "hours.csv", index=False)
    given = {"kind": "series", "path": str(folder / "hours.csv"), "targets": ["load"], "context": 12, "horizon": 3}
    return construct(TASKS, PartConfig.model_validate({**given, **options}), "task")


@pytest.mark.parametrize("options", [{}, {"known": ["plan"], "covariates": ["wind"], "targets": ["load", "cost"]}])
def test_a_forecast_keeps_the_contract_of_a_task_and_ships_without_its_data(options: Any, tmp_path: Path) -> None:
    task = made(two_seasons(), tmp_path, time="hour", season=24, metrics=["mae", "mase", "smape", "rmse"], **options)
    check_task(task)
    assert task.overlap == 12 + 3, "so many windows one after another share rows"
    record = DataRecord.model_validate_json(data_record(task).model_dump_json())
    again, finish = prepare_of(record), finish_of(record)
    assert again is not None
    assert finish is not None
    x, y = (torch.from_numpy(part) for part in task.splits.test.read(np.arange(5)))
    assert torch.equal(again(x), task.prepare(x))
    values = finish(y)
    assert values.shape == (5, len(task.finish.mean), 3)
    assert torch.allclose(finish.undone(values), y, atol=1e-6)


def test_windows_and_what_follows_them_are_the_rows_of_the_table(tmp_path: Path) -> None:
    """Of rows 0 to 199, 140 are of training; a validation window looks back and forecasts rows 140 and on."""
    table = two_seasons()
    table["load"] = np.arange(ROWS) * 1.0
    task = made(table, tmp_path, time="hour")
    train, valid, test = (np.concatenate([s.x[:, 0], _values(task, s.y)[:, 0]], 1) for s in task.splits.parts.values())
    assert np.allclose(train[0], np.arange(15))
    assert np.allclose(train[-1], np.arange(125, 140), atol=1e-3)
    assert np.allclose(valid[0], np.arange(128, 143), atol=1e-3)
    assert np.allclose(valid[-1, -1], 169)
    assert np.allclose(test[0, -3:], [170, 171, 172], atol=1e-3)
    assert np.allclose(test[-1, -1], 199)
    assert [len(part) for part in (train, valid, test)] == [126, 28, 28]


def _values(task: Task, y: np.ndarray) -> np.ndarray:
    return task.finish(torch.from_numpy(y)).numpy()


def test_the_metrics_are_those_of_the_papers(tmp_path: Path) -> None:
    """By hand, in the units of the table, of the seasonal naive forecast."""
    table = two_seasons()
    task = made(table, tmp_path, season=24, metrics=["mae", "mase", "smape", "rmse"])
    load = table["load"].to_numpy()
    first = np.arange(140, 168)[:, None] + np.arange(3)
    actual, naive = load[first], load[first - 24]
    error, scale = np.abs(actual - naive), np.abs(load[24:140] - load[:116]).mean()
    ((name, found),) = task.baselines.items()
    assert name == "seasonal naive (24 rows)"
    by_hand = [error.mean(), error.mean() / scale, (200 * error / (actual + naive)).mean(), np.sqrt((error**2).mean())]
    assert [found[key] for key in ("mae", "mase", "smape", "rmse")] == pytest.approx(by_hand, rel=1e-5)
    later = np.arange(170, 198)[:, None] + np.arange(3)
    assert found["test[mae]"] == pytest.approx(np.abs(load[later] - load[later - 24]).mean(), rel=1e-5)


def test_beyond_a_season_the_naive_forecast_repeats_it(tmp_path: Path) -> None:
    counting = Series("", np.arange(20.0)[:, None], np.arange(20))
    assert seasonal_naive([Place(counting, np.array([10, 12]))], 1, 5, season=2).tolist() == [
        [[8, 9, 8, 9, 8]],
        [[10, 11, 10, 11, 10]],
    ]
    table = two_seasons()
    table["load"] = np.tile([1.0, 2.0], ROWS // 2)
    table.loc[0, "load"] = 1.5  # else its error in training is 0, and mase is refused
    assert made(table, tmp_path, season=2, metrics=["mae", "mase"]).baselines["seasonal naive (2 rows)"]["mae"] < 1e-6
    table.loc[0, "load"] = 1.0
    with pytest.raises(UserError, match=r"^task.metrics: mase divides by .* repeats itself exactly; leave mase out$"):
        made(table, tmp_path, season=2, metrics=["mase"])


def test_of_the_future_a_network_sees_what_is_known_and_nothing_else(tmp_path: Path) -> None:
    task = made(two_seasons(), tmp_path, covariates=["wind"], known=["plan"])
    x = torch.from_numpy(task.splits.valid.x[:4])
    seen = task.prepare(x)
    assert seen.shape == (4, 4, 15)
    assert seen[:, :2, 12:].abs().max() == 0
    assert seen[:, 2, 12:].abs().max() > 0
    assert seen[:, 3].tolist() == [[0.0] * 12 + [1.0] * 3] * 4
    spoilt = x.clone()
    spoilt[:, :2, 12:] = torch.nan
    assert torch.equal(task.prepare(spoilt), seen)


class Nothing(torch.nn.Module):
    """(n, outputs) zeros: no difference from where a forecast starts."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.new_zeros(len(x), self.outputs)


@pytest.mark.parametrize("known", [[], ["plan"]])
@pytest.mark.parametrize(("context", "season", "horizon", "naive"), [(48, 24, 30, 24), (6, 4, 9, 1), (12, 1, 3, 1)])
def test_no_difference_is_the_naive_forecast(
    context: int, season: int, horizon: int, naive: int, known: list[str], tmp_path: Path
) -> None:
    """Of the season where the context reaches back so far, else of the last value."""
    own = {"targets": ["load", "cost"], "known": known, "context": context, "horizon": horizon}
    task = made(two_seasons(), tmp_path, **own, season=season, differences=True)
    last = made(two_seasons(), tmp_path, **own, season=naive)
    x, y = task.splits.valid.read(np.arange(len(task.splits.valid)))
    forecast = from_starts(Nothing(task.spec.outputs), task.spec.starts)(task.prepare(torch.from_numpy(x)))
    found = task.metrics["mae"].statistics(forecast, torch.from_numpy(y)).mean()
    assert float(found) == pytest.approx(next(iter(last.baselines.values()))["mae"], rel=1e-5)
    assert any("learn the difference from" in note for note in task.notes)


def test_differences_are_learned_where_the_naive_forecast_is_better_than_the_mean(tmp_path: Path) -> None:
    assert made(two_seasons(), tmp_path, season=24, context=24).spec.starts
    assert not made(two_seasons(), tmp_path, season=24, context=24, differences=False).spec.starts
    noise = two_seasons().assign(load=lambda table: table["wind"])
    assert not made(noise, tmp_path).spec.starts
    spec = made(two_seasons(), tmp_path, season=24, context=24).spec
    assert task_of({"task": json.loads(json.dumps(describe_task(spec)))}) == spec


def test_several_series_are_cut_at_the_same_times(tmp_path: Path) -> None:
    long = [two_seasons(rows, seed).assign(shop=f"shop {seed}") for seed, rows in enumerate((200, 200, 8))]
    table = pd.concat(long).sample(frac=1, random_state=0).sort_values("hour", kind="stable")  # in long format
    task = made(table, tmp_path, time="hour", group="shop")
    assert [len(split) for split in task.splits.parts.values()] == [252, 56, 56]
    assert "1 series are left out, for they are shorter than 15 rows" in task.notes


def test_gaps_are_filled_with_what_was_known_and_said(tmp_path: Path) -> None:
    table = two_seasons()
    table.loc[5:6, "load"] = np.nan
    task = made(table, tmp_path)
    assert task.splits.train.x[0, 0, 4:7].tolist() == [np.float32(table["load"][4])] * 3
    assert "gaps are filled with the value before them: load (2)" in task.notes


def test_months_are_equal_steps(tmp_path: Path) -> None:
    table = two_seasons(80).assign(hour=pd.date_range("2015-01-31", periods=80, freq="ME").date)
    assert len(made(table, tmp_path, time="hour", horizon=1).splits.train) == 44


@pytest.mark.parametrize("whole", [True, False])
def test_windows_with_classes(whole: bool, tmp_path: Path) -> None:
    """Of whole series, each of which is in one part, or of the last row of a window."""
    parts = [two_seasons(40, seed).assign(who=seed, state="up" if seed % 2 else "down") for seed in range(10)]
    table = pd.concat(parts)
    if not whole:
        table["state"] = np.where(table["load"] > 50, "high", "low")
    given = {"target": "classes", "label": "state", "targets": ["load", "wind"], "group": "who", "context": 8}
    task = made(table, tmp_path, **given, valid_fraction=0.2, test_fraction=0.2)
    check_task(task)
    assert task.classes == (("down", "up") if whole else ("high", "low"))
    assert task.spec.input_shape == (2, 8)
    assert task.overlap > 1
    assert list(task.baselines) == ["majority class"]
    if whole:
        assert [len(split) for split in task.splits.parts.values()] == [54, 18, 18]
    else:
        last = task.splits.test.x[:, 0, -1]
        assert (task.splits.test.y == (last <= 50)).all()


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "column": ({"targets": ["lod"]}, r"task\.targets: unknown 'lod'; did you mean 'load'\? \(known: cost, hour"),
    "twice": ({"covariates": ["load"]}, r"task\.covariates: load is named in task\.targets already; name it once"),
    "short": ({"context": 500}, r"task\.path: the longest series has 200 rows, and a window takes 503 \(500 \+ 3\)"),
    "no part": ({"horizon": 40}, r"task: no window fits into valid: a window takes 52 \(12 \+ 40\), of which 40 in"),
    "season": ({"season": 150}, r"task\.season: 150 rows are no season of 140 training rows; give a shorter one"),
    "label": ({"target": "classes"}, r"task\.label: target: classes takes the column of classes"),
    "text time": ({"time": "note"}, r"task\.time: note must hold dates as 2024-12-31 or .*; row 1 has 'a'"),
    "text": ({"targets": ["note"]}, r"task\.targets: the column note must hold numbers; row 1 has 'a'"),
    "metric": ({"metrics": ["mas"]}, r"task\.metrics: unknown 'mas'; did you mean 'mase'\?"),
    "constant": ({"targets": ["one"]}, r"task\.targets: one is 1 in all training rows, so there is nothing to"),
    "constant beside": ({"targets": ["load", "one"]}, r"task\.targets: one is 1 in all training rows, so there is"),
    "constant of classes": (
        {"target": "classes", "label": "plan", "targets": ["load", "one"]},
        r"task\.targets: one is 1 in all rows, which tells no class; leave it out",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_forecast_is_one_line(case: str, tmp_path: Path) -> None:
    options, line = BAD[case]
    with pytest.raises(UserError, match=f"^{line}"):
        made(two_seasons().assign(note="a", one=1.0), tmp_path, **options)


def test_times_that_are_out_of_order_there_twice_or_missing(tmp_path: Path) -> None:
    table = two_seasons()
    swapped, twice, gap, near = (table.copy() for _ in range(4))
    swapped.loc[[3, 4], "hour"] = table["hour"][[4, 3]].to_numpy()
    twice.loc[3, "hour"] = table["hour"][2]
    near.loc[3, "hour"] += pd.Timedelta(minutes=-5)
    lines = {
        r"the rows are not in the order of hour: .*04:00:00 stands before .*03:00:00; sort the table by it": swapped,
        r"two rows have the time 2024-01-01 02:00:00: keep one of them; name the column that tells": twice,
        r"there is a gap between 2024-01-01 08:00:00 and 2024-01-01 12:00:00, where 3 rows should be; add": gap.drop(
            [9, 10, 11]
        ),
        r"the steps are not equal: 2024-01-01 02:00:00 and 2024-01-01 02:55:00 are nearer than": near,
    }
    for line, wrong in lines.items():
        with pytest.raises(UserError, match=rf"^task\.time: {line}"):
            made(wrong, tmp_path, time="hour")


def task_metric(run: evonas.Run, network: torch.nn.Module) -> float:
    """The mean absolute error of a network on the test part, in the units of the table."""
    task = run.task()
    x, y = (torch.from_numpy(part) for part in task.splits.test.read(np.arange(len(task.splits.test))))
    with torch.inference_mode():
        return float((task.finish(network(task.prepare(x))) - task.finish(y)).abs().mean())


def test_a_run_shows_the_baseline_and_its_file_forecasts_in_the_units_of_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two_seasons().to_csv(tmp_path / "hours.csv", index=False)
    task = {"kind": "series", "path": str(tmp_path / "hours.csv"), "targets": ["load", "cost"], "known": ["plan"]}
    config = {
        "space": {"kind": "tcn", "widths": [4], "layers": [1, 1]},
        "task": {**task, "context": 24, "horizon": 2, "season": 24},
        "objectives": [{"metric": "mae"}, {"metric": "params"}],
        "strategy": {"kind": "random"},
        "training": {"epochs": 5, "optimizer": "adamw", "learning_rate": 0.02, "batch_size": 16},
        "budget": {"evaluations": 2},
        "runtime": {"kind": "serial"},
    }
    run = evonas.search(config, run=tmp_path / "run")
    line = next(text for text in run.remarks() if text.startswith("baseline"))
    assert line.startswith("baseline, without a network: seasonal naive (24 rows): mae ")
    candidate = int(run.front()["candidate"].iloc[0])
    own = shipment(run, candidate)
    x, y = run.task().splits.valid.read(np.arange(29))
    forecast = own.network(torch.from_numpy(x)).detach().numpy()
    actual = run.task().finish(torch.from_numpy(y)).numpy()
    recorded = run.evaluations.set_index("candidate")["mae"][candidate]
    assert forecast.shape == (29, 2, 2)
    assert np.abs(forecast - actual).mean() == pytest.approx(recorded, rel=1e-4)
    out = tmp_path / "load.pt2"
    capsys.readouterr()
    assert main(["export", str(run.folder), str(candidate), "--out", str(out)]) == 0
    assert main(["test", str(run.folder), "--file", str(out), "--format", "json"]) == 0
    printed = capsys.readouterr().out
    (tested,) = json.loads(printed[printed.index("[\n") if "[\n" in printed else printed.index("[{") :])
    own_test = task_metric(run, own.trained.network)
    assert tested["test[mae]"] == pytest.approx(own_test, rel=1e-4)
    text = card(run, candidate, Exported("a.pt2", "pt2", b"", own, "not"))
    assert "- Without a network, test: seasonal naive (24 rows): mae " in text
    assert "Its output is in the units of the data" in text
