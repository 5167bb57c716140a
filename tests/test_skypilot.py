"""cluster/skypilot.yaml: its promises, SkyPilot's own schema where that is installed, its script with stand-ins."""

import copy
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FILE = ROOT / "cluster" / "skypilot.yaml"
TASK = yaml.safe_load(FILE.read_text())
SKYPILOTS_PORTS = {"6380", "8266", "52365"}
RAY = """#!/usr/bin/env python3
import pathlib, signal, socket, sys, time
home, words = pathlib.Path.home(), sys.argv[1:]
with (home / "ray.log").open("a") as log:
    log.write(" ".join(words) + "\\n")
place = next(word for word in words if word.startswith(("--port=", "--address=")))
port = int(place.replace(":", "=").rpartition("=")[2])
if "--head" in words:
    time.sleep(0.3)
    with socket.create_server(("127.0.0.1", port)):
        signal.pause()
tries = (home / "ray.log").read_text().count("--address=")
while tries > 1:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        break
    time.sleep(0.05)
sys.exit(1)
"""
"""The head listens until it is ended; another breaks down at first, and then stays until the head is gone."""
EVONAS = """#!/bin/sh
echo "$@" > "$HOME/evonas.log"
until [ "$(grep -c -e --address= "$HOME/ray.log")" -ge 2 ]; do sleep 0.05; done
exit 5
"""


def faults(task: Any) -> Iterator[str]:
    resources, run = task["resources"], task["run"]
    if not resources["use_spot"]:
        yield "not on spot"
    if len({place["infra"].partition("/")[0] for place in resources["any_of"]}) < 2:
        yield "one cloud alone"
    if any(task["secrets"].values()) or "RAY_AUTH_TOKEN" not in task["secrets"] or "RAY_AUTH_TOKEN" in task["envs"]:
        yield "a token that can be read"
    if task["envs"].get("RAY_AUTH_MODE") != "token":
        yield "a Ray that takes orders from anybody"
    if SKYPILOTS_PORTS & {*re.findall(r"\d{4,}", run)} or run.count("--dashboard-agent-listen-port=") != 2:
        yield "a port of SkyPilot's own Ray"
    if "ray stop" in run:
        yield "SkyPilot's Ray is stopped"
    if "--dashboard-host=127.0.0.1" not in run:
        yield "a dashboard for everybody"
    if "requirements-gpu.lock" not in task["setup"] or not re.search(r"--no-deps .* \.$", task["setup"], re.MULTILINE):
        yield "another evonas than that of the checkout"


def test_it_keeps_its_promises() -> None:
    assert list(faults(TASK)) == []


FAULTS: dict[str, Callable[[Any], Any]] = {
    "not on spot": lambda task: task["resources"].update(use_spot=False),
    "one cloud alone": lambda task: task["resources"].update(any_of=[{"infra": "aws/us-west-2"}, {"infra": "aws"}]),
    "a token that can be read": lambda task: task["secrets"].update(RAY_AUTH_TOKEN="abc"),
    "a Ray that takes orders from anybody": lambda task: task["envs"].pop("RAY_AUTH_MODE"),
    "a port of SkyPilot's own Ray": lambda task: task.update(run=task["run"].replace("--port=6379", "--port=6380")),
    "SkyPilot's Ray is stopped": lambda task: task.update(run=task["run"] + "ray stop\n"),
    "a dashboard for everybody": lambda task: task.update(run=task["run"].replace("=127.0.0.1", "=0.0.0.0")),
    "another evonas than that of the checkout": lambda task: task.update(setup="pip install something"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_seen(fault: str) -> None:
    task = copy.deepcopy(TASK)
    FAULTS[fault](task)
    assert fault in faults(task)


def test_skypilot_takes_it() -> None:
    pytest.importorskip("sky", reason="SkyPilot, which wants an environment of its own, is not installed")
    from sky.utils import common_utils, schemas

    common_utils.validate_schema(copy.deepcopy(TASK), schemas.get_task_schema(), "task: ")
    resources = copy.deepcopy(TASK["resources"])
    common_utils.validate_schema(resources, schemas.get_resources_schema(), "resources: ")
    with pytest.raises(ValueError, match="use_sport"):
        common_utils.validate_schema({**resources, "use_sport": True}, schemas.get_resources_schema(), "resources: ")


@pytest.mark.parametrize("part", ["setup", "run"])
def test_its_scripts_pass_their_linter(part: str) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    linter = shutil.which("shellcheck", path=path)
    if linter is None:
        pytest.skip("shellcheck is not installed")
    done = subprocess.run([linter, "--shell=bash", "-"], input=TASK[part], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def node(rank: int, home: Path, port: int) -> "subprocess.Popen[str]":
    script = TASK["run"].replace("6379", str(port)).replace("sleep 5", "sleep 0.1").replace("sleep 2", "sleep 0.1")
    place = {"SKYPILOT_NODE_RANK": str(rank), "SKYPILOT_NODE_IPS": "127.0.0.1\n10.0.0.2", "SKYPILOT_NUM_NODES": "2"}
    given = {"CONFIG": "my config.yaml", "RUN": "s3://bucket/run", "SKYPILOT_NUM_GPUS_PER_NODE": "1"}
    environment = {**place, **given, "HOME": str(home), "PATH": os.environ["PATH"]}
    return subprocess.Popen(["bash", "-c", script], env=environment, stderr=subprocess.PIPE, text=True)


def test_a_node_joins_again_and_the_job_ends_as_the_search_does(tmp_path: Path) -> None:
    programs = tmp_path / "evonas-venv" / "bin"
    programs.mkdir(parents=True)
    for name, text in (("ray", RAY), ("evonas", EVONAS)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    nodes = [node(rank, tmp_path, port) for rank in (1, 0)]
    other, head = ((each.communicate(timeout=600)[1], each.returncode)[::-1] for each in nodes)
    assert (head[0], other[0]) == (5, 0), (head, other)
    asked = (tmp_path / "ray.log").read_text().splitlines()
    assert [line.partition(" --dash")[0] for line in asked if "--head" in line] == [
        f"start --head --node-ip-address=127.0.0.1 --port={port}"
    ]
    assert sum(f"--address=127.0.0.1:{port}" in line for line in asked) >= 2
    search = (tmp_path / "evonas.log").read_text()
    assert search.startswith("search my config.yaml --run s3://bucket/run --set runtime.address=127.0.0.1:")
    assert "--set runtime.workers=2 --set runtime.gpus_per_worker=1" in search
