"""`evonas supernet`, and a search in which inherited weights decide before training."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
import yaml

import evonas
from evonas.cli import main
from evonas.config.loading import load_config
from evonas.config.options import construct
from evonas.evaluation.batches.device_data import to_device
from evonas.evaluation.untrained.costs import parameters
from evonas.objectives.objectives import Objectives
from evonas.records import RungReport
from evonas.runs.remarks import remarks
from evonas.spaces import SPACES, Mobile
from evonas.supernet.audit import stratified
from evonas.supernet.bank import Bank
from evonas.supernet.file import ABOUT, Supernet, read
from evonas.supernet.inheriting import inherited
from evonas.supernet.making import within_limits
from evonas.supernet.networks import Networks
from evonas.tasks import TASKS
from tests.forging import forge_cell

CONFIG: dict[str, Any] = {
    "space": {"kind": "mobile", "stages": 2, "stem": 8, "strides": 2, "widths": [4, 8], "depths": [1, 2]}
    | {"blocks": ["residual", "inverted"], "kernels": [3], "squeeze": [False], "activations": ["relu"]},
    "task": {"kind": "digits"},
    "objectives": [{"metric": "error"}, {"metric": "params"}],
    "strategy": {"population": 4},
    "training": {"epochs": 1, "batch_size": 128},
    "budget": {"evaluations": 12},
    "runtime": {"kind": "serial"},
}
AT_0 = {"rungs": [0], "before": {"kind": "supernet", "promote": 0.3}}


def written(folder: Path, name: str = "config.yaml", **changes: Any) -> str:
    path = folder / name
    path.write_text(yaml.safe_dump({**CONFIG, **changes}))
    return str(path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("supernet")
    path = folder / "weights.safetensors"
    assert main(["supernet", written(folder), "--out", str(path), "--epochs", "6", "--audit", "0"]) == 0
    return path


def by(path: Path, **training: Any) -> dict[str, Any]:
    return {"training": {**CONFIG["training"], **AT_0, "supernet": str(path), **training}}


@pytest.fixture(scope="module")
def run(made: Path) -> Path:
    folder = made.parent / "run"
    assert main(["search", written(made.parent, "search.yaml", **by(made)), "--run", str(folder)]) == 0
    return folder


class Parts:
    """What networks are judged in."""

    def __init__(self, path: Path) -> None:
        self.supernet = read(path)
        self.config = load_config(CONFIG)
        self.space = construct(SPACES, self.config.space, "space")
        self.task = construct(TASKS, self.config.task, "task")
        self.data = to_device(self.task, "cpu")
        self.bank = Bank({key: torch.from_numpy(array.copy()) for key, array in self.supernet.tensors.items()})

    def errors(self, **options: Any) -> list[float]:
        networks = Networks(self.space, self.task.spec, torch.device("cpu"), 5)
        rng = np.random.default_rng(0)
        genomes = [self.space.sample(rng) for _ in range(6)]
        return [
            inherited(networks(genome), self.bank, self.task, self.data, self.config.training, **options)[0]["error"]
            for genome in genomes
        ]


@pytest.fixture(scope="module")
def parts(made: Path) -> Parts:
    return Parts(made)


def test_a_supernet_knows_digits_and_not_without_averaging_anew(parts: Parts) -> None:
    errors, without = parts.errors(), parts.errors(reset=False)
    assert np.mean(errors) < 0.6, "chance is 0.9"
    assert np.mean(without) > np.mean(errors) + 0.15, "BatchNorm has averages of nothing there"


def test_an_inherited_error_is_the_same_with_more_threads_and_leaves_the_network_as_it_was(parts: Parts) -> None:
    network = Networks(parts.space, parts.task.spec, torch.device("cpu"), 5)(parts.space.genomes().__next__())
    network.train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    own = parts.config.training
    found = [
        inherited(network, parts.bank, parts.task, parts.data, own.model_copy(update={"threads": threads}))[0]
        for threads in (1, 2)
    ]
    assert found[0] == found[1]
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_the_same_line_makes_the_same_weights(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        line = ["supernet", written(tmp_path), "--out", str(tmp_path / name), "--epochs", "1"]
        assert main([*line, "--sampling", "uniform", "--audit", "0"]) == 0
        made.append(read(tmp_path / name))
    assert made[0].sha256 == made[1].sha256
    assert made[0].recipe["sampling"] == "uniform"
    assert made[0].trained == 1078 // 128


def test_an_audit_says_what_it_is_worth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "audited.safetensors"
    line = ["supernet", written(tmp_path), "--out", str(path), "--epochs", "1", "--audit", "5", "--sampling", "fair"]
    assert main(line) == 0
    said = capsys.readouterr()
    assert "network 5 of 5: error" in said.err
    assert "with error of 5 networks trained alone; that of params is" in said.out
    worth = read(path).worth
    assert worth is not None
    assert (worth.networks, len(worth.trained), sorted(worth.params)) == (5, 5, worth.params)
    assert (
        main(["search", written(tmp_path, **by(path)), "--run", str(tmp_path / "run"), "--set", "budget.evaluations=1"])
        == 0
    )
    said = capsys.readouterr()
    assert f"supernet {path}: Kendall tau {worth.tau:.2f}" in said.out
    assert "trained otherwise" not in said.out
    assert read(path).recipe["trained alone"]["epochs"] == 1
    options = ["--dry-run", "--set", "training.epochs=2", "--set", "training.learning_rate=0.01"]
    assert main(["search", written(tmp_path, **by(path)), *options]) == 0
    said = capsys.readouterr()
    assert "trained otherwise than those of this search: epochs 1 there, 2 here; learning_rate" in said.out


def test_an_audit_is_within_the_limits(parts: Parts) -> None:
    networks = Networks(parts.space, parts.task.spec, torch.device("cpu"), 0)
    config = load_config(
        {**CONFIG, "limits": [{"metric": "params", "at_most": 2000}, {"metric": "error", "at_most": 1}]}
    )
    said: list[str] = []
    chosen, beyond = stratified(parts.space, networks, 5, 0, within_limits(config, parts.task, parts.data, said.append))
    free, none = stratified(parts.space, networks, 5, 0)
    assert (len(chosen), len(free), none, said) == (5, 5, 0, [])
    assert beyond > 0
    assert max(parameters(networks(genome)) for genome in chosen) <= 2000
    assert max(parameters(networks(genome)) for genome in free) > 2000


@pytest.mark.parametrize(("where", "left"), [("audited", "not examined"), ("SupernetTrainer", "nothing of it is kept")])
def test_an_interrupted_supernet_says_what_is_kept(
    where: str, left: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*given: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"evonas.supernet.making.{where}", interrupted)
    path = tmp_path / "weights.safetensors"
    line = ["supernet", written(tmp_path), "--out", str(path), "--epochs", "1", "--sampling", "uniform"]
    assert main(line) == 130
    assert left in capsys.readouterr().out
    assert path.exists() == (where == "audited")
    assert not path.exists() or read(path).worth is None


def test_inherited_errors_decide_before_training(run: Path, made: Path) -> None:
    found = evonas.load(run)
    rows = found.evaluations
    stopped = (rows["status"] == "stopped") & (rows["epochs"] == 0)
    assert 0 < stopped.sum() < len(rows)
    assert (rows["inherited.error"] == rows["before.error"]).all()
    assert rows["inherited.error"].between(0, 1).all()
    assert found.description["supernet"] == read(made).sha256
    assert found.verify().difference == ""


def test_a_search_goes_on_with_the_same_supernet_alone(
    run: Path, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(made.parent / "search.yaml")
    assert main(["search", config, "--run", str(run)]) == 0
    whole = made.read_bytes()
    other = ["supernet", written(made.parent), "--out", str(made), "--epochs", "1", "--audit", "0"]
    try:
        assert main(other) == 0
        capsys.readouterr()
        assert main(["search", config, "--run", str(run)]) == 2
        assert (
            f"holds another search: supernet is {evonas.load(run).description['supernet']} there"
            in capsys.readouterr().err
        )
        assert main(["verify", str(run)]) == 1
        assert "weights.safetensors is another supernet" in capsys.readouterr().out
    finally:
        made.write_bytes(whole)
    made.rename(made.parent / "away")
    try:
        assert main(["verify", str(run)]) == 0, "a run is a record by itself"
        assert "the supernet is not checked: there is no" in capsys.readouterr().out
        assert main(["search", config, "--run", str(run)]) == 2
        assert "has moved, say --set training.supernet=WHERE" in (text := capsys.readouterr().err)
        assert "makes one" not in text
        shutil.copytree(run, moved := made.parent / "moved")
        assert main(["resume", str(moved), "--set", f"training.supernet={made.parent / 'away'}"]) == 0
        assert "the supernet is that of the search, which was begun with" in capsys.readouterr().out
        assert main(["resume", str(moved), "--set", "budget.evaluations=13"]) == 0, "the last start says where"
        capsys.readouterr()
        assert main(["verify", str(moved)]) == 0
        assert "the supernet is not checked" not in capsys.readouterr().out
    finally:
        (made.parent / "away").rename(made)


def test_what_was_not_inherited_is_said_beside_the_front(run: Path) -> None:
    found = evonas.load(run)

    def said(lacking: list[str]) -> str:
        conditions = [{"not_inherited": words} if words else {} for words in lacking]
        rows = found.evaluations.head(len(lacking)).assign(conditions=conditions)
        return " ".join(remarks(found.description, rows, found.measured, run))

    candidates = list(found.evaluations["candidate"].head(3))
    words = said(["1 place, 9.5% of the weights", "", "2 places, 10.0% of the weights"])
    assert "had not all weights of 2 of 3 networks" in words
    assert f"candidate {candidates[2]} lacked most (2 places, 10.0% of the weights)" in words
    assert "not all weights" not in said(["", ""])


def test_a_changed_inherited_error_is_named(run: Path, tmp_path: Path) -> None:
    forged = tmp_path / "run"
    shutil.copytree(run, forged)

    def better(rungs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**rungs[0], "metrics": {**dict(rungs[0]["metrics"]), "inherited.error": 0.0}}, *rungs[1:]]

    forge_cell(forged, "evaluations", 1, "rungs", 1, better)
    assert "before.error at rung 0" in evonas.load(forged).verify().difference


def test_wrong_files_are_a_line(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "weights.safetensors"
    config = written(tmp_path, **by(path))

    def said(content: bytes | None, *options: str) -> str:
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        assert main(["search", config, "--run", str(tmp_path / "run"), *options]) == 2
        text = capsys.readouterr().err
        assert text.count("\n") == 1
        assert not (tmp_path / "run").exists()
        return text

    good = made.read_bytes()
    assert "`evonas supernet` makes one" in said(None)
    assert "is no supernet, or damaged" in said(good[:-8])
    assert "is no supernet, or damaged: it is no whole file" in said(b"weights")
    assert "is no supernet;" in said(safetensors.numpy.save({"a": np.zeros(1, np.float32)}))
    assert "is not what was written" in said(good[:-1] + bytes([good[-1] ^ 1]))
    assert "of another space" in said(good, "--set", "space.widths=[4, 8, 16]")
    assert "on other data" in said(good, "--set", "task.split_seed=9")


def test_a_forged_head_is_no_supernet(made: Path, tmp_path: Path) -> None:
    supernet = read(made)
    about = {**json.loads(supernet.about), "seed": 9}
    path = tmp_path / "forged.safetensors"
    path.write_bytes(safetensors.numpy.save(dict(supernet.tensors), {ABOUT: json.dumps(about)}))
    with pytest.raises(evonas.UserError, match="is not what was written"):
        read(path)


def test_what_cannot_be_is_said(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def said(line: str, **changes: Any) -> str:
        words = [line, written(tmp_path, **changes)]
        assert main([*words, *(["--run", str(tmp_path / "run")] if line == "search" else [])]) == 2
        return capsys.readouterr().err

    assert "before: supernet needs the weights" in said("search", training={"rungs": [0], "before": "supernet"})
    assert "is for rung 0" in said("search", training={"supernet": str(made)})
    gain = {"kind": "supernet", "rule": "gain"}
    assert "leave rule out" in said("search", **by(made, before=gain))
    costs = [{"metric": "macs"}, {"metric": "params"}]
    assert "no objective is that" in said("search", **by(made), objectives=costs)
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["supernet", written(tmp_path), "--out", str(tmp_path / "notes.txt")]) == 2
    assert "is no supernet, or damaged" in capsys.readouterr().err
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert main(["supernet", written(tmp_path), "--epochs", "0"]) == 2
    assert "--epochs: takes 1 or more" in capsys.readouterr().err
    for audit in ("4", "1001", "-1"):
        assert main(["supernet", written(tmp_path), "--audit", audit]) == 2
        assert "--audit: takes 5 to 1,000 networks" in capsys.readouterr().err
    assert main(["supernet", written(tmp_path, learner={"kind": "none"})]) == 2
    assert "not by none" in capsys.readouterr().err
    others = {**CONFIG["space"], "kernels": [5]}
    assert main(["supernet", written(tmp_path, space=others), "--out", str(made)]) == 2
    assert "is of another space" in (text := capsys.readouterr().err)
    assert text.endswith("; it is not replaced: give another --out\n")


def test_a_limit_on_the_error_is_none_on_inherited_ones(made: Path, parts: Parts) -> None:
    config = load_config({**CONFIG, **by(made), "limits": [{"metric": "error", "at_most": 0.05}]})
    objectives = Objectives(config, parts.task.spec)
    fitness = objectives.fitness(RungReport(0, 0, {"params": 10.0, "inherited.error": 0.4, "before.error": 0.4}))
    assert (fitness.values, fitness.violation) == ((0.4, 10.0), 0)


def test_whoever_has_a_name_for_it_already_is_told(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from evonas.objectives.metrics import METRICS, Metric

    monkeypatch.setitem(METRICS, "supernet", Metric("", compute=lambda *_: 0.0))
    with pytest.raises(evonas.UserError, match="rename the metric"):
        evonas.search({**CONFIG, **by(made)}, run=tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 3])
def test_a_search_on_workers_is_that_of_one_process(run: Path, made: Path, workers: int, tmp_path: Path) -> None:
    runtime = {"kind": "ray", "workers": workers, "cpus_per_worker": 0.25}
    config = written(tmp_path, **by(made), runtime=runtime)
    assert main(["search", config, "--run", str(tmp_path / "run")]) == 0
    names = ["genome", "status", "epochs", "error", "inherited.error", "before.error", "params"]
    here, there = (evonas.load(each).evaluations.sort_values("candidate")[names] for each in (run, tmp_path / "run"))
    assert here.assign(genome=here["genome"].map(tuple)).equals(there.assign(genome=there["genome"].map(tuple)))


def test_a_supernet_of_a_space_of_ones_own(tmp_path: Path) -> None:
    """A space that says nothing of places has those that its names give."""
    from evonas.supernet.making import Wanted, make

    class Mine(Mobile):
        pass

    config = load_config(CONFIG)
    options = {key: value for key, value in CONFIG["space"].items() if key != "kind"}
    task = construct(TASKS, config.task, "task")
    made = make(config, Mine(**options), task, tmp_path / "mine.safetensors", Wanted(1, "uniform", 0), lambda _: None)
    assert isinstance(made, Supernet)
    assert made.trained == len(task.splits.train) // 128
