"""Submitting a search: to a pretended cluster that counts what it is asked, and to a real head with a token."""

import io
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest
import yaml

from evonas.cli import main
from evonas.config.loading import load_config
from evonas.errors import UserError
from evonas.runtime.ray_pool.cluster import AS_ASKED
from evonas.submit import ray_jobs as job_api
from evonas.submit import submission
from evonas.submit.following import Following
from evonas.submit.ray_jobs import Address, parse
from evonas.submit.staging import stage
from evonas.submit.submission import submit
from tests.clusters import HEAD_FOR_JOBS
from tests.launch.stand_ins import CONFIG

ROOT = str(Path(__file__).parents[1])
SPACE = """
import own_helper
from evonas.spaces import SPACES
from evonas.spaces.cell import Cell
SPACES["own"] = Cell
"""
LINE = "evonas submit config.yaml --address URL --run /runs/a"
CANARY = "hunter2-canary"
TOKEN = "right-" + "0123456789abcdef" * 2


@dataclass
class Pretended:
    """The job API as Ray answers it, without Ray. token: what it asks for, none where empty."""

    token: str = ""
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    packages: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    authorized: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=lambda: [""])
    hidden: bool = False
    redirect: str = ""
    url: str = ""

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, Any]:
        method, path, sent = request.command, request.path, request.headers.get("Authorization", "")
        self.asked.append(f"{method} {path}")
        self.authorized += [sent] if sent else []
        if self.redirect and sent:
            return 302, ""
        if self.token and sent != f"Bearer {self.token}":
            return (403, "Forbidden: Invalid authentication token") if sent else (401, "Unauthorized")
        if path == "/api/jobs/" and method == "GET":
            return 200, [] if self.hidden else [*self.jobs.values(), {"submission_id": None, "status": "RUNNING"}]
        if path == "/api/jobs/":
            return self.submitted(json.loads(body))
        if path.startswith("/api/packages/gcs/"):
            name = path.rpartition("/")[2]
            if method == "PUT":
                self.packages[name] = body
            return (200 if name in self.packages else 404), ""
        name = path.split("/")[3]
        if path.endswith("/logs"):
            output = self.outputs.pop(0) if len(self.outputs) > 1 else self.outputs[0]
            if output == "lost":
                return 500, "Traceback\nRuntimeError: no agent"
            if len(self.outputs) == 1:
                self.jobs[name]["status"] = "SUCCEEDED"
            return 200, {"logs": output}
        return 200, self.jobs[name]

    def submitted(self, order: dict[str, Any]) -> tuple[int, Any]:
        name = order["submission_id"]
        if name in self.jobs:
            return 500, f"Traceback\nValueError: RayJob with submission_id {name} already exists. Please use another."
        self.jobs[name] = {**order, "status": "RUNNING", "message": "", "driver_exit_code": None}
        return 200, {"submission_id": name}

    def orders(self) -> list[str]:
        return [line for line in self.asked if not line.startswith("GET")]


def served(pretended: Pretended) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, found = pretended.answer(self, body)
            data = (found if isinstance(found, str) else json.dumps(found)).encode()
            self.send_response(status)
            if status == 302:
                self.send_header("Location", pretended.redirect)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = do  # noqa: N815

        def log_message(self, *words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    pretended.url = f"http://127.0.0.1:{server.server_address[1]}"
    return server


@pytest.fixture
def cluster() -> Iterator[Pretended]:
    pretended = Pretended()
    server = served(pretended)
    yield pretended
    server.shutdown()
    server.server_close()


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder, with much in it that is nobody's business; the current one, and first to import from."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / ".env").write_text(f"PASSWORD={CANARY}")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "images.npz").write_bytes(bytes(1000))
    (tmp_path / "runs" / "a").mkdir(parents=True)
    (tmp_path / "runs" / "a" / "run.json").write_text("{}")
    (tmp_path / "own_space.py").write_text(SPACE)
    (tmp_path / "own_helper.py").write_text("")
    (tmp_path / "unused.py").write_text(f"PASSWORD = {CANARY!r}")
    package = tmp_path / "own_package"
    for name in (".env", ".hidden/code.py", "venv/pyvenv.cfg", "venv/code.py", "data/x.npz", "key.pem", "__init__.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(f"# {CANARY}" if name != "__init__.py" else "")
    (package / "parts").mkdir()
    (package / "parts" / "kernel.cu").write_text("")
    (package / "parts" / "task.py").write_text("")
    (package / "link.py").symlink_to(package / ".env")
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setenv("HOME", str(home))
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(submission, "POLL_S", 0.01)
    return tmp_path


@pytest.fixture
def modules(user: Path) -> Iterator[list[ModuleType]]:
    from evonas.spaces import SPACES

    yield [import_module("own_space"), import_module("own_package.parts.task")]
    SPACES.pop("own")
    for name in [name for name in sys.modules if name.startswith("own_")]:
        del sys.modules[name]


def asked(cluster: Pretended, **changes: Any) -> int:
    return submit(**{"config": "config.yaml", "address": cluster.url, "run": "/runs/a", "line": LINE, **changes})


def test_what_is_sent_is_code_and_config(user: Path, modules: Sequence[ModuleType]) -> None:
    staged = stage("config.yaml", "s3://bucket/run/", ["space.kind=own"], modules)
    users = {name for name in staged.files if not name.startswith("evonas")}
    package = {"own_package/__init__.py", "own_package/parts/kernel.cu", "own_package/parts/task.py"}
    assert users == {"config.yaml", "own_space.py", "own_helper.py", *package}
    assert {"evonas/__main__.py", "evonas/spaces/cell.py", "evonas/runtime/ray_pool/pool.py"} < staged.files.keys()
    assert {"evonas/prices/list_prices.yaml", "evonas/report/page.html"} < staged.files.keys()  # read as it runs
    assert not [name for name, data in staged.files.items() if CANARY.encode() in data or "__pycache__" in name]
    assert staged.entrypoint.endswith(
        "python -m evonas search config.yaml --run s3://bucket/run --import own_space --import own_package.parts.task"
    )
    archive = zipfile.ZipFile(io.BytesIO(staged.packed()))
    assert archive.testzip() is None
    assert {name: archive.read(name) for name in archive.namelist()} == staged.files
    assert len(staged.packed()) < 2e6


def test_the_config_is_the_same_search_on_the_cluster(user: Path) -> None:
    staged = stage("config.yaml", "/runs/a", ["seed=7", "runtime.workers=3"])
    there, here = load_config(yaml.safe_load(staged.files["config.yaml"])), load_config("config.yaml", ["seed=7"])
    assert there.fingerprint == here.fingerprint
    assert (there.runtime.address, there.runtime.workers) == ("auto", 3)
    elsewhere = stage("config.yaml", "/runs/a", ["runtime.address=10.0.0.1:6379"])
    assert yaml.safe_load(elsewhere.files["config.yaml"])["runtime"]["address"] == "10.0.0.1:6379"


def test_a_latency_table_below_the_folder_is_sent(user: Path) -> None:
    (user / "tables").mkdir()
    (user / "tables" / "pi.parquet").write_bytes(b"PAR1")
    objectives = "objectives=[{metric: error}, {metric: latency_ms, target: pi, from: tables/pi.parquet}]"
    staged = stage("config.yaml", "/runs/a", [objectives, "targets={pi: {}}"])
    assert staged.files["tables/pi.parquet"] == b"PAR1"
    (user / "shared.safetensors").write_bytes(b"weights")
    before = "training={rungs: [0], before: supernet, supernet: shared.safetensors}"
    assert stage("config.yaml", "/runs/a", [before]).files["shared.safetensors"] == b"weights"
    with pytest.raises(UserError, match=r"\.\./pi\.parquet: only files below"):
        stage("config.yaml", "/runs/a", [objectives.replace("tables/", "../"), "targets={pi: {}}"])


@pytest.mark.parametrize("run", ["s3://", "s3:///", "s3://bucket", "gs://bucket/"])
def test_a_bucket_alone_is_no_run_folder(user: Path, run: str) -> None:
    with pytest.raises(UserError, match="a bucket and a place in it"):
        stage("config.yaml", run)


def test_what_trackers_need_there_is_said(user: Path) -> None:
    staged = stage("config.yaml", "s3://bucket/run", ["tracking=[tensorboard, mlflow]"])
    assert [note.partition(",")[0] for note in staged.notes] == [
        "tracking: tensorboard writes beside the job on the head",
        "tracking: mlflow is told by the cluster's head",
    ]
    assert yaml.safe_load(staged.files["config.yaml"])["tracking"] == ["tensorboard", "mlflow"]


def test_digests_tell_searches_and_contents_apart(user: Path) -> None:
    first, longer = stage("config.yaml", "/runs/a"), stage("config.yaml", "/runs//a/", ["budget.evaluations=9"])
    assert first.search == longer.search
    assert first.content != longer.content
    assert stage("config.yaml", "/runs/a").packed() == first.packed()
    assert stage("config.yaml", "/runs/b").search != first.search
    assert stage("config.yaml", "/runs/a", ["seed=1"]).search != first.search


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"config": "none.yaml"}, "config: no file none.yaml"),
        ({"overrides": ["stratgy.population=4"]}, "strategy"),
        ({"overrides": ["space.stagez=2"]}, "did you mean 'stages'"),
        ({"overrides": ["task.kind=digitz"]}, "did you mean 'digits'"),
        ({"overrides": ["task.valid_fracton=0.1"]}, "did you mean 'valid_fraction'"),
        ({"overrides": ["strategy.crosover=0.1"]}, "did you mean 'crossover'"),
        ({"run": "runs/a"}, "give an absolute path or s3://"),
        ({"run": "ftp://host/run"}, "known are absolute paths, s3:// and gs://"),
    ],
)
def test_wrong_input_is_one_line_and_nothing_is_sent(
    user: Path, cluster: Pretended, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError) as error:
        asked(cluster, **changes)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert not cluster.asked


@pytest.mark.parametrize(
    "address", ["127.0.0.1:8265", "http://", "http://h:x", "ray://h:1", "http://h/a b", "http://[x"]
)
def test_no_address(address: str) -> None:
    with pytest.raises(UserError, match="--address takes http://HOST:PORT"):
        parse(address)


def test_an_address_holds_no_secret() -> None:
    with pytest.raises(UserError, match="no user, password"):
        parse("http://me:secret@host:8265")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("[::1]", True), ("localhost", True), ("10.0.0.1", False), ("h", False)],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert parse(f"http://{host}:8265").is_loopback == loopback


def test_nobody_there(user: Path, cluster: Pretended, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection and says nothing
        monkeypatch.setattr(job_api, "FIRST_S", 0.2)
        begun = time.monotonic()
        cluster.url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(UserError, match=r"--address: http://127\.0\.0\.1:\d+ does not answer within 0\.2 s"):
            asked(cluster)
        assert time.monotonic() - begun < job_api.CONNECT_S / 2
    with pytest.raises(UserError, match="does not answer: Connection refused"):
        asked(cluster)


def test_another_server(user: Path, cluster: Pretended) -> None:
    cluster.url += "/elsewhere"
    cluster.jobs["jobs"] = {"anything": 1}
    with pytest.raises(UserError, match="is no job API of Ray"):
        asked(cluster)
    assert not cluster.orders()


def test_a_token_is_found_where_ray_finds_it(
    user: Path, cluster: Pretended, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.token = TOKEN
    with pytest.raises(UserError, match=r"asks for a token and there is none; put .* into \$RAY_AUTH_TOKEN or"):
        asked(cluster)
    (user / "home" / ".ray").mkdir()
    (user / "home" / ".ray" / "auth_token").write_text(f"{TOKEN}\n")
    assert asked(cluster) == 0
    assert "RAY_AUTH_MODE=token ray job stop" in capsys.readouterr().out
    (user / "file").write_text("wrong")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(user / "file"))
    with pytest.raises(UserError, match=r"does not take the token in \$RAY_AUTH_TOKEN_PATH \(status 403\)"):
        asked(cluster)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(user / "none"))
    with pytest.raises(UserError, match="none cannot be read: No such file"):
        asked(cluster)
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    assert asked(cluster) == 0
    monkeypatch.setenv("RAY_AUTH_TOKEN", "two\nwords")
    with pytest.raises(UserError, match=r"in \$RAY_AUTH_TOKEN must be a word"):
        asked(cluster)


def test_a_token_goes_only_to_who_asks_and_no_further(
    user: Path, cluster: Pretended, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    assert asked(cluster) == 0
    assert not cluster.authorized
    other = Pretended()
    server = served(other)
    cluster.token, cluster.redirect = TOKEN, f"{other.url}/api/jobs/"
    with pytest.raises(UserError, match="status 302"):
        asked(cluster)
    assert not other.asked
    server.shutdown()
    server.server_close()


def test_an_open_cluster_elsewhere_must_be_accepted(
    user: Path, cluster: Pretended, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(cluster) == 0  # on loopback it is said, and done
    assert "asks for no token: whoever reaches it can run anything there" in capsys.readouterr().out
    before = cluster.orders()
    monkeypatch.setattr(Address, "is_loopback", False)
    with pytest.raises(UserError, match="as it asks for no token; start its head with RAY_AUTH_MODE=token, or accept"):
        asked(cluster, run="/runs/b")
    assert cluster.orders() == before
    assert asked(cluster, run="/runs/b", insecure=True) == 0
    assert len(cluster.jobs) == 2
    cluster.token = TOKEN
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    assert asked(cluster, run="/runs/c") == 0
    assert "unencrypted; over an untrusted network use a tunnel: ssh -L 8266:" in capsys.readouterr().out


@pytest.mark.parametrize("own", [True, False])
def test_a_tunnel_that_is_a_ray_of_this_machine_is_said(
    user: Path, cluster: Pretended, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], own: bool
) -> None:
    """Where a Ray of one's own has the port already, the tunnel to a cluster is not what answers there."""
    port = parse(cluster.url).port
    monkeypatch.setattr(submission, "is_own_ray", lambda number: own and number == port)
    assert asked(cluster) == 0
    assert ("is a Ray of this machine: the search runs here" in capsys.readouterr().out) == own


def test_a_folder_of_the_head_is_said_to_go_with_it(
    user: Path, cluster: Pretended, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "/home/ray/x is a folder of the cluster's head and lost with it"
    assert asked(cluster, run="/home/ray/x") == 0
    assert said in capsys.readouterr().out
    assert asked(cluster, run="s3://bucket/x") == 0
    assert "lost with it" not in capsys.readouterr().out


def test_the_same_submission_is_one_job(user: Path, cluster: Pretended, capsys: pytest.CaptureFixture[str]) -> None:
    def said(**changes: Any) -> str:
        assert asked(cluster, **changes) == 0
        return capsys.readouterr().out

    assert "submitted as evonas-config-" in said()
    [name] = cluster.jobs
    [package] = cluster.packages
    assert cluster.jobs[name]["runtime_env"] == {"working_dir": f"gcs://{package}"}
    assert cluster.jobs[name]["entrypoint_num_cpus"] == 0
    assert f"{name} is running already; it goes on\nto watch it: {LINE} --follow" in said()
    assert "is not what is here now" in said(overrides=["budget.evaluations=9"])
    cluster.jobs[name]["status"] = "SUCCEEDED"
    assert f"{name} has ended; nothing is left to do" in said()
    assert [*cluster.jobs] == [name]
    assert f"{name} has ended; going on from there\nsubmitted as {name}-2" in said(overrides=["budget.evaluations=9"])
    cluster.jobs[f"{name}-2"] |= {"status": "FAILED", "driver_exit_code": 1, "message": "...\nno disk left\n"}
    assert f"{name}-2 failed with exit status 1 (no disk left); going on" in said()
    cluster.jobs[f"{name}-3"]["status"] = "STOPPED"
    assert f"{name}-3 was stopped; going on from there\nsubmitted as {name}-4" in said()


def test_of_two_at_the_same_instant_one_is_a_job(
    user: Path, cluster: Pretended, capsys: pytest.CaptureFixture[str]
) -> None:
    asked(cluster)
    cluster.hidden = True  # as if it had come between the look and the submission
    assert asked(cluster) == 0
    assert "is running already" in capsys.readouterr().out
    assert len(cluster.jobs) == 1


def test_following_shows_each_line_once_and_nothing_of_ray(
    user: Path, cluster: Pretended, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(cluster) == 0
    [name] = cluster.jobs
    start = f"2026-11-24 INFO job_manager.py:581 -- Runtime env is setting up.\nRunning entrypoint for job {name}: x\n"
    first = f"{start}1 evaluated\n2 eval"
    cluster.outputs = ["", start, first, "lost", f"{first}uated\n", f"{first}uated\n\x1b[2J3 evaluated, ended"]
    capsys.readouterr()
    assert asked(cluster, follow=True) == 0
    assert capsys.readouterr().out.endswith("it goes on\n1 evaluated\n2 evaluated\n [2J3 evaluated, ended")


@pytest.mark.parametrize(("tails", "whole"), [(True, 2), (False, 6)])
def test_of_a_long_output_the_end_is_fetched(tails: bool, whole: int) -> None:
    """Unless it has grown by more than that, or the cluster does not give the end alone."""
    lines = [f"line {number} ü\n" for number in range(9000)]
    ends = [6000, 6000, 6050, 6051, 8000, 8001]
    asked: list[str] = []

    class Jobs(job_api.RayJobs):
        def __init__(self) -> None:
            super().__init__(parse("http://127.0.0.1:1"))
            self.at = 0

        def _ask(self, method: str, path: str, *others: Any, **more: Any) -> tuple[int, bytes]:
            asked.append(path)
            until = lines[: ends[self.at]]
            if path.endswith("/logs"):
                return 200, json.dumps({"logs": "".join(until)}).encode()
            assert path == "/api/v0/logs/file?submission_id=a&node_id=b0&lines=400"
            return (200 if tails else 501), b"\xbc" + "".join(until[-400:]).replace("\n", "\r\n").encode() + b"\xc3"

    jobs = Jobs()
    following = Following(jobs)
    job = job_api.RayJob("a", "RUNNING", "", None, {}, "b0")
    for jobs.at, end in enumerate(ends):
        assert following.look(job) == "".join(lines[:end])
    assert following.look(replace(job, status="SUCCEEDED")) == "".join(lines[:8001])
    assert sum(path.endswith("/logs") for path in asked) == whole + 1


def test_a_cluster_that_is_lost_is_given_up(user: Path, cluster: Pretended, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "LOST_S", 0.1)
    cluster.outputs = ["lost"] * 1000
    with pytest.raises(ConnectionError, match=rf"500: RuntimeError: no agent; .* To come back: {LINE}"):
        asked(cluster, follow=True)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [("FAILED", 2, 2), ("FAILED", 143, 143), ("FAILED", -9, 137), ("FAILED", None, 1), ("STOPPED", None, 143)],
)
def test_following_ends_as_the_search_does(
    user: Path, cluster: Pretended, capsys: pytest.CaptureFixture[str], status: str, code: int | None, expected: int
) -> None:
    job = job_api.RayJob("evonas-a", status, "why", code, {})
    assert job.exit_status == expected
    assert asked(cluster) == 0
    [name] = cluster.jobs
    cluster.outputs = ["", ""]

    class Ended(dict[str, Any]):
        def __setitem__(self, key: str, value: Any) -> None:
            super().update({"status": status, "driver_exit_code": code, "message": "why"})

    cluster.jobs[name] = Ended(cluster.jobs[name])
    assert asked(cluster, follow=True) == expected
    out = capsys.readouterr().out
    assert out.splitlines()[-2] == "why"  # it did not get as far as printing something
    assert out.endswith(f". To go on: {LINE}\n")


# A real head.

PROGRAM = """
import importlib, json, signal, sys
from evonas.errors import UserError
from evonas.submit.submission import submit
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, "")
words = json.loads(sys.argv[1])
words["modules"] = [importlib.import_module(name) for name in words.get("modules", [])]
try:
    sys.exit(submit(**words))
except UserError as error:
    print(f"evonas: {error}", file=sys.stderr)
    sys.exit(2)
"""
GATED_SPACE = """
import time
from contextlib import suppress
from pathlib import Path
import evonas
from evonas.spaces import SPACES
from evonas.spaces.cell import Cell
print("the code is in", evonas.__file__)

class Gated(Cell):
    def __init__(self, *, gate: str):
        super().__init__(stages=1, channels=[4, 6])
        self.gate = Path(gate)

    def build(self, arch, task):
        with self.gate.with_suffix(".built").open("a") as built:
            built.write("x")
        while self.gate.with_suffix(".built").stat().st_size > int(self.gate.read_text()):
            time.sleep(0.05)
        return super().build(arch, task)

SPACES["gated"] = Gated
"""


@dataclass(frozen=True)
class Head:
    url: str
    environment: dict[str, str]
    user: Path
    runs: Path
    binaries: Path
    clients: "list[subprocess.Popen[str]]" = field(default_factory=list)

    def start(self, run: str, **changes: Any) -> "subprocess.Popen[str]":
        words = {"config": "config.yaml", "address": self.url, "run": str(self.runs / run), "line": LINE, **changes}
        client = subprocess.Popen(
            [str(self.binaries / "run-code"), PROGRAM, json.dumps(words)],
            cwd=self.user,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.clients.append(client)
        return client

    def submit(self, run: str, **changes: Any) -> tuple[int, str, str]:
        process = self.start(run, **changes)
        out, err = process.communicate(timeout=600)
        return process.returncode, out, err

    def ray(self, *words: str) -> str:
        command = [sys.executable, "-m", "ray.scripts.scripts", *words]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True).stdout

    def status(self, run: str) -> dict[str, Any]:
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()):
            failed = main(["status", str(self.runs / run), "--json"])
        return {"evaluated": 0, "state": "none"} if failed else json.loads(out.getvalue())

    def jobs(self, run: str) -> list[job_api.RayJob]:
        return [
            job for job in job_api.RayJobs(parse(self.url), TOKEN).all() if job.metadata["run"] == str(self.runs / run)
        ]

    def wait(self, run: str, evaluated: int) -> dict[str, Any]:
        until = time.monotonic() + 600
        while (state := self.status(run))["evaluated"] < evaluated:
            assert time.monotonic() < until, state
            assert not [job.message for job in self.jobs(run) if job.ended]
            assert not [client.communicate() for client in self.clients if client.poll() in {1, 2}]
            time.sleep(0.2)
        return state

    def sent(self) -> set[str]:
        """What is at the top of the folders of jobs there."""
        folders = Path(self.environment["RAY_TMPDIR"]).glob("session_2*/runtime_resources/working_dir_files/*/*")
        return {path.name for path in folders}


def free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in held]
    for server in held:
        server.close()
    return ports


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory, binaries: Path) -> Iterator[Head]:
    pytest.importorskip("aiohttp_cors", reason="a head with a job API needs ray[default]")
    folder = tmp_path_factory.mktemp("submission")
    user, runs, home = folder / "user", folder / "runs", folder / "home"
    for path in (user, runs, home):
        path.mkdir()
    (user / "config.yaml").write_text(CONFIG)
    (user / ".env").write_text(f"PASSWORD={CANARY}")
    (user / "gated_space.py").write_text(GATED_SPACE)
    with tempfile.TemporaryDirectory(prefix="evo") as short:  # the names of Ray's sockets must fit into 107 bytes
        kept = {name: word for name, word in os.environ.items() if not name.startswith(("RAY_", "EVONAS_"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
        ours = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN, "RAY_TMPDIR": short, "RAY_USAGE_STATS_ENABLED": "0"}
        ours |= AS_ASKED  # what it would start ahead is for no job that brings its own code
        environment = {**kept, **ours, "HOME": str(home), "PATH": path, "EVONAS_SECRET": CANARY}
        api, agent, agent_rpc, client, metrics = free_ports(5)
        ports = f"--dashboard-port={api} --dashboard-agent-listen-port={agent} --dashboard-agent-grpc-port={agent_rpc}"
        more = f"--ray-client-server-port={client} --metrics-export-port={metrics} --port=0 --temp-dir={short}"
        words = f"start --head --block --dashboard-host=127.0.0.1 --num-cpus=2 {ports} {more}"
        command = [sys.executable, "-c", HEAD_FOR_JOBS.format(root=ROOT), *shlex.split(words)]
        log = (folder / "log").open("w")
        process = psutil.Popen(command, env=environment, cwd=home, stdout=log, stderr=log, start_new_session=True)
        try:
            found = Head(f"http://127.0.0.1:{api}", environment, user, runs, binaries)
            until = time.monotonic() + 600
            while not (answers(found.url) and listens(agent)):
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < until, (folder / "log").read_text()
                time.sleep(0.2)
            yield found
            for client in found.clients:
                client.kill()
        finally:
            with suppress(psutil.NoSuchProcess):
                below = process.children(recursive=True)
                process.terminate()
                _, alive = psutil.wait_procs([process, *below], timeout=15)
                for left in alive:
                    left.kill()
                psutil.wait_procs(alive, timeout=5)


def listens(port: int) -> bool:
    """The agent that starts jobs, for which a head waits for ten seconds, which is too little on a busy machine."""
    with socket.socket() as client:
        return not client.connect_ex(("127.0.0.1", port))


def answers(url: str) -> bool:
    try:
        return job_api.RayJobs(parse(url), TOKEN).refusal() == 0
    except ConnectionError:
        return False


@pytest.fixture
def stranger(head: Head, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process: the user of the head, without its token."""
    monkeypatch.chdir(head.user)
    monkeypatch.setenv("HOME", head.environment["HOME"])
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("stranger")
def test_a_head_takes_the_right_token_only(
    head: Head, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for token, said in (
        (None, "asks for a token and there is none"),
        ("wrong", "does not take the token in $RAY_AUTH"),
    ):
        if token:
            monkeypatch.setenv("RAY_AUTH_TOKEN", token)
        assert main(["submit", "config.yaml", "--address", head.url, "--run", str(head.runs / "tokens")]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert said in err
        assert err.count("\n") == 1
        assert TOKEN not in err
    assert not job_api.RayJobs(parse(head.url), TOKEN).all()
    assert not job_api.is_open(head.url)


def gated(gate: Path, builds: int) -> dict[str, Any]:
    """A search of 16 that comes as far as the gate lets it."""
    gate.write_text(str(builds))
    space = f"space={{kind: gated, gate: {gate}}}"
    return {"modules": ["gated_space"], "overrides": [space, "budget.evaluations=16", "runtime.workers=1"]}


def test_a_search_outlives_the_client_and_is_found_again(head: Head, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    search = gated(gate, 6)
    client = head.start("long", follow=True, **search)
    head.wait("long", 1)
    client.send_signal(signal.SIGKILL)
    out, _ = client.communicate()
    assert re.search(r"submitted as evonas-config-\w{10}\n", out)
    about = f"evonas-{version('evonas')}.dist-info"
    assert head.sent() - {"__pycache__"} == {"config.yaml", "evonas", about, "gated_space.py"}
    before = head.status("long")["evaluated"]
    gate.write_text("12")
    assert head.wait("long", before + 2)["state"] == "running"

    detached = head.start("long", follow=True, **search)
    assert detached.stdout
    shown = iter(detached.stdout.readline, "")
    assert any("evaluated" in line for line in shown)
    detached.send_signal(signal.SIGINT)
    assert detached.stderr
    out, err = detached.stdout.read(), detached.stderr.read()
    assert (detached.wait(timeout=600), err) == (130, ""), out
    assert f"detached; the search goes on. To come back: {LINE}\nto stop it: RAY_AUTH_MODE=token ray job stop" in out

    again = head.start("long", follow=True, **search)
    assert again.stdout
    assert any("is running already; it goes on" in line for line in iter(again.stdout.readline, ""))
    gate.write_text("1000")
    assert again.stderr
    out, err = again.stdout.read(), again.stderr.read()  # communicate() passes over what readline() has taken already
    assert (again.wait(timeout=600), err) == (0, ""), out
    assert "working_dir_files" in re.search(r"^the code is in (.*)", out, re.MULTILINE)[1]
    assert "the budget of 16 evaluations is used up; 16 candidates evaluated" in out
    assert "front:" in out
    assert out.splitlines()[-1] == f"run: {head.runs / 'long'}"
    assert head.status("long")["state"].startswith("finished")
    status, out, _ = head.submit("long", **search)
    assert status == 0
    assert "has ended; nothing is left to do" in out

    [job] = head.jobs("long")
    jobs = job_api.RayJobs(parse(head.url), TOKEN)
    assert jobs.tail(job, 3) == "".join(jobs.output(job.name).splitlines(keepends=True)[-3:])
    about = json.dumps(jobs._get("/api/jobs/"))  # as `ray job list` prints it
    assert job.name in about
    assert TOKEN not in about
    assert CANARY not in about


@pytest.mark.slow
def test_a_stopped_search_goes_on_as_another_job(head: Head, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    search = gated(gate, 6)
    client = head.start("stopped", follow=True, **search)
    head.wait("stopped", 1)
    [name] = [job.name for job in head.jobs("stopped")]
    head.ray("job", "stop", name, "--address", head.url)
    out, err = client.communicate(timeout=600)
    assert (client.returncode, err) == (143, ""), out
    assert "interrupted; nothing evaluated is lost" in out
    assert out.endswith(f"{name} was stopped. To go on: {LINE}\n")
    kept = head.status("stopped")["evaluated"]
    assert 1 <= kept < 16
    gate.write_text("1000")
    status, out, _ = head.submit("stopped", follow=True, **search)
    assert status == 0
    assert f"{name} was stopped; going on from there\nsubmitted as {name}-2\n" in out
    assert "16 candidates evaluated" in out


def test_wrong_input_that_only_the_cluster_sees(head: Head) -> None:
    (head.runs / "taken").mkdir()
    (head.runs / "taken" / "file").write_text("")
    status, out, err = head.submit("taken", follow=True)
    assert status == 2, out + err
    assert "is neither empty nor a run folder" in out
    assert "failed with exit status 2" in out


@pytest.mark.slow
@pytest.mark.usefixtures("stranger")
def test_the_doctor_sees_a_cluster_from_inside_by_its_dashboard(
    head: Head, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-m", "evonas", "doctor", "config.yaml", "--address", head.url]
    run = ["--run", str(head.runs / "to-come")]
    found = subprocess.run(
        [*command, *run], cwd=head.user, env=head.environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr
    for name in ("Ray", "authentication", "nodes", "versions", "run folder", "data", "worker", "speed"):
        assert f"✓ {name}: " in found.stdout
    assert "to-come can be written and locked (new)" in found.stdout
    monkeypatch.setenv("RAY_AUTH_TOKEN", "wrong")
    words = command[3:]
    for given, said in (([*words, *run], "does not take the token"), (words, "--run: give the folder or bucket")):
        assert main(given) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert said in err
