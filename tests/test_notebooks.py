"""The notebooks run from top to bottom as a reader has them, on small runs; those committed have clean outputs."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from nbformat import NotebookNode

import evonas
from tests.test_loop import run

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MOST_BYTES = 1_500_000
WAITS = "no worker has started yet"
"""What a search says where its Ray takes long to start, as on a busy machine."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> str:
    """24 small networks, each trained for two epochs on a fifth of the digits."""
    config = {
        "space": {"kind": "mobile", "stages": 2, "widths": [8, 16], "depths": [0, 1], "stem": 8, "strides": 2},
        "task": {"kind": "digits", "valid_fraction": 0.3, "test_fraction": 0.5},
        "objectives": [{"metric": "error"}, {"metric": "params"}],
        "strategy": {"kind": "nsga2", "population": 8},
        "training": {"epochs": 2, "batch_size": 128, "rungs": [1], "promote": 0.9},
        "budget": {"evaluations": 24},
        "runtime": {"kind": "serial"},
    }
    folder = str(tmp_path_factory.mktemp("runs") / "digits")
    evonas.search(config, run=folder)
    return folder


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Two seeds of each strategy, of which nothing was trained."""
    root = tmp_path_factory.mktemp("compared")
    strategies: dict[str, dict[str, Any]] = {"nsga2": {"kind": "nsga2", "population": 8}, "random": {"kind": "random"}}
    folders: dict[str, list[str]] = {kind: [str(root / f"{kind}-{seed}") for seed in (0, 1)] for kind in strategies}
    for kind, found in folders.items():
        for seed, folder in enumerate(found):
            run(folder, seed=seed, strategy=strategies[kind], schedule={"generation": 8}, budget={"evaluations": 24})
    return folders


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory, binaries: Path) -> Iterator[None]:
    """Makes the kernel `forked`: Python's, as a fork of a process that has everything imported."""
    folder = tmp_path_factory.mktemp("jupyter")
    (folder / "kernels" / "forked").mkdir(parents=True)
    start = "from ipykernel.kernelapp import launch_new_instance as start; start()"
    spec = {"argv": [str(binaries / "run-code"), start, "-f", "{connection_file}"], "language": "python"}
    (folder / "kernels" / "forked" / "kernel.json").write_text(json.dumps({**spec, "display_name": "Python"}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder))
        yield


def parameters(name: str, trained: str, compared: dict[str, list[str]], folder: Path) -> dict[str, Any]:
    return {
        "01-first-front": {"run_folder": trained},
        "02-inside-a-population": {"run_folder": trained},
        "03-compare-runs": {"runs": compared, "point": None},
        "04-choose-and-rebuild": {
            "run_folder": trained,
            "limits": ["params<=50000"],
            "exported": str(folder / "chosen.pt2"),
        },
        "05-own-search-space": {"folder": str(folder / "blocks"), "evaluations": 6, "epochs": 2, "runtime": "serial"},
    }[name]


def execute(path: Path, given: dict[str, Any], folder: Path) -> NotebookNode:
    return papermill.execute_notebook(
        path, folder / path.name, given, cwd=path.parent, kernel_name="forked", progress_bar=False, log_output=False
    )


def test_all_notebooks_are_there() -> None:
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.usefixtures("kernels")
def test_it_runs(path: Path, trained: str, compared: dict[str, list[str]], tmp_path: Path) -> None:
    given = parameters(path.stem, trained, compared, tmp_path)
    done = execute(path, given, tmp_path)
    said = [output.text for output in outputs(done) if output.output_type == "stream"]
    assert not [text for text in said if not text.startswith(WAITS)]


@pytest.mark.slow
@pytest.mark.usefixtures("kernels")
def test_with_a_larger_budget_the_search_of_a_notebook_goes_on(tmp_path: Path) -> None:
    path = NOTEBOOKS[-1]
    for evaluations in (6, 8):
        given = {**parameters(path.stem, "", {}, tmp_path), "evaluations": evaluations}
        execute(path, given, tmp_path)
        assert len(evonas.load(given["folder"]).evaluations) == evaluations


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_committed_can_be_read_on_the_web(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.execution_count, cell.source
            assert cell.outputs or not shows(cell), f"not executed: {cell.source}"
    assert {output.output_type for output in outputs(notebook)} <= {"execute_result", "display_data"}
    said = json.dumps([output.get("data", {}) for output in outputs(notebook)]) + json.dumps(notebook.metadata)
    assert not re.findall(r"/(?:home|work|root|tmp|Users)/[\w./-]*|\\u001b\[|Warning:", said)
    assert path.stat().st_size < MOST_BYTES


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_takes_parameters_and_holds_nothing_that_changes_each_time(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert all(set(cell.metadata) <= {"tags"} for cell in notebook.cells)


def outputs(notebook: NotebookNode) -> list[NotebookNode]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def shows(cell: NotebookNode) -> bool:
    """Whether the cell ends with an expression, which a notebook shows."""
    last = ast.parse(cell.source).body[-1]
    return isinstance(last, ast.Expr)
