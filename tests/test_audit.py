"""`evonas audit`: its words by hand, the command on small real runs, and what it refuses."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import evonas
from evonas import analysis
from evonas.audit.baseline import config_of_baseline
from evonas.audit.figures import RANDOM, SEARCH, Figure, Figures
from evonas.audit.fronts import Side, point_of
from evonas.audit.verdict import gain
from evonas.audit.words import sentences
from evonas.cli import main
from evonas.store.final import final_name, record_tests, write_final
from tests.analysis.frames import COLUMNS, SIGNS, evaluations

CONFIG: dict[str, Any] = {
    "seed": 3,
    "space": {"kind": "mobile", "stages": 1, "widths": [4, 8], "depths": [0, 1]},
    "task": {"kind": "digits"},
    "objectives": [{"metric": "error"}, {"metric": "params"}],
    "strategy": {"kind": "nsga2", "population": 4},
    "training": {"epochs": 2, "rungs": [1], "batch_size": 64},
    "budget": {"evaluations": 8},
    "runtime": {"kind": "serial"},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `run`, searched, and `run-random`, half of its baseline."""
    folder = tmp_path_factory.mktemp("audit")
    run = evonas.search(CONFIG, run=folder / "run", progress=False)
    half = {**config_of_baseline(run), "budget": {"evaluations": 4}}
    evonas.search(half, run=folder / "run-random", progress=False)
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copies of its own, in the working folder."""
    shutil.copytree(made, tmp_path / "runs")
    monkeypatch.chdir(tmp_path / "runs")
    return tmp_path / "runs"


def finish(folder: Path, tests: dict[int, float]) -> None:
    """Rows as `evonas train` writes them: candidate -> error on the test examples; a look at the weights of before."""
    run = evonas.load(folder)
    for number, error in tests.items():
        known = {"valid[error]": error - 0.01, "test[error]": error, "test_low[error]": error - 0.02}
        row = {
            "candidate": number,
            "key": "00000000",
            "status": "ok",
            "message": "",
            "seed": 3,
            "epochs": 8,
            "fit_on": "train+valid",
            "training": "{}",
            "final": "{}",
            "curve": [],
            "conditions": {},
            "weights": None,
            "weights_sha256": None,
            "started_at": 1e9,
            "finished_at": 1e9 + 1800,
        }
        network = {**row, "conditions": {"measure_s": "36"}, "metrics": {**known, "test_high[error]": error + 0.02}}
        rows = [{**row, "metrics": {}, "stage": stage, "number": 1} for stage in ("trial", "seed")]
        write_final(run.folder, final_name(number, "00000000"), [*rows, {**network, "stage": "network", "number": 1}])
    look = {"weights": "search", "weights_sha256": "", "examples": 360, "at": 1e9}
    record_tests(run.folder, [{**look, "candidate": i, "metrics": {"test[error]": e}} for i, e in tests.items()])


def test_what_is_missing_is_said_with_the_command_that_gets_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "run"]) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.partition("Whether")[0].splitlines())) <= 80
    assert "Whether the search was worth it is not known" in said
    assert "missing: no random search to compare with (4 of 8 evaluations are there): evonas audit run --base" in said
    assert "missing: not trained to the end: evonas train run --pick 8" in said
    assert "kWh: no counter" in said
    assert "─ random" not in said


def test_the_baseline_goes_on_is_audited_and_is_not_searched_twice(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "run", "--baseline", "--format", "json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert "baseline: random search, 8 evaluations, run run-random" in err
    run, random = (evonas.load(here / name) for name in ("run", "run-random"))
    assert (len(random.evaluations), random.description["config"]["strategy"]) == (8, {"kind": "random"})
    ours, theirs = (dict(own.description["config"]) for own in (run, random))
    assert {key for key in ours if ours[key] != theirs[key]} == {"strategy", "budget"}
    same = run.evaluations["arch_hash"].to_numpy() == random.evaluations["arch_hash"].to_numpy()
    assert same[:2].all(), "the same seed draws the same first networks"
    point = evonas.load([here / "run", here / "run-random"])
    volumes = [f["value"] for f in found["figures"] if (f["part"], f["figure"]) == ("front", "hypervolume")]
    reference = analysis.reference(point.evaluations, run.objectives, run.signs)
    expected = [analysis.hypervolume(own.evaluations, run.objectives, run.signs, reference) for own in (run, random)]
    assert volumes == pytest.approx(expected)
    assert "worth it" in found["words"][0]
    assert not [line for line in found["missing"] if "--baseline" in line]
    before = sorted(path for path in here.rglob("*"))
    with random.folder.lock(False), run.folder.lock(False):  # as while their networks are trained to the end
        assert main(["audit", "run", "--baseline", "--format", "csv"]) == 0
    out, err = capsys.readouterr()
    assert (out.splitlines()[0], err) == ("part,figure,run,value,low,high,n,unit", "")
    assert sorted(path for path in here.rglob("*")) == before


def test_of_finished_networks(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    numbers = evonas.load("run").front()["candidate"].tolist()[:3]
    search = evonas.load("run").evaluations.set_index("candidate")["error"]
    finish(here / "run", {number: float(search[number]) + 0.01 for number in numbers})
    assert main(["audit", "run", "--out", "page.html"]) == 0
    said = capsys.readouterr().out
    assert f"{len(numbers)} networks are 0.01 worse in error on the test than on the validation examples" in said
    assert f"The order of all {len(numbers)} finished networks by error: too few to say anything" in said
    assert f"The network that the search calls best is number 1 of {len(numbers)} on the test." in said
    assert f"final trials {0.5 * len(numbers):.3g} h, final seeds {0.5 * len(numbers):.3g} h" in said
    assert "not trained to the end" not in said
    page = (here / "page.html").read_text()
    assert "data:image/svg+xml;base64," in page
    assert "Whether the search was worth it is not known" in page
    (here / "run").rename(here / "a<b>")
    assert main(["audit", "a<b>", "--out", "page.html"]) == main(["audit", "a<b>", "--out", "page.md"]) == 0
    page = (here / "page.html").read_text()
    assert "<h1>Was the search of a&lt;b&gt; worth it?</h1>" in page
    assert "<b>" not in page
    assert "|winner's curse|" in (here / "page.md").read_text()


def test_what_cannot_be_audited_is_one_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = {**CONFIG, "strategy": {"kind": "random"}, "training": {"epochs": 1}, "schedule": {"generation": 4}}
    evonas.search({**random, "budget": {"evaluations": 2}}, run="other", progress=False)
    shutil.copytree(here / "run", here / "stopped")
    for ended in (here / "stopped" / "starts").glob("ended-*"):
        ended.unlink()
    for words, line in {
        "nothing": "nothing is not a run folder",
        "run --out page.txt": "--out takes a file that ends in .html or .md, not page.txt",
        "run --out nowhere/page.md": "--out nowhere/page.md: No such file or directory",
        "run --baseline other": "other is no baseline of run: training.epochs is 1 there, 2 here; give another",
        "run-random --baseline run": "run-random is a random search itself",
        "other --baseline": "other is a random search itself",
        "stopped --baseline": "stopped is stopped; to go on: evonas resume stopped; a baseline takes as many",
        "run --baseline stopped": "stopped is a search by nsga2; a baseline is one by random",
        "run --import missing.py": "--import missing.py: there is no such file",
    }.items():
        assert main(["audit", *words.split()]) == 2, words
        err = capsys.readouterr().err
        assert err.count("\n") == 1, err
        assert line in err


def test_a_run_without_a_front_has_nothing_to_audit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    over = {**CONFIG, "limits": [{"metric": "params", "at_most": 1}], "budget": {"evaluations": 2}}
    with pytest.warns(UserWarning, match="no candidate is within the limits"):
        evonas.search(over, run=tmp_path / "run", progress=False)
    assert main(["audit", str(tmp_path / "run")]) == 2
    assert capsys.readouterr().err.endswith("run is empty; there is nothing to audit\n")


class Searched:
    """What sentences need of a side."""

    def __init__(self) -> None:
        self.metric, self.run, self.is_trained = ("error", 1), self, True
        self.description: dict[str, Any] = {"config": {"seed": 0}}


def figures(search: float, random: float, luck: float, *more: Figure) -> Figures:
    """With hypervolumes and the deviation of random search."""
    both = ((SEARCH, search), (RANDOM, random))
    names = {"evaluations": 48.0, "epochs": 100.0, "time of workers": 0.5}
    budget = [Figure("budget", name, run, value) for name, value in names.items() for run, _ in both]
    fronts = [Figure("front", name, run, value) for name in ("hypervolume", "at equal epochs") for run, value in both]
    return Figures([*budget, *fronts, Figure("front", "deviation over seeds", RANDOM, luck, n=48), *more])


@pytest.mark.parametrize(
    ("search", "luck", "verdict"),
    [
        (103, 5, r"^Not shown .* dominates 3 % more .* 48 evaluations each, one run each, .* 14 %: that may be chance"),
        (130, 5, r"^The search was worth it: its front dominates 30 % more than that of random search"),
        (97, 5, r"^Not shown .* dominates 3 % less"),
        (70, 5, r"^The search was not worth it: its front dominates 30 % less"),
        (130, np.nan, r"^Not shown .* too few to tell that from luck"),
    ],
)
def test_luck_is_not_called_a_gain(search: float, luck: float, verdict: str) -> None:
    found = figures(search, 100, luck)
    assert gain(found) == pytest.approx((search / 100 - 1, 1.96 * 2**0.5 * luck / 100), nan_ok=True)
    said = [*sentences({SEARCH: Searched(), RANDOM: Searched()}, found)]  # type: ignore[dict-item]
    assert re.search(verdict, said[0]), said[0]


def test_what_of_a_gain_is_left_on_the_test_is_said() -> None:
    both = (SEARCH, RANDOM)
    values = {"networks": (6, 6), "hypervolume, search": (120, 100), "hypervolume, test": (55, 50)}
    more = [Figure("finished", name, run, v) for name, own in values.items() for run, v in zip(both, own, strict=True)]
    said = " ".join(sentences({SEARCH: Searched(), RANDOM: Searched()}, figures(120, 100, 2, *more)))  # type: ignore[dict-item]
    assert "dominate 20 % more than random search's by the figures of the searches, and 10 % more by those" in said
    assert "50 % of that gain was not there on the test" in said
    assert "Random search did not reach the search's hypervolume in its 48 evaluations." in said


def test_the_reference_point_is_that_of_both() -> None:
    """The worst of the first generations, 10 % of their range behind; of either alone it would be another."""
    run: Any = SimpleNamespace(objectives=COLUMNS, signs=SIGNS)
    both = {SEARCH: [(0.5, 5), (0.4, 6)], RANDOM: [(0.9, 2), (0.3, 1)]}
    sides = {name: Side(name, run, evaluations(values), evaluations([])) for name, values in both.items()}
    assert point_of(sides) == pytest.approx({"error": 0.96, "params": 6.5})


@pytest.mark.slow
def test_a_search_its_baseline_and_its_end_on_ray(tmp_path: Path) -> None:
    """Real processes, as a user would: search, look, train, baseline and its networks, audit as a page."""
    config = tmp_path / "digits.json"
    config.write_text(json.dumps({**CONFIG, "runtime": {"kind": "ray", "workers": 2}}))

    def command(*words: str) -> str:
        answer = subprocess.run(
            [sys.executable, "-m", "evonas", *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    command("search", "digits.json", "--run", "run")
    command("test", "run")
    assert "missing: not trained to the end: evonas train run-random --pick 8" in command("audit", "run", "--baseline")
    for run in ("run", "run-random"):
        command("train", run, "--pick", "2", "--set", "trials=2", "--set", "seeds=2", "--set", "epochs=3")
    said = command("audit", "run", "--baseline", "--out", "page.html")
    assert "missing" not in said
    assert "Of the networks that were trained to the end (2 and 2)" in said
    assert "as the search left them" in said
    assert "final measuring" not in said, "the objectives are not measured"
    assert evonas.load(tmp_path / "run").verify().difference == ""
    assert evonas.load(tmp_path / "run-random").verify().difference == ""
