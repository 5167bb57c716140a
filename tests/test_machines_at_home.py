"""Machines at home: the lines of cluster/README.md, as a reader types them, on the loopback of this machine."""

import contextlib
import io
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

import evonas
from evonas.cli import main
from tests.synthetic import Toy
from tests.test_loop import content, populations, run
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
SECTION = (ROOT / "cluster" / "README.md").read_text().partition("\n## Machines at home\n")[2].partition("\n## ")[0]
TOKEN = "right-" + "0123456789abcdef" * 2
OTHER_RAY = "import ray; ray.__version__ = '2.1.0'; from ray.scripts.scripts import main; main()"


def typed(beginning: str) -> str:
    """The line of the section that begins so, on loopback and on ports of its own."""
    [line] = re.findall(rf"^{beginning}(?:.*\\\n)*.*$", SECTION, re.MULTILINE)
    line = line.replace("192.168.1.10", "127.0.0.1").replace("192.168.1.11", "127.0.0.1")
    options = re.findall(r"--[\w-]+-port=\d+|--port=\d+", line)
    found = ports(len(options))
    low = 20_000 + 200 * (found[0] % 60)
    for option, port in zip(options, found, strict=True):
        name = option.partition("=")[0]
        worker = {"--min-worker-port": low, "--max-worker-port": low + 199}
        line = line.replace(option, f"{name}={worker.get(name, port)}")
    return line


def ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [server.getsockname()[1] for server in held]
    for server in held:
        server.close()
    return found


@pytest.fixture
def surroundings(tmp_path: Path) -> Iterator[dict[str, str]]:
    pytest.importorskip("aiohttp_cors", reason="a head with a dashboard needs ray[default]")
    kept = {name: word for name, word in os.environ.items() if not name.startswith(("RAY_", "EVONAS_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    with tempfile.TemporaryDirectory(prefix="evo") as short:  # the names of Ray's sockets must fit into 107 bytes
        ours = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN, "RAY_TMPDIR": short, "RAY_USAGE_STATS_ENABLED": "0"}
        yield {**kept, **ours, "PATH": path, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


@contextmanager
def machine(line: str, environment: Mapping[str, str], log: Path) -> Iterator[psutil.Popen]:
    """A terminal in which somebody has typed the line; with all that it has started it is ended at the end."""
    with log.open("w") as file:
        words = ["bash", "-c", f"exec {line}"]
        process = psutil.Popen(words, env=dict(environment), stdout=file, stderr=file, start_new_session=True)
    try:
        yield process
    finally:
        switch_off(process)


def switch_off(process: psutil.Popen) -> None:
    """As by its plug."""
    with contextlib.suppress(psutil.Error):
        all_of_it = [process, *process.children(recursive=True)]
        for each in all_of_it:
            with contextlib.suppress(psutil.Error):
                each.kill()
        process.wait()
        psutil.wait_procs(all_of_it[1:], timeout=60)


def address_of(line: str) -> str:
    [port] = re.findall(r"--port=(\d+)", line)
    return f"127.0.0.1:{port}"


def listens(address: str) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))).close()
        return True
    return False


def listening(process: psutil.Popen) -> set[int]:
    """The ports that a machine's Ray has opened, without those of its workers."""
    alive = [process, *process.children(recursive=True)]
    found = [each for one in alive if not one.name().startswith("ray::IDLE") for each in one.net_connections("inet")]
    return {each.laddr.port for each in found if each.status == psutil.CONN_LISTEN}


def evaluated(folder: Path) -> int:
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()):
        failed = main(["status", str(folder), "--json"])
    found = re.search(r'"evaluated": (\d+)', out.getvalue())
    return int(found[1]) if found and not failed else 0


def works(process: psutil.Popen) -> bool:
    """Whether a worker of a search lives below a machine's Ray."""
    names = [word for child in process.children(recursive=True) for word in child.cmdline()[:1]]
    return any(name.startswith("ray::") and "IDLE" not in name for name in names)


def test_a_machine_that_is_switched_off_in_the_middle_changes_nothing(
    surroundings: dict[str, str], binaries: Path, tmp_path: Path
) -> None:
    alone = run(tmp_path / "alone")
    head = typed("ray start --head").replace("--block", "--num-cpus=1 --block")
    joining = typed("ray start --address").replace("127.0.0.1:6379", address_of(head))
    joining = joining.replace("--block", "--num-cpus=1 --block")
    with ExitStack() as at_home:
        first = at_home.enter_context(machine(head, surroundings, tmp_path / "head.log"))
        until(lambda: listens(address_of(head)), what="the head")
        opened = {int(port) for port in re.findall(r"port=(\d+)", head)}
        strange = {port for port in listening(first) if port not in opened}
        assert {str(port) for port in strange} <= {*re.findall(r"\d+", SECTION.partition("On the head")[0])}, strange
        other = at_home.enter_context(machine(joining, surroundings, tmp_path / "other.log"))
        runtime = {"kind": "ray", "address": address_of(head), "workers": 2, "lease_s": 5.0}
        program = (
            "from tests.test_loop import *\n"
            f"run(Path({str(tmp_path / 'home')!r}), work={{'delay': 0.2}}, runtime={runtime!r})"
        )
        search = subprocess.Popen(
            [str(binaries / "run-code"), program], cwd=ROOT, env=surroundings, stderr=subprocess.PIPE, text=True
        )
        until(lambda: evaluated(tmp_path / "home") >= 10 or search.poll() is not None, what="ten candidates")
        assert search.poll() is None, search.communicate()[1]
        assert works(other), (tmp_path / "other.log").read_text()
        switch_off(other)
        _, said = search.communicate(timeout=PATIENCE_S)
        assert search.returncode == 0, said
    found = evonas.load(tmp_path / "home", Toy())
    assert content(found) == content(alone)
    assert populations(found) == populations(alone)


def said(binaries: Path, environment: dict[str, str], *words: str) -> str:
    done = subprocess.run(
        [str(binaries / "evonas"), *words], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode in {1, 2}, done
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout + done.stderr.strip().splitlines()[-1] if done.stderr else done.stdout


def test_another_token_and_another_ray_are_a_line_each(
    surroundings: dict[str, str], binaries: Path, tmp_path: Path
) -> None:
    head = typed("ray start --head").replace("ray start", f'python -c "{OTHER_RAY}" start', 1)
    address = address_of(head)
    search = ["search", "configs/digits.yaml", "--run", str(tmp_path / "run"), "--set", f"runtime.address={address}"]
    wrong = {**surroundings, "RAY_AUTH_TOKEN": "wrong-" + TOKEN[6:]}
    with machine(head, surroundings, tmp_path / "head.log"):
        until(lambda: listens(address), what="the head")
        refused = f"{address} refuses our token, or wants one"
        assert f"runtime.address: {refused}; set RAY_AUTH_MODE=token" in said(binaries, wrong, *search)
        assert refused in said(binaries, wrong, "doctor", "--address", address)
        until(lambda: "Ray runtime started" in (tmp_path / "head.log").read_text(), what="all of Ray")
        other = "the cluster has Ray 2.1.0 and Python "
        assert f"runtime.address: {other}" in said(binaries, surroundings, *search)
        assert other in said(binaries, surroundings, "doctor", "--address", address)
    assert not (tmp_path / "run").exists()
