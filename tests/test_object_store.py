"""Runs on an object store, against a real S3-compatible server on this machine (moto)."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import evonas
from evonas.cli import main
from evonas.errors import Halted, UserError
from evonas.store import lease, open_folder, remote
from evonas.store.remote import ObjectFolder
from tests.synthetic import Toy
from tests.test_logs import run as talking
from tests.test_loop import Stop, content, populations, run, stopping_after
from tests.test_survival import ROOT
from tests.waiting import until

pytestmark = pytest.mark.skipif(not (find_spec("s3fs") and find_spec("moto")), reason="needs s3fs and moto")
WORK = {"failing": (5, 11), "weights_kb": 0.1}
SMALL = {"evaluations": 12}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        until(lambda: listens(port))
        forget_stores()  # what an earlier test has opened knows another endpoint
        open_folder("s3://bucket/x")._files.mkdir("bucket")  # type: ignore[attr-defined]
        yield
        forget_stores()
    process.terminate()
    process.wait()


def forget_stores() -> None:
    """Objects for a store are made once for each address, and keep endpoint and credentials of the first time."""
    open_folder("s3://bucket/x")._files.clear_instance_cache()  # type: ignore[attr-defined]


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> evonas.Run:
    return run(tmp_path_factory.mktemp("whole") / "run", work=WORK)


@pytest.fixture
def url(server: None, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(lease, "BEAT_S", 0.2)
    monkeypatch.setattr(lease, "SILENT_S", 0.8)
    return f"s3://bucket/{request.node.name}"


@pytest.fixture(scope="module")
def stored(server: None) -> str:
    """A run there that tests only read."""
    run("s3://bucket/stored", work=WORK, budget=SMALL)
    return "s3://bucket/stored"


def test_a_search_is_the_same_there_and_goes_on_after_an_interruption(url: str, whole: evonas.Run) -> None:
    for count in (1, 9, 20):
        with pytest.raises(Stop):
            run(url, stopping_after(count), work=WORK)
    found = run(url, work=WORK)
    assert content(found) == content(whole)
    assert populations(found) == populations(whole)
    assert found.verify().difference == ""
    kept = [int(name.partition(".")[0]) for name in open_folder(url).names("weights")]
    assert kept == sorted(found.front()["candidate"])
    assert open_folder(url).names("journal") == ["0004-000004.jsonl"]


def test_a_killed_driver_is_followed_by_another(url: str, binaries: Path, whole: evonas.Run) -> None:
    program = f"from tests.test_loop import *; run({url!r}, work={ {**WORK, 'delay': 0.05}!r})"
    process = subprocess.Popen([binaries / "run-code", program], cwd=ROOT, stderr=subprocess.PIPE)
    folder = open_folder(url)
    until(lambda: folder.names("manifest"), look_s=0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()  # until nobody holds its standard streams any more
    found = run(url, work=WORK)
    assert content(found) == content(whole)
    assert found.verify().difference == ""


@pytest.mark.slow
def test_a_living_driver_refuses_another_and_a_stopped_one_is_replaced(url: str, whole: evonas.Run) -> None:
    program = f"from tests.test_loop import *; run({url!r}, work={ {**WORK, 'delay': 0.01}!r})"
    setting = "from evonas.store import lease; lease.BEAT_S = 0.2; "
    process = subprocess.Popen([sys.executable, "-c", setting + program], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: open_folder(url).names("manifest"))
        with pytest.raises(UserError, match=r"another search \(.*\) is writing to s3://bucket"):
            run(url)
        process.send_signal(signal.SIGSTOP)
        second = run(url, work=WORK)
        process.send_signal(signal.SIGCONT)
        _, errors = process.communicate(timeout=600)
    finally:
        process.kill()
        process.wait()
    assert "Replaced: another search has taken over" in errors
    assert content(second) == content(whole)
    assert evonas.load(url, Toy()).verify().difference == ""


def test_nothing_is_written_over(url: str) -> None:
    folder = open_folder(url)
    folder.create("weights/000001.safetensors", b"first")
    with pytest.raises(FileExistsError):
        folder.create("weights/000001.safetensors", b"second")
    assert folder.read("weights/000001.safetensors") == b"first"
    with pytest.raises(FileNotFoundError):
        folder.read("weights/000002.safetensors")
    folder.remove("weights/000002.safetensors")


def refusal(status: int, code: str) -> tuple[object, object]:
    error = {"Code": code, "Message": "not this time"}
    return SimpleNamespace(status_code=status), {"Error": error, "ResponseMetadata": {"HTTPStatusCode": status}}


@pytest.fixture
def answers(url: str) -> Iterator[Callable[[Callable[..., object]], None]]:
    """To change what is asked of the store, or to answer in its place, from now to the end of the test."""
    folder = open_folder(url)
    assert isinstance(folder, ObjectFolder)
    folder.names()
    events, changes = folder._files.s3.meta.events, list[Callable[..., object]]()

    def change(handler: Callable[..., object]) -> None:
        changes.append(handler)
        events.register_first("before-call.s3.PutObject", handler)

    yield change
    for handler in changes:
        events.unregister("before-call.s3.PutObject", handler)


def test_a_store_that_writes_over_what_is_there_is_refused(url: str, answers: Callable[..., None]) -> None:
    """It takes the header for one that it need not know."""

    def forgetful(params: dict[str, Any], **others: object) -> None:
        params["headers"].pop("If-None-Match", None)

    answers(forgetful)
    with pytest.raises(UserError, match="its store ignores If-None-Match, so that two searches could mix; give --run"):
        run(url, work=WORK, budget=SMALL)
    assert open_folder(url).names() == []


@pytest.mark.parametrize("times", [1, 2])
def test_two_at_once_are_asked_to_try_again(
    url: str, answers: Callable[..., None], times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As S3 answers a conditional PUT while another one is under way."""
    monkeypatch.setattr(remote, "AGAIN_S", 0.0)
    conflicts = [refusal(409, "ConditionalRequestConflict")] * times
    answers(lambda **_: conflicts.pop() if conflicts else None)
    folder = open_folder(url)
    if times == 1:
        folder.create("starts/0001.json", b"1")
        assert folder.read("starts/0001.json") == b"1"
    else:
        with pytest.raises(OSError, match="not this time"):
            folder.create("starts/0001.json", b"1")


def test_a_store_may_say_in_few_words_that_there_is_one(url: str, answers: Callable[..., None]) -> None:
    """AWS adds which condition was not met, and by that s3fs knows it; others need not."""
    folder = open_folder(url)
    folder.create("starts/0001.json", b"1")
    answers(lambda **_: refusal(412, "PreconditionFailed"))
    with pytest.raises(FileExistsError):
        folder.create("starts/0001.json", b"2")


def test_a_lost_part_of_the_journal_is_named(url: str) -> None:
    with pytest.raises(Stop):
        run(url, stopping_after(5), work=WORK)
    folder = open_folder(url)
    parts = [name for name in folder.names("journal") if name.count(".") == 2]
    assert len(parts) > 3
    folder.remove(f"journal/{parts[1]}")
    with pytest.raises(UserError, match="its part 2 is missing"):
        evonas.load(url, Toy()).verify()


def test_the_command_line_reads_it(
    stored: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["status", stored]) == 0
    assert "12 candidates evaluated" in capsys.readouterr().out
    assert main(["front", stored, "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("candidate,error,params")
    assert main(["report", stored]) == 0
    assert capsys.readouterr().out.startswith("report.html: ")
    assert f'{stored}"' in Path("report.html").read_text()
    assert main(["status", "s3://bucket/none"]) == 2
    assert "s3://bucket/none is not a run folder" in capsys.readouterr().err


def test_logs_are_kept_there(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = talking(url, talks=(2, 5), unbuildable=(5,))
    assert found.folder.names("logs") == ["000002.txt", "000005.txt"]
    capsys.readouterr()
    assert main(["log", url, "5"]) == 0
    assert capsys.readouterr().out.endswith("layer 0 of 5 red\na warning\n")
    assert found.log(3) == ""


@pytest.mark.slow
def test_trackers_of_a_run_there_are_told_where_it_is(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow")
    from mlflow.tracking import MlflowClient

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    found = run(url, work=WORK, tracking=["tensorboard", "mlflow"])
    front = found.front()["candidate"].tolist()
    name = url.rpartition("/")[2]
    assert len(list(Path("tensorboard").glob(f"{name}-*/candidate-*"))) == len(front)
    experiment = MlflowClient().get_experiment_by_name("evonas")
    tags = [run.data.tags for run in MlflowClient().search_runs([experiment.experiment_id])]
    links = {tag["evonas.weights"] for tag in tags if "evonas.weights" in tag}
    assert links == {f"{url}/weights/{candidate:06d}.safetensors" for candidate in front}


def test_a_store_that_is_gone_halts_the_search(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(self: ObjectFolder, name: str, data: bytes) -> None:
        raise OSError("connection refused")

    def watch(loop: object, evaluation: object) -> None:
        monkeypatch.setattr(ObjectFolder, "create", lost)

    with pytest.raises(Halted, match="cannot be written: connection refused; what was recorded before is intact"):
        run(url, watch, work=WORK, budget=SMALL)
    monkeypatch.undo()
    time.sleep(1)
    assert run(url, work=WORK, budget=SMALL).verify().difference == ""


@pytest.mark.parametrize(
    ("where", "says"), [("s3://bucket", "give a bucket and a name"), ("memory://x/y", "known are s3:// and gs://")]
)
def test_a_wrong_address_is_one_line(where: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", where]) == 2
    assert says in capsys.readouterr().err


def test_no_more_of_a_file_is_read_than_one_of_a_run_has(
    url: str, stored: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = open_folder(url)
    assert isinstance(folder, ObjectFolder)
    folder._files.copy(stored, url, recursive=True)
    size, most = 2**24 + 1000, 2**24
    folder._files.pipe_file(f"{folder._root}/starts/0001.json", bytes(size))
    got: list[int] = []
    read = folder._files.cat_file

    def spied(path: str, **options: int) -> bytes:
        data: bytes = read(path, **options)
        got.append(len(data))
        return data

    monkeypatch.setattr(folder._files, "cat_file", spied)
    assert main(["status", url]) == 2
    said = f"{url}/starts/0001.json is damaged: it has {size:,} bytes, more than the {most:,} that one of a run has"
    assert capsys.readouterr().err == f"evonas: {said}; restore it from a copy\n"
    assert max(got) == most + 1


def test_an_empty_file_is_one(url: str) -> None:
    folder = open_folder(url)
    folder.create("starts/0001.json", b"")
    assert folder.read("starts/0001.json") == b""
