"""The wheel: all that runs is in it, without the clone; what it says of itself; and extras that messages name."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from evonas.store.remote import EXTRAS as REMOTE_EXTRAS
from evonas.tracking.dispatcher import TRACKERS

ROOT = Path(__file__).parents[1]
SOURCES = ("Makefile", "pyproject.toml", "README.md", "LICENSE")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SHORT = (
    "budget.evaluations=2",
    "strategy.population=2",
    "training.epochs=1",
    "training.rungs=[]",
    "runtime.kind=serial",
)
"""The demo in seconds."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `make wheel` builds it, of a copy: it leaves files behind."""
    copy = tmp_path_factory.mktemp("copy")
    for name in SOURCES:
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / "evonas", copy / "evonas", ignore=shutil.ignore_patterns("__pycache__"))
    binaries = Path(sys.executable).parent
    made = ["make", "--old-file=install", "wheel", f"BIN={binaries}"]
    subprocess.run(made, cwd=copy, check=True, capture_output=True)
    [found] = (copy / "dist").glob("*.whl")
    return found


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as opened:
        [name] = [name for name in opened.namelist() if name.endswith(".dist-info/METADATA")]
        return Parser().parsestr(opened.read(name).decode())


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs of an environment with the wheel, and with what it needs: that of this one, without the clone."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    _pip(python, "install", "--no-deps", "--no-index", "--no-compile", str(wheel))  # what runs is compiled
    paths = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
    Path(paths["purelib"], "needed.pth").write_text(sysconfig.get_paths()["purelib"])
    return folder / "bin"


def _pip(python: Path, *words: str) -> str:
    command = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "--disable-pip-version-check", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stderr


def test_the_demo_runs_from_the_wheel_alone(environment: Path, tmp_path: Path) -> None:
    surroundings = {"HOME": str(tmp_path), "TMPDIR": os.environ["TMPDIR"]}

    def run(*words: str) -> str:
        command = [str(environment / words[0]), *words[1:]]
        answer = subprocess.run(command, cwd=tmp_path, env=surroundings, capture_output=True, text=True)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    place = run("python", "-c", "import evonas; print(evonas.__file__, evonas.__version__)")
    assert Path(place.split()[0]).is_relative_to(environment.parent)
    assert place.split()[1] == PROJECT["version"]
    assert "to search: evonas search config.yaml" in run("evonas", "init", "digits")
    options = [word for change in SHORT for word in ("--set", change)]
    assert "2 candidates evaluated (2 ok)" in run("evonas", "search", "config.yaml", "--run", "run", *options)
    assert run("evonas", "front", "run", "--format", "csv").startswith("candidate,")
    run("evonas", "report", "run")
    assert "</html>" in (tmp_path / "run" / "report.html").read_text()


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    sources = {str(file.relative_to(ROOT)) for file in (ROOT / "evonas").rglob("*") if file.is_file()}
    with zipfile.ZipFile(wheel) as opened:
        packed = {name for name in opened.namelist() if not name.startswith("evonas-")}
    assert packed == {name for name in sources if "__pycache__" not in name}


def test_the_wheel_says_what_it_is(metadata: Message) -> None:
    assert (metadata["Name"], metadata["Version"]) == ("evonas", PROJECT["version"])
    assert "neural architecture search" in metadata["Summary"]
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("License-File") == ["LICENSE"]
    assert metadata["Requires-Python"] == ">=3.11"
    assert "neural architecture search" in metadata["Keywords"].split(",")
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload().startswith("# evonas\n")
    classifiers = metadata.get_all("Classifier")
    assert classifiers is not None
    assert {"Operating System :: POSIX :: Linux", "Typing :: Typed"} <= set(classifiers)


def test_what_the_tests_have_not_run_with_is_no_classifier(metadata: Message) -> None:
    classifiers = metadata.get_all("Classifier") or []
    versions = [name.rpartition(" ")[2] for name in classifiers if re.search(r"Python :: 3\.\d+$", name)]
    assert versions == ["3.11"]
    assert not any("macOS" in name or "Windows" in name for name in classifiers)


def _extras_in_texts() -> Iterator[tuple[str, str]]:
    """File and name of each extra of evonas that a document, message, config or notebook has somebody install."""
    folders = (ROOT / name for name in ("evonas", "docs", "configs", "notebooks", "examples", "benchmarks", "cluster"))
    files = [*ROOT.glob("*.md"), *(file for folder in folders for file in folder.rglob("*"))]
    for file in files:
        if file.suffix in (".py", ".md", ".yaml", ".ipynb") and file.is_file():
            text = file.read_text()
            lists = re.findall(r"pip install '(?:\.|PATH_OF_EVONAS|dist/\S+\.whl)\[([\w,-]+)\]'", text)
            lists += re.findall(r"how_to_install\(['\"]([\w-]+)['\"]\)", text)
            names = [*(name for each in lists for name in each.split(",")), *re.findall(r"\bextra `([\w-]+)`", text)]
            yield from ((str(file.relative_to(ROOT)), name) for name in names)


def test_every_extra_that_a_text_names_exists() -> None:
    named = set(_extras_in_texts())
    assert len({name for _, name in named}) > 5
    assert [each for each in named if each[1] not in PROJECT["optional-dependencies"]] == []
    composed = {*REMOTE_EXTRAS.values(), *TRACKERS}  # into messages
    assert composed <= set(PROJECT["optional-dependencies"])


@pytest.mark.slow
def test_what_is_said_to_install_an_extra_needs_no_index_that_has_evonas(environment: Path, wheel: Path) -> None:
    asked = "from evonas.installing import how_to_install; print(how_to_install('images', 'mlflow', 'onnxruntime'))"
    said = subprocess.run([environment / "python", "-c", asked], check=True, capture_output=True, text=True).stdout
    words = shlex.split(said)
    assert words == ["pip", "install", f"{wheel}[images,mlflow,onnxruntime]"]
    warned = _pip(environment / "python", "install", "--no-index", "--dry-run", *words[2:])
    assert "does not provide the extra" not in warned
