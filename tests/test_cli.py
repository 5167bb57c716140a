"""The command line as a user types it: in processes of its own, or in this one where that makes no difference."""

import gc
import json
import os
import platform
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import evonas as package
from evonas import load
from evonas.cli import _parser, main
from evonas.commands import COMMANDS
from evonas.commands.garbage import IMPORTED
from evonas.measuring import benchmark
from evonas.measuring.backends import devices
from tests.waiting import until

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

ROOT = Path(__file__).parents[1]
CONFIG = """
space: {kind: cell, stages: 1, channels: [4, 6]}
task: {kind: digits, valid_fraction: 0.3, test_fraction: 0.5}
objectives: [{metric: error}, {metric: latency_ms, target: cpu}]
targets: {cpu: {max_seconds: 0.02}}
strategy: {population: 4}
training: {epochs: 2, rungs: [1]}
budget: {evaluations: 8}
runtime: {kind: serial}
"""


Evonas = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def evonas(binaries: Path) -> Evonas:
    """A command in a process of its own."""

    def run(*words: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
        command = [str(binaries / "evonas"), *words]
        return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)

    return run


def test_garbage_is_looked_for_once_what_a_command_imports_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    usual, frozen = gc.get_threshold(), gc.get_freeze_count()
    monkeypatch.setattr("sys.argv", ["evonas", "--version"])
    with pytest.raises(SystemExit):
        main()
    assert gc.get_threshold() == (IMPORTED, *usual[1:])
    gc.collect()
    assert gc.get_threshold() == usual
    assert gc.get_freeze_count() > frozen


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("user")
    (folder / "config.yaml").write_text(CONFIG)
    return folder


@pytest.fixture(scope="module")
def searched(folder: Path, evonas: Evonas) -> subprocess.CompletedProcess[str]:
    return evonas("search", "config.yaml", folder=folder)


@pytest.fixture(scope="module")
def found(searched: subprocess.CompletedProcess[str], folder: Path) -> str:
    assert searched.returncode == 0, searched.stderr
    return searched.stdout.splitlines()[-1].removeprefix("run: ")


Here = Callable[..., tuple[int, str]]


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    """A command in this process and the user's folder: its exit status and what it says of errors."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return lambda *words: (main(words), capsys.readouterr().err)


@pytest.fixture
def said(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """A command that succeeds, in this process and the user's folder: its output."""
    monkeypatch.chdir(folder)

    def run(*words: str) -> str:
        assert main(words) == 0
        return capsys.readouterr().out

    return run


def test_search_says_how_it_goes_and_ends_with_the_run(searched: subprocess.CompletedProcess[str], found: str) -> None:
    assert re.fullmatch(r"runs/config-[0-9a-f]{8}", found)
    assert re.search(r"^\d/8 evaluated, front \d", searched.stdout, re.MULTILINE)
    assert "the budget of 8 evaluations is used up; 8 candidates evaluated" in searched.stdout
    assert "latency_ms[cpu]" in searched.stdout
    assert searched.stderr == ""


def test_the_same_line_again_has_nothing_to_do(found: str, folder: Path, evonas: Evonas) -> None:
    again = evonas("search", "config.yaml", folder=folder)
    assert again.returncode == 0
    assert "8 candidates evaluated" in again.stdout
    assert again.stdout.splitlines()[-1] == f"run: {found}"


def test_status_verify_and_front(found: str, folder: Path, said: Callable[..., str], evonas: Evonas) -> None:
    status = json.loads(evonas("status", found, "--json", folder=folder).stdout)
    assert (status["evaluated"], status["generations"], status["pending"]) == (8, 2, 0)
    assert "finished: the budget of 8 evaluations is used up" in said("status", found)
    assert said("verify", found).startswith("verified: 8 candidates and 2 generations")
    front = json.loads(said("front", found, "--format", "json"))
    assert front
    assert {"candidate", "error", "latency_ms[cpu]", "params", "arch"} <= set(front[0])
    fewer = json.loads(said("front", found, "--format", "json", "--where", "error<0"))
    assert fewer == []
    assert said("front", found, "--format", "csv").startswith(
        "candidate,error,error_low,error_high,latency_ms[cpu],latency_low_ms[cpu],latency_high_ms[cpu]"
    )


def test_front_draws_a_picture(found: str, folder: Path, said: Callable[..., str], evonas: Evonas) -> None:
    assert evonas("front", found, "--plot", "front.png", folder=folder).returncode == 0
    assert (folder / "front.png").read_bytes().startswith(b"\x89PNG")
    said("front", found, "--plot", "none.png", "--where", "error<0")
    assert (folder / "none.png").read_bytes() != (folder / "front.png").read_bytes()


def test_measure_shows_what_was_recorded(found: str, said: Callable[..., str]) -> None:
    lines = said("measure", found, "0")
    assert re.fullmatch(
        r"latency_ms\[cpu\]: median \S+ \(95 % interval \S+ to \S+?(, not settled in time)?\), p90 \S+, \d+ passes, "
        r"median as clocked \S+; the reference network was \S+ (slower|faster) than on the quiet device; "
        r"recorded \S+\n",
        lines,
    )


def test_another_kind_of_device_is_told_and_not_recorded(
    found: str, said: Callable[..., str], here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = devices.cpu()
    monkeypatch.setattr(devices, "cpu", lambda: "Abacus")
    monkeypatch.setattr(benchmark, "UNBEATEN_S", 0)
    unlike = f"targets.cpu: {platform.node()} measures on Abacus, this run on {own}"
    assert said("measure", found, "0").endswith(f"; not to be compared: {unlike}\n")
    assert here("measure", found, "--front") == (
        2,
        f"evonas: {unlike}; one column takes one kind of device: measure on a machine of that kind\n",
    )


def test_space_lists_the_genes(said: Callable[..., str]) -> None:
    text = said("space", "config.yaml")
    assert "7 genes, 31,250 networks" in text
    assert "cell.edge_0_1" in text
    assert text.count("parameters") == 3
    assert "space: stages: 7: pictures of" in said("space", "config.yaml", "--set", "space.stages=7")


@pytest.mark.parametrize("form", ["csv", "json"])
def test_what_space_says_beside_the_genes_stands_beside_other_formats(
    form: str, said: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["space", "config.yaml", "--set", "space.stages=7"]
    main([*words, "--format", form])
    genes, notes = capsys.readouterr()
    assert len(json.loads(genes) if form == "json" else genes.splitlines()[1:]) == 7
    assert "space: stages: 7: pictures of" in notes
    assert said(*words).endswith(f"\n{notes}")


def test_schema_is_json(said: Callable[..., str]) -> None:
    assert json.loads(said("schema"))["title"] == "evonas config"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["search", "none.yaml"], "config: no file none.yaml"),
        (["search", "config.yaml", "--set", "trainig.epochs=3"], "unknown 'trainig'; did you mean 'training'?"),
        (["search", "config.yaml", "--set", "space.kind=cel"], "space.kind: unknown 'cel'; did you mean 'cell'?"),
        (["search", "config.yaml", "--set", "space.nods=3"], "space: unknown 'nods'; did you mean 'nodes'?"),
        (["search", "config.yaml", "--set", "task.kind=digit"], "task.kind: unknown 'digit'; did you mean 'digits'?"),
        (["search", "config.yaml", "--set", "task={kind: npz, path: x.npz}"], "x.npz"),
        (["search", "config.yaml", "--set", "strategy.kind=nsga3"], "strategy.kind: unknown 'nsga3'"),
        (["search", "config.yaml", "--set", "strategy.crossover=2"], "strategy"),
        (["search", "config.yaml", "--set", "targets={}"], "latency_ms needs a target"),
        (["search", "config.yaml", "--set", "targets.cpu.device=cuda", "--run", "new"], "there is no cuda"),
        (["search", "config.yaml", "--set", "training.augment.crop=9", "--run", "new"], "augment"),
        (["search", "config.yaml", "--set", "strategy.populaton=8", "--run", "new"], "did you mean 'population'?"),
        (["search", "config.yaml", "--set", "strategy.kind=nsga", "--run", "new"], "did you mean 'nsga2'?"),
        (["search", "config.yaml", "--set", "runtime.workers=0"], "takes auto or a whole number of 1 or more, not 0"),
        (["search", "config.yaml", "--set", "budget={gpu_hours: 1}"], "budget.gpu_hours is never used up"),
        (["search", "config.yaml", "--run", "config.yaml"], "config.yaml is a file; a run takes a folder"),
        (["search", "config.yaml", "--import", "./nothing.py"], "--import ./nothing.py: there is no such file"),
        (["search", "config.yaml", "--import", "nothing_here"], "--import nothing_here: No module named"),
        (["status", "nowhere"], "nowhere is not a run folder"),
        (["resume", "nowhere"], "nowhere is not a run folder"),
        (["space", "config.yaml", "--set", "space.nodes=1"], "nodes"),
        (
            ["space", "config.yaml", "--set", "space={kind: transformer, patches: 99}"],
            "space: patches: 99: larger than an input of",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_2(words: list[str], says: str, folder: Path, here: Here) -> None:
    status, error = here(*words)
    assert status == 2
    assert says in error
    assert len(error.splitlines()) == 1
    assert not (folder / "new" / "run.json").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["search", "config.yaml", "--set", "training.epochs=3"], "training.epochs is 2 there, 3 here"),
        (["front", "--plot", "no/such/folder.png"], "--plot no/such/folder.png"),
        (["front", "--plot", "front.xyz"], "--plot front.xyz"),
        (["front", "--where", "eror<1"], "unknown 'eror'; did you mean 'error'?"),
        (["front", "--where", "error is small"], "--where takes COLUMN OPERATOR VALUE"),
        (["front", "--where", "error<="], "--where takes COLUMN OPERATOR VALUE"),
        (["front", "--where", "error<nan"], "nothing can be compared with nan"),
        (["measure", "99"], "no evaluated candidate 99; the run has 8, from 0 to 7"),
        (["measure", "0", "--target", "phone"], "no target 'phone'; the run has cpu"),
        (["resume", "--set", "seed=4"], "seed is 0 there, 4 here"),
    ],
)
def test_bad_input_on_a_run(words: list[str], says: str, found: str, here: Here) -> None:
    command, *rest = words
    words = [command, *rest, "--run", found] if command == "search" else [command, found, *rest]
    status, error = here(*words)
    assert (status, len(error.splitlines())) == (2, 1)
    assert says in error


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["measure", "no", "--target", "cpu", "5"], "no is not a run folder"),
        (["measure", "no", "5", "--target", "cpu"], "no is not a run folder"),
        (["log", "no", "--help-me", "5"], "unrecognized arguments: --help-me"),
        (["measure", "no", "5", "6", "--target", "cpu"], "unrecognized arguments: 6"),
        (["cluster", "up", "slurm", "--dry-run", "no.yaml"], "config: no file no.yaml"),
    ],
)
def test_what_may_be_left_out_may_stand_behind_an_option(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    with suppress(SystemExit):
        assert main(words) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "0", "-1", "1e400", "ten"])
def test_a_number_of_the_command_line_is_one_and_above_0(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS:
        for action in _parser([command]).meant._actions:
            assert action.type is not float, f"{command} {action.dest}: arguments.positive refuses nan"
    with pytest.raises(SystemExit) as ended:
        main(["measure-server", f"--max-seconds={number}"])
    assert ended.value.code == 2
    assert f"argument --max-seconds: takes a number above 0, not {number}" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_half_an_option_is_none(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In a later evonas it may be half of another."""
    with pytest.raises(SystemExit) as stop:
        main([*([name] if name else []), "--hel"])
    assert stop.value.code == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("evonas: ")


def test_the_whole_of_half_an_option_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["search", "c.yaml", "--fo=x", "--f", "y"])
    said = "evonas: unrecognized arguments: --fo=x --f y; did you mean --founders?; see evonas --help\n"
    assert capsys.readouterr().err == said


def test_an_option_that_does_not_exist_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["front", "run", "--format", "xml"])
    (said,) = capsys.readouterr().err.splitlines()
    assert stop.value.code == 2
    assert "invalid choice: 'xml'" in said


GATED_SPACE = """
import os
import platform
import time

from evonas.spaces import SPACES
from evonas.spaces.cell import Cell


class Gated(Cell):
    '''Builds as many networks as the gate lets through; the next one takes an hour.'''

    def __init__(self, *, gate: str):
        super().__init__(stages=1, channels=[4, 6])
        self.gate = gate

    def build(self, arch, task):
        with open(f"{self.gate}.built", "a") as built:
            built.write("x")
        if os.path.exists(self.gate) and os.path.getsize(f"{self.gate}.built") > 5:
            open(f"{self.gate}.shut", "w").close()
            time.sleep(3600)
        return super().build(arch, task)


SPACES["gated"] = Gated
"""


@pytest.mark.parametrize(
    ("kind", "number", "status"),
    [
        ("serial", signal.SIGTERM, 143),
        ("ray", signal.SIGINT, 130),
        pytest.param("serial", signal.SIGINT, 130, marks=pytest.mark.slow),
        pytest.param("ray", signal.SIGTERM, 143, marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_search_says_how_to_go_on(kind: str, number: int, status: int, folder: Path, here: Here) -> None:
    """It waits for no candidate: who sends SIGTERM sends SIGKILL next, `ray job stop` after 3 s."""
    run, gate = f"{kind}-{status}", folder / f"gate-{kind}-{status}"
    (folder / "gated_space.py").write_text(GATED_SPACE)
    gate.touch()
    command = [sys.executable, "-m", "evonas", "search", "config.yaml", "--run", run, "--import", "gated_space"]
    command += ["--set", f"space={{kind: gated, gate: {gate}}}", "--set", "training={epochs: 1}"]
    command += ["--set", f"runtime={{kind: {kind}, workers: 1}}", "--set", "targets={}"]
    command += ["--set", "objectives=[{metric: error}, {metric: params}]"]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    until(lambda: gate.with_suffix(".shut").exists() or process.poll() is not None)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # ctrl-C reaches the whole process group
    else:
        process.send_signal(number)
    output, errors = process.communicate(timeout=600)
    assert process.returncode == status, errors
    assert "Traceback" not in errors
    *_, advice, last = output.splitlines()
    assert last == f"run: {run}"
    assert advice.endswith(f"To go on: {shlex.join(['evonas', *command[3:]])}")
    gate.unlink()
    assert here("resume", run, "--import", "gated_space", "--set", "runtime.kind=serial") == (0, "")
    assert here("verify", run) == (0, "")
    assert load(run).evaluations["status"].eq("ok").all(), "nobody is blamed for the signal"


def test_an_own_space_comes_by_import(folder: Path, here: Here, machine: "Cluster", evonas: Evonas) -> None:
    module = (ROOT / "examples" / "custom_space.py").read_text()
    (folder / "custom_space.py").write_text(module)
    words = ["search", "config.yaml", "--run", "own", "--set", "space={kind: mynet}", "--set", "budget.evaluations=5"]
    runtime = ["--set", f"runtime={{kind: ray, workers: 1, address: '{machine.address}'}}"]
    assert here(*words)[0] == 2
    answer = evonas(*words, *runtime, "--import", "custom_space", folder=folder)
    assert answer.returncode == 0, answer.stderr
    assert "give the module that registers it by --import" in here("verify", "own")[1]
    assert "of own is not evonas's own: go on with --import custom_space, as it was started" in here("resume", "own")[1]
    assert evonas("verify", "own", "--import", "custom_space", folder=folder).stdout.startswith("verified: 5")


def test_ctrl_c_before_anything_is_recorded_names_no_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*given: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(folder)
    monkeypatch.setattr("evonas.start.execute", interrupted)
    assert main(["search", "config.yaml", "--run", "early"]) == 130
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "interrupted before anything was recorded. To begin again: evonas search config.yaml --run early"
    assert not (folder / "early").exists()


@pytest.mark.parametrize("missing", [("torch", "ray", "pymoo"), ("matplotlib",)])
def test_a_run_is_read_where_heavy_things_are_absent(missing: tuple[str, ...], found: str, folder: Path) -> None:
    program = f"""
import sys
for name in {missing!r}: sys.modules[name] = None
import evonas
run = evonas.load({found!r})
print(len(run.front()), len(run.evaluations), len(run.population(1)), len(run.lineage(0)))
"""
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=folder, check=False)
    assert answer.stdout.split()[1:] == ["8", "4", "1"], answer.stderr


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"evonas {package.__version__}\n")
    assert package.__version__ == version("evonas")
    assert {"search", "load", "Space", "__version__"} <= set(dir(package))
    with pytest.raises(AttributeError, match="no attribute 'serch'"):
        package.serch  # noqa: B018


def test_a_file_of_the_working_folder_is_no_part_of_the_standard_library(tmp_path: Path) -> None:
    for name in ("profile", "queue", "random", "code", "mine"):
        (tmp_path / f"{name}.py").write_text(f"print('{name} of the working folder')")
    program = "from evonas.commands.arguments import imported; import {}; imported({}); import profile, code, random"
    for first, names, output in (("sys", [], ""), ("sys", ["mine"], "mine of the working folder\n")):
        line = [sys.executable, "-P", "-c", program.format(first, names)]
        answer = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, check=True)
        assert answer.stdout == output
    line = [sys.executable, "-m", "evonas", "--version"]
    answer = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert answer.stdout.startswith("evonas ")
    assert answer.stdout.count("\n") == 1


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys, evonas, evonas.cli; print([m for m in ('torch', 'ray', 'pandas', 'numpy') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
