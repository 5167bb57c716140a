"""The documents: their tutorials run as they are printed, their links lead somewhere, their references are complete."""

import argparse
import ast
import inspect
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest
import yaml

import evonas
from evonas.commands import COMMANDS
from evonas.commands.init import CONFIG
from evonas.commands.schema import schema
from evonas.config import TargetConfig
from evonas.config.loading import load_config
from evonas.errors import UserError
from evonas.exporters import EXPORTERS
from evonas.measuring.backends.backend import check_device
from evonas.spaces import SPACES
from evonas.store.columns import CONDITIONS, FIXED, OF_THE_TASK, POPULATION, described
from evonas.strategies import STRATEGIES
from evonas.tasks import TASKS
from tests.tutorial import blocks

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
    ROOT / "cluster" / "README.md",
    ROOT / "benchmarks" / "RESULTS.md",
    *sorted(DOCS.rglob("*.md")),
]
RUN = [
    *(f"tutorials/{name}" for name in ("first-search", "own-data", "own-space")),
    pytest.param("tutorials/own-device", marks=pytest.mark.slow),
    pytest.param("how-to/extend", marks=pytest.mark.slow),
    pytest.param("how-to/ray-tune", marks=pytest.mark.slow),
]
LIMIT_S = 900


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
        return port


@pytest.fixture
def folder() -> Iterator[Path]:
    """With a short name, as sockets need it; what a page left running is ended."""
    path = Path(tempfile.mkdtemp(prefix="ev"))
    yield path
    for process in psutil.process_iter(["environ", "cwd"]):
        of_the_page = (process.info["environ"] or {}).get("EVONAS_TUTORIAL") == str(path)
        if of_the_page or (process.info["cwd"] or "").startswith(f"{path}{os.sep}"):  # forks show no other environment
            process.send_signal(signal.SIGKILL)
    shutil.rmtree(path, ignore_errors=True)


def run(page: Path, folder: Path, binaries: Path, more: dict[str, str] | None = None) -> str:
    """Run a tutorial with the ports and temporary folders of this test in the place of its own; what it printed."""
    text = page.read_text()
    for words, ours in {"7071": str(free_port()), **(more or {})}.items():
        text = text.replace(words, ours)
    copy = folder / "page.md"
    copy.write_text(text)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("EVONAS_", "RAY_"))},
        "PATH": os.pathsep.join([str(binaries), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
        "EVONAS_TUTORIAL": str(folder),
    }
    (folder / "work").mkdir()
    with (folder / "output").open("w+") as output:
        command = [str(binaries / "run-script"), str(ROOT / "tests" / "tutorial.py"), str(copy)]
        ended = subprocess.run(
            command, cwd=folder / "work", env=environment, stdout=output, stderr=output, timeout=LIMIT_S, check=False
        )
        output.seek(0)
        printed = output.read()
    assert ended.returncode == 0, printed[-5000:]
    return printed


@pytest.mark.parametrize("name", RUN)
def test_a_page_runs_as_it_is_printed(name: str, folder: Path, binaries: Path) -> None:
    """But for the time that a latency may take, how many networks are trained, in what batches and on how many
    workers, which is not what is looked at."""
    less = {
        "max_seconds: 0.3": "max_seconds: 0.02",
        "batch_size: 32": "batch_size: 128",
        "batch_size: 16": "batch_size: 64",
        "budget: {evaluations: 12}\n```": "budget: {evaluations: 12}\nruntime: {workers: 1}\n```",
        "evaluations: 12": "evaluations: 8",
        '"evaluations": 12': '"evaluations": 8',
    }
    printed = run(DOCS / f"{name}.md", folder, binaries, less)
    assert "front" in printed
    assert "failed" not in printed


@pytest.mark.slow
def test_the_tutorial_of_a_cluster_runs_as_it_is_printed(folder: Path, binaries: Path) -> None:
    pytest.importorskip("aiohttp_cors", reason="a head with a job API needs ray[default]")
    ports = {str(port): str(free_port()) for port in (6399, 8296, 8297, 8298, 8299)}
    ours = {**ports, "/tmp/evonas-ray": str(folder / "ray")}
    printed = run(DOCS / "tutorials" / "cluster.md", folder, binaries, ours)
    assert "submitted as evonas-digits-" in printed
    assert "8 candidates evaluated" in printed
    assert "verified: 10 candidates" in printed


def test_the_commands_of_the_tutorial_of_a_cluster_exist() -> None:
    """Quick: what that page asks of evonas is parsed, and its config is one."""
    found = blocks((DOCS / "tutorials" / "cluster.md").read_text())
    called = {
        words.split()[1]
        for block in found
        if block.kind == "sh"
        for words in re.findall(r"^evonas .*", block.code, re.M)
    }
    assert {"doctor", "submit", "status", "resume", "verify"} <= called <= set(COMMANDS)
    [config] = [block for block in found if block.kind == "yaml"]
    path = Path(tempfile.mkdtemp()) / "digits.yaml"
    path.write_text(config.code)
    assert load_config(path).budget.evaluations == 8


def test_python_in_tutorials_is_formatted_like_ours() -> None:
    for page in sorted((DOCS / "tutorials").glob("*.md")):
        for block in blocks(page.read_text()):
            if block.kind == "python":
                ast.parse(block.code)
                assert max(map(len, block.code.splitlines())) <= 120, page


def imports() -> Iterator[tuple[str, str, str]]:
    """(where, module, name) of each `from evonas... import name` in pages, notebooks, examples and benchmarks."""
    for page in PAGES:
        if page.name != "CHANGELOG.md":  # it tells of what there was
            for number, line in enumerate(page.read_text().splitlines(), start=1):
                if found := re.match(r"\s*from (evonas[\w.]*) import ([\w, ]+)$", line):
                    yield from ((f"{page.relative_to(ROOT)}:{number}", found[1], name) for name in found[2].split(", "))
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for module, names in re.findall(r"from (evonas[\w.]*) import ([\w, ]+)", notebook.read_text()):
            yield from ((notebook.name, module, name) for name in names.split(", "))
    for script in (*sorted((ROOT / "examples").rglob("*.py")), *sorted((ROOT / "benchmarks").rglob("*.py"))):
        for node in ast.walk(ast.parse(script.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "evonas":
                yield from ((f"{script.name}:{node.lineno}", str(node.module), alias.name) for alias in node.names)


def test_what_documents_and_scripts_import_is_there() -> None:
    """Quick: a name that moved is missed here before a tutorial, an example or a benchmark has run."""
    found = [*imports()]
    assert len(found) > 50
    for where, module, name in found:
        assert hasattr(import_module(module), name) or find_spec(f"{module}.{name}"), f"{where}: {module}.{name}"


def links(page: Path) -> list[str]:
    text = re.sub(r"^( *)(```+).*?^\1\2 *$", "", page.read_text(), flags=re.M | re.S)
    return re.findall(r"\]\((?![a-z]+:)([^)\s]+)\)", text)


def anchors(page: Path) -> set[str]:
    """As code hosts and mkdocs make them of headings."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(), flags=re.M)
    return {re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", head.lower()).strip()) for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere_in_a_checkout(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), f"{page}: {link}"
        assert ROOT in target.parents, f"{page}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{page}: {link}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_name_no_path_of_one_machine(page: Path) -> None:
    assert not re.findall(r"/(?:work|root|Users)/\S*|pypi\.org|files\.pythonhosted", page.read_text())


def test_the_readme_is_read_to_its_end() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text()
    for page in sorted(DOCS.rglob("*.md")):
        assert f": {page.relative_to(DOCS)}\n" in navigation, page


def test_the_layers_of_the_design_page_are_those_that_are_checked() -> None:
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]["layers"]
    checked = [sorted(layer.split(" | ")) for layer in layers if layer != "__main__"]
    drawn = re.search(r"## Imports go one way\n```\n(.*?)```", (DOCS / "design.md").read_text(), re.S)
    assert drawn
    rows = [sorted(re.split(r"\s{2,}", line)[0].split(" · ")) for line in drawn[1].splitlines()]
    assert sorted(name for row in rows for name in row) == sorted(name for row in checked for name in row)


def test_a_public_name_without_a_docstring_is_named(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "evonas", tmp_path / "evonas", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(DOCS, tmp_path / "docs", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, str(DOCS / "check_docstrings.py"), str(tmp_path)]
    source = tmp_path / "evonas" / "runs" / "run.py"
    source.write_text(source.read_text() + "\n\nclass Bare:\n    def method(self) -> None:\n        pass\n")
    page = tmp_path / "docs" / "reference" / "api.md"
    page.write_text(page.read_text() + "\n::: evonas.runs.run.Bare\n")
    bad = subprocess.run(command, capture_output=True, text=True, check=False)
    assert bad.returncode == 1
    where = r"evonas/runs/run\.py:\d+: evonas\.runs\.run\.Bare"
    assert re.fullmatch(rf"{where} has no docstring\n{where}\.method has no docstring\n", bad.stderr), bad.stderr


def test_every_column_of_a_run_is_described(tmp_path: Path) -> None:
    config = {
        "space": {"kind": "cell", "stages": 1, "channels": [4]},
        "task": {"kind": "digits"},
        "targets": {"cpu": {"max_seconds": 0.05}},
        "objectives": [{"metric": "error"}, {"metric": "latency_ms", "target": "cpu"}],
        "record": ["memory_mb[cpu]", "size_mb[cpu]"],
        "strategy": {"population": 2},
        "training": {"epochs": 1},
        "budget": {"evaluations": 2},
        "runtime": {"kind": "serial"},
    }
    run = evonas.search(config, run=tmp_path / "run")
    [evaluations], [populations] = (
        [*(tmp_path / "run" / kind).glob("*.parquet")] for kind in ("evaluations", "populations")
    )
    columns = pq.read_schema(evaluations).names
    assert {"memory_mb[cpu]", "size_mb[cpu]", "latency_samples[cpu]"} <= set(columns)
    assert [name for name in columns if described(name) is OF_THE_TASK] == ["error"]
    assert set(pq.read_schema(populations).names) == set(POPULATION)
    assert set(FIXED) - {"scores"} <= set(run.evaluations.columns)
    for name in columns:
        assert described(name).meaning, name
    text = " ".join([*CONDITIONS, *CONDITIONS.values()])
    said = {name.replace("[cpu]", "[T]") for row in run.evaluations["conditions"] for name in dict(row)}
    assert {"host", "quiet[T]"} <= said
    assert [name for name in sorted(said) if f"`{name}`" not in text and name not in CONDITIONS] == []


def test_every_argument_of_a_command_is_described() -> None:
    for name in COMMANDS:
        parser = argparse.ArgumentParser(prog=name)
        import_module(f"evonas.commands.{name.replace('-', '_')}").add_arguments(parser)
        assert not [action.dest for action in parser._actions if not action.help], name


def test_every_key_of_a_config_is_described() -> None:
    whole = schema()
    for name, model in {**whole["$defs"], "Config": whole}.items():
        for key, value in model.get("properties", {}).items():
            described_by_kinds = "properties" in value.get("anyOf", [{}])[0]  # space, task, strategy, learner
            assert value.get("description") or described_by_kinds, f"{name}.{key} has no description"


def test_a_link_that_leads_nowhere_fails_the_build_and_the_site_asks_nobody_for_anything(
    binaries: Path, tmp_path: Path
) -> None:
    """One build, of a copy with three faults planted: `make check` names these and nothing else."""
    pytest.importorskip("mkdocs", reason="make docs needs the extra docs")
    [words] = re.findall(r"^MKDOCS := (.*)$", (ROOT / "Makefile").read_text(), re.M)
    [check] = re.findall(r"^check: install\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.M)
    assert check.endswith("\t$(MKDOCS)\n")
    assert "--quiet" not in words, "with it, mkdocs --strict counts no warnings"
    for name in ("docs", "evonas", "cluster", "benchmarks", "configs", "examples", "notebooks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (ROOT / "mkdocs.yml", *ROOT.glob("*.md")):
        shutil.copy(file, tmp_path)
    page = tmp_path / "docs" / "measured.md"
    page.write_text(page.read_text() + "\n[one](nowhere.md) [two](design.md#nowhere) [three][evonas.nowhere]\n")
    mkdocs = [
        str(binaries / "run-code"),
        "import runpy; runpy.run_module('mkdocs', run_name='__main__', alter_sys=True)",
    ]
    line = words.replace("$(BIN)/mkdocs", shlex.join(mkdocs))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    built = subprocess.run(line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 1, built.stderr
    warnings = re.findall(r"^(?:WARNING|ERROR) .*$", built.stderr, re.M)
    assert len(warnings) == 3, built.stderr
    assert all(fault in " ".join(warnings) for fault in ("nowhere.md", "design.md#nowhere", "evonas.nowhere"))
    pages = [*(tmp_path / "site").rglob("*.html")]
    assert len(pages) > 30
    for html in pages:
        loaded = re.findall(
            r"<(?:script|img|iframe|link)\b[^>]*?(?:src|href)=[\"']?(https?://[^\"'\s>]+)", html.read_text()
        )
        assert not loaded, f"{html}: {loaded}"


def examples_of_targets(text: str) -> Iterator[dict[str, Any]]:
    """The sections of targets in a page or a config, and in its lines of code, wherever they stand."""
    for found in re.findall(r"\{[^{}]*\b(?:backend|device): [^{}]*\}", text):
        try:
            section = yaml.safe_load(found)
        except yaml.YAMLError:  # no YAML: Python, or JSON of something else
            continue
        if isinstance(section, dict) and {"backend", "device"} & section.keys() <= set(TargetConfig.model_fields):
            yield section


def test_examples_of_targets_are_such_as_a_machine_can_have() -> None:
    found = 0
    for page in (*PAGES, *sorted((ROOT / "configs").glob("*.yaml")), *sorted((ROOT / "examples").glob("*.py"))):
        for section in examples_of_targets(page.read_text()):
            found += 1
            check_device(page.name, TargetConfig.model_validate(section))
        # A Jetson's GPU counts no energy, and the Python of its JetPack is older than ours.
        assert "jetson" not in page.read_text(), page
    assert found >= 5


def test_an_example_that_no_machine_can_have_is_found() -> None:
    (section,) = examples_of_targets("as `targets: {npu: {backend: onnxruntime, device: npu}}` shows")
    with pytest.raises(UserError, match="onnxruntime does not run on npu"):
        check_device("example", TargetConfig.model_validate(section))


def test_comments_of_configs_and_help_name_all_kinds() -> None:
    """And the pages that are made from code say, in a checkout, where it stands meanwhile."""
    comments = (ROOT / "configs" / "custom.yaml").read_text()
    for kinds in (SPACES, TASKS, STRATEGIES):
        assert [kind for kind in kinds if not re.search(rf"#.*\b{kind}\b", comments)] == []
    assert [kind for kind in SPACES if not re.search(rf"#.*\b{kind}\b", CONFIG)] == []
    assert [form for form in EXPORTERS if form not in COMMANDS["export"]] == []
    for page, kinds in {"tasks": TASKS, "spaces": SPACES, "strategies": STRATEGIES}.items():
        said = (ROOT / "docs" / "reference" / f"{page}.md").read_text().splitlines()[1]
        kind = re.search(r"help\([A-Z]+\['(\w+)'\]\)", said)
        assert kind is not None, said
        assert "Args:" in str(inspect.getdoc(kinds[kind[1]]))
