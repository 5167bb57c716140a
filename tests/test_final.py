"""Networks trained to the end: chosen, trained, tested once, recorded once; the same line goes on."""

import io
import json
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pyarrow.parquet as pq
import pytest
import torch
from rich.console import Console
from torch import nn

import evonas
from evonas.analysis import main_metric
from evonas.cli import main
from evonas.commands.train import show_final
from evonas.config import TrainingConfig
from evonas.config.final import FinalConfig
from evonas.errors import UserError
from evonas.evaluation.batches.device_data import to_device
from evonas.evaluation.training.averaging import WeightAverage
from evonas.evaluation.training.data_parallel import DataParallel
from evonas.evaluation.training.distillation import Teacher
from evonas.final.choosing import chosen
from evonas.final.examining import examined, with_intervals
from evonas.final.frames import network_row
from evonas.final.options import final_options
from evonas.final.plan import FinalPlan, best_trial
from evonas.final.progress import FinalProgress
from evonas.final.recipes import recipes
from evonas.final.testing import look_at_networks
from evonas.final.train import _latencies, prepare_final, train
from evonas.records import Measurement
from evonas.report.data import document
from evonas.runs.run import Run
from evonas.spaces import SPACES
from evonas.store.final import KIND, TRAININGS, read_final, unheard, write_final
from evonas.store.opening import open_folder
from evonas.tasks import TASKS, Task, regression
from evonas.tasks.splitting import joined
from evonas.tasks.task import Split, Splits
from evonas.terminal.front import chosen_by, show_front
from tests.evaluation.small import ConvNets, bars_task, config

QUICK = ("trials=2", "seeds=2", "epochs=3", "checkpoint_s=0")
CONFIG: dict[str, Any] = {
    "seed": 3,
    "objectives": [{"metric": "error"}, {"metric": "params"}],
    "strategy": {"kind": "random"},
    "training": {"epochs": 1, "batch_size": 32},
    "space": {"kind": "own"},
    "task": {"kind": "own"},
    "schedule": {"generation": 4},
    "budget": {"evaluations": 4},
    "runtime": {"kind": "serial"},
}


@pytest.fixture(scope="module")
def task() -> Task:
    return bars_task()


@pytest.fixture
def run(searched: Path, task: Task, tmp_path: Path) -> Run:
    """A run of its own with the same content: four networks."""
    shutil.copytree(searched, tmp_path / "run")
    return Run(tmp_path / "run", ConvNets(), task)


@pytest.fixture(scope="module")
def searched(task: Task, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("searched") / "run"
    evonas.search(CONFIG, space=ConvNets(), task=task, run=folder, progress=False)
    return folder


def content(folder: object) -> list[dict[str, Any]]:
    """Rows of finished networks without what differs from time to time, latencies among it."""
    rows = read_final(Run(str(folder)).folder)
    for row in rows:
        measured = ("latency", "settled")
        row["metrics"] = {name: value for name, value in row["metrics"].items() if not name.startswith(measured)}
    return [
        {name: row[name] for name in row if name not in ("started_at", "finished_at", "conditions")} for row in rows
    ]


def test_a_network_is_trained_tested_once_and_recorded(run: Run, task: Task) -> None:
    number = int(run.front()["candidate"].iloc[0])
    [row] = train(run, [number], overrides=QUICK).to_dict("records")
    assert (row["status"], row["seeds"], row["epochs"], row["fit_on"]) == ("ok", 2, 3, "train+valid")
    assert 0 <= row["test_low[error]"] <= row["test[error]"] <= row["test_high[error]"] <= 1
    rows = content(run.folder)
    assert [(own["stage"], own["number"]) for own in rows] == [
        ("trial", 0),
        ("trial", 1),
        ("seed", 1),
        ("seed", 2),
        ("network", 2),
    ]
    trials, seeds = rows[:2], rows[2:4]
    assert all(set(own["metrics"]) == {"valid[error]", "valid_low[error]", "valid_high[error]"} for own in trials)
    assert all(own["metrics"].keys() == {"test[error]", "test_low[error]", "test_high[error]"} for own in seeds)
    assert row["test[error]"] == np.mean([own["metrics"]["test[error]"] for own in seeds])
    assert row["valid[error]"] == min(own["metrics"]["valid[error]"] for own in trials)
    best = min(trials, key=lambda own: own["metrics"]["valid[error]"])
    assert {own["training"] for own in seeds} == {best["training"]}
    network = Run(run.folder, ConvNets(), task).build(number)
    data = to_device(task, "cpu")
    again = examined(network, task.splits.test, data, task, TrainingConfig())
    assert again["error"] == seeds[0]["metrics"]["test[error]"]
    assert not [name for name in run.folder.names(KIND) if name.endswith((".json", ".state"))]


def test_the_same_line_does_nothing_and_another_is_another_network(run: Run) -> None:
    number = [int(run.front()["candidate"].iloc[0])]
    once = train(run, number, overrides=QUICK)
    before = {name: run.folder.read(f"{KIND}/{name}") for name in run.folder.names(KIND)}
    called: list[FinalProgress] = []
    again = train(Run(run.folder, run.space(), run.task()), number, overrides=QUICK, watch=called.append)
    pd.testing.assert_frame_equal(once, again)
    assert not called
    assert {name: run.folder.read(f"{KIND}/{name}") for name in run.folder.names(KIND)} == before
    other = train(Run(run.folder, run.space(), run.task()), number, overrides=(*QUICK, "average=0"))
    assert other["key"].iloc[0] != once["key"].iloc[0]
    assert Run(run.folder).final["key"].tolist() == other["key"].tolist(), "the newest"


@pytest.mark.parametrize("after", [1, 2, 5, 9])
def test_one_that_is_interrupted_goes_on_to_the_same_bits(run: Run, searched: Path, tmp_path: Path, after: int) -> None:
    number = [int(run.front()["candidate"].iloc[0])]
    steps = 0

    def interrupt(progress: FinalProgress) -> None:
        nonlocal steps
        steps += 1
        if steps == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(run, number, overrides=QUICK, watch=interrupt)
    assert Run(run.folder).final.empty
    train(run, number, overrides=QUICK)
    whole = Run(tmp_path / "run", run.space(), run.task())
    assert content(whole.folder) == content_of_one_go(searched, run, number, tmp_path)


@pytest.mark.slow
def test_on_ray_tune_lost_processes_and_a_killed_driver_change_nothing(searched: Path, tmp_path: Path) -> None:
    """Real processes: a training's is killed twice, then the driver; the same line ends as one that nobody hurt."""
    config = tmp_path / "digits.yaml"
    config.write_text(json.dumps(DIGITS))
    command = [sys.executable, "-m", "evonas"]
    subprocess.run([*command, "search", config, "--run", tmp_path / "a"], check=True, capture_output=True)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    words = ("trials=1", "seeds=2", "epochs=60", "checkpoint_s=0.2", "runtime.kind=ray", "runtime.workers=2")
    line = ["train", "--pick", "1", *(word for own in words for word in ("--set", own))]
    train_b = [*command, *line, str(tmp_path / "b")]
    hurt = subprocess.Popen(train_b, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(2):
        killed(hurt.pid, "TuneTrainable", tmp_path / "b")
    states(tmp_path / "b")
    hurt.send_signal(signal.SIGKILL)
    hurt.wait()
    done = subprocess.run(train_b, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    subprocess.run([*command, *line, str(tmp_path / "a")], check=True, capture_output=True)
    assert content(tmp_path / "b") == content(tmp_path / "a")


@pytest.mark.slow
def test_processes_that_train_one_network_together_do_what_one_does(task: Task, tmp_path: Path) -> None:
    """Two of Ray Train against this one, with the same gradients in other sums. No batch normalisation or dropout."""
    config = tmp_path / "digits.yaml"
    config.write_text(json.dumps({**DIGITS, "space": {"kind": "mlp", "dropout": [0.0], "norm": [False]}}))
    command = [sys.executable, "-m", "evonas"]
    subprocess.run([*command, "search", config, "--run", tmp_path / "run"], check=True, capture_output=True)
    own = ("--pick", "1", "--set", "trials=1", "--set", "seeds=1", "--set", "epochs=3", "--set", "average=0")
    for words in (("processes=1", "runtime.kind=serial"), ("processes=2", "runtime.kind=ray")):
        more = [part for word in words for part in ("--set", word)]
        subprocess.run([*command, "train", tmp_path / "run", *own, *more], check=True, capture_output=True)
    curves = {
        json.loads(row["final"])["processes"]: row["curve"]
        for row in read_final(Run(tmp_path / "run").folder)
        if row["stage"] == "trial"
    }
    for one, two in zip(curves[1], curves[2], strict=True):
        assert two["train_loss"] == pytest.approx(one["train_loss"], rel=1e-3)
        assert two["valid_loss"] == pytest.approx(one["valid_loss"], rel=1e-3)


def test_a_batch_is_shared_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = torch.arange(9), torch.arange(9)
    seen = []
    for rank in range(2):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
        shared, targets = DataParallel().share({"a": x}, y)
        assert torch.equal(shared["a"], targets)
        seen += targets.tolist()
    assert sorted(seen) == list(range(8)), "one is left out, or the parts would not weigh alike"


DIGITS = {
    **CONFIG,
    "space": {"kind": "mobile", "stages": 2, "widths": [8], "depths": [0, 1]},
    "task": {"kind": "digits"},
    "targets": {"cpu": {"max_seconds": 0.02}},
    "objectives": [{"metric": "error"}, {"metric": "latency_ms", "target": "cpu"}],
}


def states(folder: Path) -> list[Path]:
    """Waits until a training has kept what it goes on from."""
    while not (found := [*folder.glob("final/*.state")]):
        time.sleep(0.05)
    return found


def killed(driver: int, name: str, folder: Path) -> None:
    """Kills a process of a driver's Ray by its name, once a training has kept something."""
    states(folder)
    while True:
        for process in psutil.Process(driver).children(recursive=True):
            with suppress(psutil.Error):
                if name in " ".join(process.cmdline()):
                    process.kill()
                    process.wait()
                    return
        time.sleep(0.05)


def content_of_one_go(searched: Path, run: Run, number: list[int], tmp_path: Path) -> list[dict[str, Any]]:
    shutil.copytree(searched, tmp_path / "whole")
    train(Run(tmp_path / "whole", run.space(), run.task()), number, overrides=QUICK)
    return content(tmp_path / "whole")


def test_where_no_recipe_works_none_is_best(run: Run) -> None:
    result = {"a": {"status": "failed"}, "b": {"status": "stopped"}}
    plan = FinalPlan(config(), FinalConfig(trials=2), run.task(), 0, (1,), "x")
    trials = plan.trials()
    named = {trial.name: own for trial, own in zip(trials, result.values(), strict=True)}
    assert best_trial(trials, named, "error", "minimize") is None


def test_the_row_of_a_finished_network_says_on_what_it_was_measured() -> None:
    times = dict.fromkeys(("ms", "low", "high", "p90", "raw", "reference"), 1.0)
    own = {"device": "Abacus", "host": "attic"}
    measurement = Measurement(**times, drift=0.0, samples=(1.0,), settled=True, conditions=own)
    plan = FinalPlan(config(), FinalConfig(trials=2), bars_task(), 0, (1,), "x")
    found, conditions = _latencies(plan, [lambda genome: iter([("pi", measurement)])], FinalProgress("error", False))
    row = network_row(plan, None, [], found, conditions)
    assert row["metrics"]["latency_ms[pi]"] == 1.0
    assert row["conditions"] == {"device[pi]": "Abacus", "host[pi]": "attic"}


def test_the_best_recipe_is_that_of_the_direction() -> None:
    plan = FinalPlan(config(), FinalConfig(trials=3), bars_task(), 0, (1,), "x")
    trials = plan.trials()
    results = {
        trial.name: {"status": "ok", "metrics": {"valid[error]": value}}
        for trial, value in zip(trials, (0.2, 0.1, 0.1), strict=True)
    }
    assert best_trial(trials, results, "error", "minimize") is trials[1]
    assert best_trial(trials, results, "error", "maximize") is trials[0]


def test_recipes_begin_with_the_search_and_are_the_same_each_time(task: Task) -> None:
    own = TrainingConfig(epochs=5, learning_rate=0.1, weight_decay=0.001, rungs=(2,))
    found = recipes(own, FinalConfig(trials=20), task, 0, 7)
    assert found[0] == own.model_copy(update={"epochs": 20, "rungs": ()})
    assert found == recipes(own, FinalConfig(trials=20), task, 0, 7)
    assert found[1:] != recipes(own, FinalConfig(trials=20), task, 0, 8)[1:]
    rates, decays = [own.learning_rate for own in found], [own.weight_decay for own in found]
    assert 0.025 < min(rates) < 0.05 < 0.2 < max(rates) < 0.4
    assert 0.0001 <= min(decays) < 0.0005 < 0.002 < max(decays) <= 0.01
    assert {own.augment.crop for own in found} == {0, 1, 2}
    assert not any(own.augment.flip for own in found), "what is on a picture may not be mirrored"


def test_averaged_weights_are_the_mean_of_the_last_steps() -> None:
    network = nn.BatchNorm1d(1)
    average = WeightAverage(network, begin=2)
    for step in range(1, 6):
        with torch.no_grad():
            network.weight.fill_(step)
            network.num_batches_tracked.fill_(step)
        average.update()
    kept = average.state_dict()
    average.apply()
    assert network.weight.item() == 4  # of 3, 4, 5
    assert network.num_batches_tracked.item() == 5
    other = WeightAverage(network, begin=2)
    other.load_state_dict(kept)
    with torch.no_grad():
        network.weight.fill_(0)
    other.update()
    other.apply()
    assert network.weight.item() == 3  # of 3, 4, 5, 0


def test_a_teacher_is_a_part_of_the_loss() -> None:
    wanted = torch.tensor([[2.0, 0.0]])
    teacher = Teacher(nn.Identity(), 0.25, 2.0, classes=True)
    same = teacher.mixed(torch.tensor(8.0), wanted, wanted)
    assert same.item() == pytest.approx(6)
    other = teacher.mixed(torch.tensor(0.0), wanted, torch.tensor([[0.0, 0.0]]))
    p = torch.tensor([1.0, 0.0]).softmax(0)
    divergence = (p * (p.log() - np.log(0.5))).sum()
    assert other.item() == pytest.approx(0.25 * 4 * divergence.item())
    values = Teacher(nn.Identity(), 0.5, 2.0, classes=False)
    assert values.mixed(torch.tensor(0.0), wanted, torch.zeros(1, 2)).item() == pytest.approx(0.5 * 2)


def test_intervals_are_of_the_examples() -> None:
    split = Split(np.zeros((100, 1), np.float32), np.arange(100, dtype=np.float32)[:, None])
    task = regression("numbers", Splits(split, split, split), ("mse", "rmse"))
    statistics = torch.arange(100.0)[:, None]
    found = with_intervals({"mse": statistics, "rmse": statistics}, task)
    half = 1.96 * np.arange(100).std() / 10
    assert found["mse"] == 49.5
    assert found["mse_low"] == pytest.approx(49.5 - half, abs=1)
    assert found["mse_high"] == pytest.approx(49.5 + half, abs=1)
    assert found["rmse_low"] == pytest.approx(found["mse_low"] ** 0.5)


def test_who_is_chosen(run: Run) -> None:
    front = run.front()
    assert chosen(run)["candidate"].tolist() == front["candidate"].tolist()
    picked = chosen(run, pick=2)
    assert picked["candidate"].iloc[0] == front["candidate"].iloc[0]
    assert picked["role"].iloc[0] == "most accurate"
    assert len(chosen(run, pick=100)) == len(front)
    least = int(front["params"].min())
    assert chosen(run, where=[f"params<={least}"])["params"].tolist() == [least]
    with pytest.raises(UserError, match="no evaluated candidate 99; the run has 4, from 0 to 3"):
        chosen(run, [99])
    with pytest.raises(UserError, match=r"^none of the \d networks of the front meets params<=0$"):
        chosen(run, where=["params<=0"])
    with pytest.raises(UserError, match="--pick takes a number of 1 or more, not 0"):
        chosen(run, pick=0)
    with pytest.raises(UserError, match="give CANDIDATE numbers, or --pick"):
        chosen(run, [0], pick=1)


def test_a_look_at_the_test_examples_is_recorded(run: Run, task: Task) -> None:
    number = int(run.front()["candidate"].iloc[0])
    found = look_at_networks(run, [number], task)
    assert found["weights"].tolist() == ["search"]
    [recorded] = Run(run.folder).tests.to_dict("records")
    assert recorded["test[error]"] == found["test[error]"].iloc[0]
    train(Run(run.folder, ConvNets(), task), [number], overrides=QUICK)
    look_at_networks(Run(run.folder, ConvNets(), task), [number], task)
    assert Run(run.folder).tests["weights"].tolist() == ["search", "final"]


def test_picked_are_those_that_the_report_recommends(run: Run) -> None:
    """Alike within the noise: the cheapest is the most accurate one. It is said why."""
    wanted = {pick["role"]: pick["candidate"] for pick in document(run)["picks"]}
    picked = chosen(run, pick=1)
    assert picked["candidate"].tolist() == [wanted["most accurate"]]
    assert set(wanted.values()) <= set(chosen(run, pick=3)["candidate"])
    search = prepare_final(run, picked, *final_options(run, QUICK)[:2], run.task(), run.space())
    assert search.in_words()[1].startswith(f"candidate {wanted['most accurate']}, most accurate: ")


def test_no_bit_of_a_record_can_change_unnoticed(tmp_path: Path) -> None:
    """One that is turned over is named, or changes nothing that is read."""
    folder = open_folder(tmp_path)
    row = dict.fromkeys(TRAININGS.names) | {"candidate": 3, "key": "1f2e3d4c", "seed": 11, "weights": "w"}
    curve = [{"epoch": 1, "train_loss": 0.5, "valid_loss": 0.75, "valid_metric": 0.25}]
    row |= {"metrics": {"test[error]": 0.25}, "conditions": {"host": "a"}, "curve": curve, "training": "{}"}
    write_final(folder, "000003-1f2e3d4c", [row])
    path = tmp_path / "final/000003-1f2e3d4c.parquet"
    data, whole = path.read_bytes(), read_final(folder)
    silent = 0
    names = data.rindex(b"train_loss")  # of columns stand where no checksum of a page is
    for place in (*range(names, names + 10), *range(0, len(data), 7)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :])
        with suppress(UserError):
            assert read_final(folder) == whole
            silent += 1
    assert silent < len(data) / 7, "most are named"


def test_a_damaged_record_is_named(run: Run) -> None:
    number = int(run.front()["candidate"].iloc[0])
    train(run, [number], overrides=QUICK)
    [path] = Path(run.folder).glob("final/*.parquet")
    column = pq.ParquetFile(path).metadata.row_group(0).column(0)
    data = bytearray(path.read_bytes())
    begin = column.dictionary_page_offset or column.data_page_offset
    data[begin + column.total_compressed_size - 1] ^= 1  # the last byte of a page
    path.write_bytes(data)
    with pytest.raises(UserError, match=rf"{path.name} is damaged: .*; restore it from a copy, or remove it"):
        _ = Run(run.folder).final


def test_splits_are_joined_in_order() -> None:
    a = Split({"a": np.zeros((2, 1), np.float32)}, np.array([0, 1]))
    b = Split({"a": np.ones((1, 1), np.float32)}, np.array([2]))
    both = joined(a, b)
    assert both.y.tolist() == [0, 1, 2]
    assert both.columns["a"][:, 0].tolist() == [0, 0, 1]


def test_wrong_options_are_one_line(run: Run) -> None:
    for override, line in {
        "epoch=3": "train: unknown 'epoch'; did you mean 'epochs'",
        "seeds=0": "seeds",
        "runtime.kind=bus": "runtime: kind: input should be",
        "seeds": "^--set takes KEY=VALUE, not 'seeds'$",
    }.items():
        with pytest.raises(UserError, match=line) as error:
            train(run, overrides=[override])
        assert "\n" not in str(error.value)
    assert json.loads(json.dumps(FinalConfig().decisive))["trials"] == 4


def test_weights_that_are_lost_are_trained_again_as_the_line_says(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(SPACES, "ConvNets", ConvNets)
    monkeypatch.setitem(TASKS, "bars", bars_task)
    number = int(run.front()["candidate"].iloc[0])
    train(run, [number], overrides=QUICK)
    assert main(["verify", str(run.folder)]) == 0
    assert "1 network trained to the end: records and weights are whole" in capsys.readouterr().out
    [weights] = Path(str(run.folder)).glob("final/*-seed1.safetensors")
    [record] = Path(str(run.folder)).glob("final/*.parquet")
    before = weights.read_bytes()
    weights.unlink()
    assert main(["verify", str(run.folder)]) == 2
    remedy = f"is not there any more; restore it from a copy, or remove {record}, and evonas train makes both again"
    assert remedy in capsys.readouterr().err
    record.unlink()
    train(run, [number], overrides=QUICK)
    assert weights.read_bytes() == before


def test_the_metric_is_the_one_that_the_search_was_about() -> None:
    task = {"metrics": {"error": "minimize", "bits": "minimize", "f1": "maximize"}}
    columns = ["latency_ms[cpu]", "f1", "error"]
    assert main_metric({"task": task, "objectives": [{"column": name} for name in columns]}) == ("f1", "maximize")
    assert main_metric({"task": task, "objectives": [{"column": "params"}]}) == ("error", "minimize")


def test_every_option_is_in_the_page() -> None:
    page = (Path(__file__).parents[1] / "docs" / "how-to" / "train.md").read_text()
    assert [name for name in FinalConfig.model_fields if f"`{name}=" not in page] == []


def test_the_front_and_the_report_have_final_figures_beside_those_of_the_search(run: Run) -> None:
    number = int(run.front()["candidate"].iloc[0])
    train(run, [number], overrides=QUICK)
    found = Run(run.folder, ConvNets(), run.task())
    chosen = chosen_by(found, found.front()).set_index("candidate")
    assert chosen.loc[number, "test[error]"] == found.final["test[error]"].iloc[0]
    assert chosen["test[error]"].notna().sum() == 1
    console = Console(width=80, file=io.StringIO(), highlight=False)
    show_front(found, found.front(), console, plot=False)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "test error" in printed
    assert "test error: of 1 network trained to the end, on examples that no search saw; mean over seeds" in printed
    final = document(found)["final"]
    assert list(final) == [str(number)]
    assert final[str(number)]["test[error]"] == pytest.approx(chosen.loc[number, "test[error]"], rel=1e-5)
    assert document(Run(run.folder))["final"] == final


def test_a_line_shows_what_it_made_though_there_is_something_newer(run: Run) -> None:
    number = [int(run.front()["candidate"].iloc[0])]
    first = train(run, number, overrides=QUICK)
    newer = train(Run(run.folder, ConvNets(), run.task()), number, overrides=(*QUICK, "average=0"))
    again = train(Run(run.folder, ConvNets(), run.task()), number, overrides=QUICK)
    pd.testing.assert_frame_equal(again, first)
    assert Run(run.folder).final["key"].tolist() == newer["key"].tolist()


def test_a_training_that_was_stopped_took_no_time_since_1970() -> None:
    found = unheard("stopped", "", [], took_s=5.0)
    assert found["finished_at"] - found["started_at"] == pytest.approx(5)


def test_a_table_that_is_too_wide_leaves_columns_out_and_cuts_no_number(run: Run) -> None:
    number = [int(run.front()["candidate"].iloc[0])]
    found = train(run, number, overrides=QUICK)
    console = Console(width=60, file=io.StringIO(), highlight=False)
    show_final(run.folder, found.assign(**{"latency_ms[cpu]": 1.25, "latency_low_ms[cpu]": 1.2}), console)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in printed
    assert "test" in printed
