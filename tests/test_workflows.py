""".github/workflows: what can be seen of them where they do not run."""

import copy
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from evonas.cli import _parser

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
DOCKERFILE = (ROOT / "cluster" / "Dockerfile").read_text()


def read(file: Path) -> Any:
    found = yaml.safe_load(file.read_text())
    return {"on": found.pop(True), **found}  # which is what YAML takes `on` for


IMAGES = read(ROOT / ".github" / "workflows" / "images.yml")


def steps(workflow: Any) -> list[Any]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def scripts(workflow: Any) -> list[str]:
    return [step["run"] for step in steps(workflow) if "run" in step]


def faults(workflow: Any) -> Iterator[str]:
    if not all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"]) for step in steps(workflow) if "uses" in step):
        yield "an action that somebody may change under its name"
    if workflow.get("permissions") != {"contents": "read"}:
        yield "more rights than needed"
    if any("${{" in script for script in scripts(workflow)):
        yield "what a stranger has written becomes a script"
    if not all("timeout-minutes" in job for job in workflow["jobs"].values()):
        yield "a job without an end"
    for path in workflow["on"].get("pull_request", {}).get("paths", []):
        if not (ROOT / path).exists():
            yield f"no file {path}"
    for step in steps(workflow):
        if "secrets." in str(step) and "tag" not in step.get("if", ""):
            yield "a secret that a pull request reaches"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_workflow_is_safe_and_names_what_there_is(file: Path) -> None:
    assert list(faults(read(file))) == []


FAULTS: dict[str, Callable[[Any], Any]] = {
    "an action that somebody": lambda flow: steps(flow)[0].update(uses="actions/checkout@v4"),
    "more rights": lambda flow: flow.update(permissions="write-all"),
    "what a stranger": lambda flow: steps(flow)[-1].update(run="echo ${{ github.head_ref }}"),
    "a job without an end": lambda flow: flow["jobs"]["base"].pop("timeout-minutes"),
    "no file cluster/Dockerfil": lambda flow: flow["on"]["pull_request"]["paths"].append("cluster/Dockerfil"),
    "a secret": lambda flow: steps(flow)[-1].pop("if"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_seen(fault: str) -> None:
    workflow = copy.deepcopy(IMAGES)
    FAULTS[fault](workflow)
    assert [found for found in faults(workflow) if found.startswith(fault)]


def test_both_images_are_built_of_one_base_by_its_digest_and_tried() -> None:
    text = "\n".join(scripts(IMAGES))
    assert IMAGES["jobs"]["image"]["strategy"]["matrix"]["device"] == ["gpu", "cpu"]
    named = set(re.findall(r'--build-arg "(\w+)=', text))
    assert {"BASE", "DEVICE"} <= named <= set(re.findall(r"^ARG (\w+)", DOCKERFILE, re.MULTILINE))
    assert re.findall(r"-f (\S+)", text) == ["cluster/Dockerfile"]
    assert '"$tag" --format' in text
    assert 'evonas:tried id -u)" = 1000' in text
    [tried] = re.findall(r"evonas search (.*?)'\n", text.replace("\\\n", " "))
    _parser(["search"]).parse_args(["search", *shlex.split(tried)])


def test_the_base_is_found_in_the_dockerfile() -> None:
    [script] = [step["run"] for step in IMAGES["jobs"]["base"]["steps"] if "run" in step]
    [line] = [line for line in script.splitlines() if line.startswith("tag=")]
    found = subprocess.run(
        ["bash", "-euc", f'{line}; echo "$tag"'], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert re.fullmatch(r"rayproject/ray:[\w.-]+\n", found.stdout)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_scripts_pass_their_linter(file: Path) -> None:
    linter = shutil.which("shellcheck", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if linter is None:
        pytest.skip("shellcheck is not installed")
    whole = "\n".join(
        f"part_{place}() {{\n{script}\n}}\npart_{place}" for place, script in enumerate(scripts(read(file)))
    )
    done = subprocess.run(
        [linter, "--shell=bash", "--exclude=SC2154", "-"], input=whole, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_github_takes_its_keys(file: Path) -> None:
    pytest.importorskip("check_jsonschema", reason="check-jsonschema, which has GitHub's schema, is not installed")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(file)]
    subprocess.run(command, check=True)
