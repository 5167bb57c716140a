"""A board with a measuring server, as a real process over loopback, and the searches that ask it.

The networks of most tests are deeds of a backend of numpy, which does what a network can do to a board.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path
from typing import Any

import psutil
import pytest
from torch import nn

from evonas.config import TargetConfig
from evonas.errors import TargetUnavailable, UserError
from evonas.measuring.backends.backend import BACKENDS
from evonas.measuring.backends.export import ExportError
from evonas.measuring.benchmark import PROTOCOL
from evonas.measuring.device_lock import DeviceLock
from evonas.measuring.remote import protocol
from evonas.measuring.remote.client import MeasureError, Remote
from evonas.measuring.remote.server import main, serve_here
from evonas.records import Endpoint, InputSpec, Measurement
from tests.measuring.small import OTHERS, other
from tests.waiting import until

TOKEN = "the-token-of-these-tests"
INPUT = InputSpec((1, 8, 8))
QUICK = {"within": 0.5, "max_seconds": 0.3, "timeout_s": 30}
SITE = '''
"""Read by every process of the board when it starts."""
import ctypes, os, sys, time

from evonas.records import InputSpec

REFERENCE_INPUT = InputSpec((3, 32, 32))
for name in os.environ.get("LACKS", "").split():
    sys.modules[name] = None


def note(what):
    with open(os.environ["TRACE"], "a") as trace:
        trace.write(f"{what}\\n")


class Board:
    device, conditions, state = "cpu", {"device": "a board"}, {}
    spoilt = loaded = False

    def __init__(self, target, config):
        if config.device != "cpu":
            from evonas.errors import UserError
            raise UserError(f"there is no {config.device}")

    def load(self, network, inputs):
        import numpy as np
        deed, _, what = network.decode().partition(" ")
        if deed == "segfault":
            ctypes.string_at(0)
        if deed == "exit":
            os._exit(3)
        if deed == "hang":
            note("hang")
            time.sleep(1000)
        if deed == "raise":
            raise ValueError("no such layer\\nand more")
        if deed == "old" and self.loaded:
            os._exit(4)
        self.__class__.spoilt |= deed == "spoil"
        if self.spoilt:
            raise ValueError("the device is lost")
        self.__class__.loaded |= inputs != REFERENCE_INPUT
        return Network(what, np.arange(6, dtype=np.float32).reshape(2, 3))


class Network:
    def __init__(self, name, array):
        self.name, self.array = name, array

    def passes(self, count):
        note(self.name)
        time.sleep({"slow": 0.05, "crawls": 0.2}.get(self.name, 0))
        return [1.0] * count

    def output(self):
        return self.array

    def memory_mb(self):
        return 7.0


class Moody:
    """A real runtime that at times does something else."""

    def __init__(self, target, config):
        from evonas.measuring.backends.onnx_runtime import OnnxRuntime
        self.real = OnnxRuntime(target, config)

    def __getattr__(self, name):
        return getattr(self.real, name)

    def load(self, network, inputs):
        if inputs != REFERENCE_INPUT:
            with open(os.environ["DEED"]) as file:
                deed = file.read()
            if deed == "segfault":
                ctypes.string_at(0)
            if deed == "hang":
                note("hang")
                time.sleep(1000)
            if deed == "wrong":
                return Wrong(self.real.load(network, inputs))
        return self.real.load(network, inputs)


class Wrong:
    def __init__(self, real):
        self.passes, self.output = real.passes, lambda: real.output() + 1


from evonas.measuring.backends.backend import BACKENDS
BACKENDS["openvino"] = Board
if "DEED" in os.environ:
    BACKENDS["onnxruntime"] = Moody
'''
SERVE = "import sys; from evonas.measuring.remote.server import main; sys.exit(main(*eval(sys.argv[1])))"


class Board:
    """A real server; `arguments` as of `main` behind host and port."""

    def __init__(self, folder: Path, *arguments: object, **environment: str) -> None:
        (folder / "site").mkdir(exist_ok=True)
        (folder / "trace").touch()
        (folder / "site" / "sitecustomize.py").write_text(SITE)
        self.folder, self._arguments, self._environment = folder, arguments, environment
        self.place = self.start(0)

    def start(self, port: int) -> Endpoint:
        environment = {
            **os.environ,
            "EVONAS_TOKEN": TOKEN,
            "TMPDIR": str(self.folder),
            "PYTHONPATH": f"{self.folder / 'site'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
            "TRACE": str(self.folder / "trace"),
            **self._environment,
        }
        line = [sys.executable, "-c", SERVE, repr(("127.0.0.1", port, *self._arguments))]
        self.process = subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        first = self.process.stdout.readline()
        assert first.startswith("measuring on http://127.0.0.1:")
        return Endpoint(first.split()[-1], TOKEN)

    @property
    def port(self) -> int:
        return int(self.place.url.rpartition(":")[2])

    def children(self) -> list[psutil.Process]:
        return [child for child in psutil.Process(self.process.pid).children() if child.status() != "zombie"]

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """One for all tests that leave it as it was."""
    folder = tmp_path_factory.mktemp("board")
    (folder / "deed").write_text("")
    board = Board(folder, None, 1, DEED=str(folder / "deed"))
    yield board
    board.close()


@pytest.fixture
def own_board(tmp_path: Path) -> Iterator[Callable[..., Board]]:
    """Makes one for this test alone."""
    made: list[Board] = []

    def make(*arguments: object, **environment: str) -> Board:
        made.append(Board(tmp_path, *arguments, **environment))
        return made[-1]

    yield make
    for board in made:
        board.close()


def request_for(network: str, **changes: Any) -> protocol.MeasureRequest:
    config = TargetConfig.model_validate({"backend": "openvino", **QUICK, **changes.pop("config", {})})
    given = {"target": "pi", "config": config, "inputs": INPUT, "wanted": (), "seconds": 20.0}
    return protocol.MeasureRequest(**{**given, "network": network.encode(), "reference": b"do reference", **changes})


def described(shape: list[Any], dtype: str = "float32", high: int | None = None) -> dict[str, Any]:
    return {"shape": shape, "dtype": dtype, "high": high}


def changed(**changes: Any) -> bytes:
    """A request with another head."""
    message = protocol.pack(request_for("do it"))
    size, head = protocol._head(message)
    text = json.dumps({**head, **changes}).encode()
    return protocol.HEADER.pack(protocol.MAGIC, len(text)) + text + message[size:]


def ask(
    place: Endpoint, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(place.url.removeprefix("http://"), timeout=600)
    try:
        connection.connect()
        with suppress(ConnectionError):  # it need not read what it refuses
            connection.request(method, path, body, {"Authorization": f"Bearer {place.token}", **(headers or {})})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def measure(place: Endpoint, network: str, **changes: Any) -> tuple[int, dict[str, Any]]:
    return ask(place, "POST", "/measure", protocol.pack(request_for(network, **changes)))


def remote(**config: Any) -> Remote:
    return Remote("pi", TargetConfig.model_validate({"backend": "onnxruntime", **QUICK, **config}))


def network() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 4)).eval()


def test_about_says_what_the_board_is(board: Board) -> None:
    status, about = ask(board.place, "GET", "/about")
    assert status == 200
    assert about["protocol"] == PROTOCOL
    assert about["host"] == os.uname().nodename
    assert about["busy"] is False
    assert set(about["backends"]) <= set(BACKENDS)
    assert "onnxruntime" in about["backends"]
    assert remote().about(board.place) == about


def test_a_request_is_measured_against_the_reference_or_a_baseline(board: Board) -> None:
    status, answer = measure(board.place, "do it", wanted=("memory_mb",))
    assert status == 200
    assert answer["output"] == [[0, 1, 2], [3, 4, 5]]
    assert answer["measurement"]["ms"] == pytest.approx(1.0)
    assert answer["measurement"]["memory_mb"] == 7.0
    assert answer["measurement"]["conditions"]["host"] == os.uname().nodename
    status, answer = measure(board.place, "do it", baseline=b"do baseline", baseline_ms=5.0)
    assert status == 200
    assert answer["measurement"]["ms"] == pytest.approx(5.0)


def test_a_network_is_not_blamed_for_what_one_before_it_left_behind(board: Board) -> None:
    assert measure(board.place, "spoil it")[1] == {"kind": "network", "error": "ValueError: the device is lost"}
    assert measure(board.place, "do it")[0] == 200
    assert measure(board.place, "old it")[0] == 200  # it crashes where another was measured before


def test_a_process_that_ended_when_nobody_was_looking_is_replaced(board: Board) -> None:
    assert measure(board.place, "do it")[0] == 200
    [child] = board.children()
    child.kill()
    until(lambda: not board.children())
    assert measure(board.place, "do it")[0] == 200


def test_waiting_for_the_device_is_not_the_networks_time(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(board.folder))
    assert measure(board.place, "do it")[0] == 200
    with ThreadPoolExecutor(1) as pool:
        with DeviceLock(["cpu"]).exclusive("cpu"):
            asked = pool.submit(measure, board.place, "do it", seconds=0.5)
            time.sleep(1.0)
            assert not asked.done()
        assert asked.result()[0] == 200


@pytest.mark.parametrize("backend", ["torch", "onnxruntime"])
def test_a_real_network_is_measured_and_its_output_checked(board: Board, backend: str) -> None:
    found = remote(backend=backend).measure(network(), INPUT, board.place)
    assert isinstance(found, Measurement)
    assert 0 < found.low <= found.ms <= found.high
    assert len(found.samples) > 10
    assert found.conditions["host"] == os.uname().nodename
    assert found.conditions["address"] == board.place.url
    assert TOKEN not in repr(found)


def test_a_real_network_is_measured_against_a_baseline(board: Board) -> None:
    found = remote().measure(network(), INPUT, board.place, (network(), 1000.0))
    assert found.ms > 100


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("backend", ["torch", "onnxruntime"])
def test_networks_of_tokens_and_of_several_inputs_are_measured_there(board: Board, backend: str, name: str) -> None:
    model, inputs = other(name)
    there = remote(backend=backend, batch=2)
    assert there.measure(model, inputs, board.place).ms > 0
    assert there.measure(model, inputs, board.place, (model, 1000.0)).ms > 100


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer wrong", f"bearer {TOKEN}", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "\xe4"]
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/about"), ("POST", "/measure")])
def test_without_the_token_nothing_is_said_and_nothing_read(board: Board, method: str, path: str, header: str) -> None:
    with socket.create_connection(("127.0.0.1", board.port), 10) as client:
        authorization = f"Authorization: {header}\r\n" if header else ""
        client.sendall(f"{method} {path} HTTP/1.1\r\n{authorization}Content-Length: 1000000\r\n\r\n".encode("latin-1"))
        answer = client.makefile("rb").read().decode()  # although the body never comes
    assert " 401 " in answer.splitlines()[0]
    assert set(json.loads(answer.splitlines()[-1])) == {"kind", "error"}


TRUE = {
    "ms": 1.0, "low": 0.9, "high": 1.1, "p90": 1.2, "raw": 1.0, "reference": 2.0, "drift": 0.0,
    "samples": [1.0, 1.0], "settled": True, "conditions": {"device": "a board"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        ({"ms": float("nan")}, "ms is nan, not above 0"),
        ({"ms": float("inf"), "high": float("inf")}, "ms is inf, not above 0"),
        ({"ms": -5.0}, "ms is -5, not above 0"),
        ({"ms": 0.0, "low": 0.0}, "ms is 0, not above 0"),
        ({"ms": 1e300, "high": 1e300}, r"ms is 1e\+300, not above 0 and at most"),
        ({"high": 0.95}, "its 1 ms are outside their interval, 0.9 to 0.95"),
        ({"reference": 0.0}, "reference is 0"),
        ({"drift": float("nan")}, "drift is nan"),
        ({"samples": []}, "it has 0 samples"),
        ({"samples": [1.0, float("nan")]}, "its samples are not all between 0 and"),
        ({"samples": [-1.0]}, "its samples are not all between 0 and"),
        ({"memory_mb": -1.0}, "memory_mb is -1"),
        ({"memory_mb": None}, "memory_mb is missing"),
        ({"ms": "soon"}, "it has not the fields of a measurement"),
        ({"more": 1}, "it has other fields than a measurement"),
        (None, "it has not the fields of a measurement"),
        ([], "it has not the fields of a measurement"),
        ({"conditions": {str(i): "" for i in range(1000)}}, "it has 1,000 conditions"),
    ],
)
def test_what_a_server_says_must_be_a_measurement(monkeypatch: pytest.MonkeyPatch, lie: Any, why: str) -> None:
    there = Remote("pi", TargetConfig.model_validate({"backend": "onnxruntime", **QUICK}), ("memory_mb",))
    said = {**TRUE, "memory_mb": 7.0, **lie} if isinstance(lie, dict) else lie
    monkeypatch.setattr(there, "_ask", lambda *_: (200, {"measurement": said, "output": [[0.0]]}))
    with pytest.raises(TargetUnavailable, match=rf"^target pi at http://pi:1: its response is no measurement: {why}"):
        there._request(Endpoint("http://pi:1", TOKEN), request_for("do it"))


def test_what_a_server_says_cannot_steer_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    there, place = remote(), Endpoint("http://pi:1", TOKEN)
    odd = {**TRUE, "conditions": {"device": "a \x1b[31mboard\nand more"}}
    monkeypatch.setattr(there, "_ask", lambda *_: (200, {"measurement": odd, "output": [[0.0]]}))
    assert there._request(place, request_for("do it"))[0].conditions["device"].isprintable()
    for said in ({"protocol": "\x1b[2J", "backends": []}, {"protocol": PROTOCOL, "backends": ["\x1b[2J"]}):
        monkeypatch.setattr(there, "_ask", lambda *_, said=said: (200, said))
        with pytest.raises(UserError) as error:
            there.about(place)
        assert str(error.value).isprintable()
    monkeypatch.setattr(there, "_ask", lambda *_: (200, {"protocol": PROTOCOL, "backends": 3}))
    with pytest.raises(UserError, match="this is no `evonas measure-server`"):
        there.about(place)


def test_an_output_nested_without_end_is_no_output(monkeypatch: pytest.MonkeyPatch) -> None:
    there, output = remote(), json.loads("[" * 900 + "]" * 900)
    monkeypatch.setattr(there, "_ask", lambda *_: (200, {"measurement": TRUE, "output": output}))
    with pytest.raises(TargetUnavailable, match="has no output of the network"):
        there._request(Endpoint("http://pi:1", TOKEN), request_for("do it"))


def test_connections_without_a_token_do_not_keep_others_out(board: Board) -> None:
    idle = [socket.create_connection(("127.0.0.1", board.port), 10) for _ in range(120)]
    try:
        assert measure(board.place, "do it")[0] == 200
        process = psutil.Process(board.process.pid)
        assert process.num_threads() < 60
        idle[0].settimeout(600)
        assert idle[0].recv(1) == b"", "the oldest is closed"
    finally:
        for connection in idle:
            connection.close()


def test_a_search_without_the_token_says_so(board: Board) -> None:
    wrong = Endpoint(board.place.url, "wrong")
    with pytest.raises(UserError, match=r"target pi at http\S+: the token in \$EVONAS_TOKEN is not the server's"):
        remote().about(wrong)
    with pytest.raises(UserError, match=r"the token in \$MY_TOKEN for target pi must be .* is empty"):
        remote(token_env="MY_TOKEN").about(Endpoint(board.place.url))
    with pytest.raises(TargetUnavailable, match="this server's token"):
        remote().measure(network(), INPUT, wrong)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not a request"),
        (b"GIF89a" * 100, "not a request"),
        (protocol.HEADER.pack(protocol.MAGIC, 2**32 - 1), "not a request"),
        (protocol.HEADER.pack(protocol.MAGIC, 2) + b"{]", "no JSON|not a JSON"),
        (protocol.HEADER.pack(protocol.MAGIC, 60000) + b"[" * 60000, "not a JSON"),
        (protocol.HEADER.pack(protocol.MAGIC, 2) + b"{}", "it measures by protocol"),
        (changed(protocol=PROTOCOL + 1), "it measures by protocol"),
        (changed(lengths=[-1, 20]), "lengths"),
        (changed(lengths=[10**30, 1]), "came as"),
        (changed(wanted=["size_mb"]), "wanted"),
        (changed(baseline_ms=1.0), "a third file"),
        (changed(seconds=float("nan")), "seconds"),
        (changed(seconds=1e300), "seconds"),
        (changed(inputs={}), "request: inputs: a network takes one input or more"),
        (changed(inputs=[3]), "inputs"),
        (changed(inputs=described([3], "object")), "request: inputs: an input is of float32, .* not of object"),
        (changed(inputs=described([3, -1])), r"lengths of a shape are 1 or more, not \(3, -1\)"),
        (changed(inputs=described([3.5])), "a shape of whole numbers"),
        (changed(inputs=described([10**9])), "at most 16, with 268,435,456 numbers"),
        (changed(inputs=described([10**999] * 9)), "at most 16, with"),
        (changed(inputs=described([3], "int64")), "an input of int64 needs `high`"),
        (changed(inputs=described([3], "int8", 2**62)), "1 to 128"),
        (changed(inputs=described([0] * 20_000)), "lengths of a shape are 1 or more"),
        (changed(inputs={f"x{i}": described([1]) for i in range(17)}), "at most 16, with"),
        (changed(inputs={"__import__('os')": described([1])}), "the name of an argument"),
        (changed(inputs={"x": {"y": described([1])}}), "x: an input has a shape"),
        (protocol.pack(request_for("do it")) + b"x", "came as"),
        (protocol.pack(request_for("do it"))[:-1], "came as"),
        (protocol.pack(request_for("do it")).replace(b'"threads": 1', b'"threads": 0'), "config.threads"),
        (protocol.pack(request_for("do it")).replace(b'"batch": 1', b'"patch": 1'), "patch"),
    ],
)
def test_nonsense_is_refused_in_one_line(board: Board, body: bytes, message: str) -> None:
    status, answer = ask(board.place, "POST", "/measure", body)
    assert status == 400
    assert answer["kind"] == "user"
    assert "\n" not in answer["error"]
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(answer["error"])
    assert measure(board.place, "do it")[0] == 200


@pytest.mark.parametrize("request_line", ["PUT /measure HTTP/1.1", "GET /other HTTP/1.1", "POST / HTTP/1.1"])
def test_other_requests_are_refused(board: Board, request_line: str) -> None:
    method, path, _ = request_line.split()
    status, answer = ask(board.place, method, path)
    assert status in {404, 501}
    assert answer["kind"] == "user"


def test_a_body_without_length_or_cut_short_is_refused(board: Board) -> None:
    headers = {"Transfer-Encoding": "chunked"}
    assert ask(board.place, "POST", "/measure", b"", {**headers, "Content-Length": "-1"})[0] == 400
    with socket.create_connection(("127.0.0.1", board.port), 10) as client:
        head = f"POST /measure HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 9000\r\n\r\n"
        client.sendall(head.encode() + protocol.pack(request_for("do it")))
        client.shutdown(socket.SHUT_WR)
        assert b" 400 " in client.makefile("rb").readline()


def test_a_request_that_is_too_large_is_refused_before_it_is_read(board: Board) -> None:
    big = request_for("do " + "x" * 30_000_000)
    status, answer = ask(board.place, "POST", "/measure", b"", {"Content-Length": str(len(protocol.pack(big)))})
    assert (status, answer["kind"]) == (413, "network")
    assert "--max-mb" in answer["error"]
    with pytest.raises(MeasureError, match=r"30\.0 MB are more than the server takes"):
        remote(backend="openvino")._request(board.place, big)


def test_what_is_not_there_is_no_fault_of_the_network(board: Board) -> None:
    status, answer = measure(board.place, "do it", config={"device": "gpu"})
    assert (status, answer) == (400, {"kind": "user", "error": "there is no gpu"})
    status, answer = measure(board.place, "do it", reference=b"raise it")
    assert (status, answer["kind"]) == (400, "user")
    assert "reference network" in answer["error"]
    status, answer = measure(board.place, "do it", reference=b"segfault it")
    assert (status, answer["kind"]) == (503, "died")
    with pytest.raises(TargetUnavailable, match="there is no gpu"):
        remote()._request(board.place, request_for("do it", config={"device": "gpu"}))


@pytest.mark.parametrize(
    ("deed", "message"),
    [
        ("raise", "ValueError: no such layer"),
        ("segfault", "it killed the process that measured it (SIGSEGV)"),
        ("exit", "it killed the process that measured it (exit code 3)"),
        ("hang", "it did not end within 1 s"),
    ],
)
def test_a_network_that_fails_is_blamed_and_the_next_is_measured(board: Board, deed: str, message: str) -> None:
    assert measure(board.place, f"{deed} it", seconds=1.0) == (422, {"kind": "network", "error": message})
    assert measure(board.place, "do it")[0] == 200


def test_max_seconds_of_the_server_counts_too(own_board: Callable[..., Board]) -> None:
    board = own_board(None, 1, 0.5)
    assert measure(board.place, "hang it")[1] == {"kind": "network", "error": "it did not end within 0.5 s"}


@pytest.mark.parametrize(("deed", "message"), [("segfault", "SIGSEGV"), ("hang", "did not end within 2 s")])
def test_a_search_blames_a_network_that_crashes_or_hangs(board: Board, deed: str, message: str) -> None:
    (board.folder / "deed").write_text(deed)
    try:
        with pytest.raises(MeasureError, match=message):
            remote(timeout_s=2).measure(network(), INPUT, board.place)
    finally:
        (board.folder / "deed").write_text("")
    assert remote().measure(network(), INPUT, board.place).ms > 0


def test_a_search_does_not_trust_a_board_that_computes_something_else(board: Board) -> None:
    (board.folder / "deed").write_text("wrong")
    try:
        with pytest.raises(ExportError, match="its output differs"):
            remote().measure(network(), INPUT, board.place)
    finally:
        (board.folder / "deed").write_text("")


def test_two_clients_at_once_are_measured_one_after_the_other(board: Board) -> None:
    trace = board.folder / "trace"
    trace.write_text("")
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda i: measure(board.place, f"do {i}"), range(4)))
    assert [status for status, _ in answers] == [200] * 4
    runs = [name for name, _ in groupby(line for line in trace.read_text().split() if line != "reference")]
    assert sorted(runs) == ["0", "1", "2", "3"]


def test_who_waits_longer_than_the_timeout_gets_signs_of_life(board: Board) -> None:
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(measure, board.place, "do crawls")
        until(lambda: ask(board.place, "GET", "/about")[1]["busy"])
        start = time.monotonic()
        measurement, _ = remote(timeout_s=1.2)._request(board.place, request_for("do it", seconds=1.2))
        assert time.monotonic() - start > 1.2
        assert first.result()[0] == 200
    assert measurement.ms == pytest.approx(1.0)


def test_a_client_that_hangs_up_in_the_queue_is_not_measured(board: Board) -> None:
    trace = board.folder / "trace"
    trace.write_text("")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(measure, board.place, "do slow")
        until(lambda: "slow" in trace.read_text())
        with socket.create_connection(("127.0.0.1", board.port), 10) as client:
            body = protocol.pack(request_for("do gone"))
            head = f"POST /measure HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {len(body)}\r\n\r\n"
            client.sendall(head.encode() + body)
        assert first.result()[0] == 200
    assert measure(board.place, "do last")[0] == 200
    assert {"slow", "last"} <= set(trace.read_text().split())
    assert "gone" not in trace.read_text()


def test_a_queue_that_is_full_is_busy(board: Board) -> None:
    large = "do slow" + " " * 600_000
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(measure, board.place, "do slow", reference=b"do x" + b" " * 600_000)
        until(lambda: ask(board.place, "GET", "/about")[1]["busy"])
        status, answer = measure(board.place, large)
        assert (status, answer["kind"]) == (503, "busy")
        with pytest.raises(TargetUnavailable, match="queue is full"):
            remote()._request(board.place, request_for(large))
        assert first.result()[0] == 200


def test_a_board_that_dies_is_away_until_it_is_back(own_board: Callable[..., Board], tmp_path: Path) -> None:
    (tmp_path / "deed").write_text("hang")
    board = own_board(DEED=str(tmp_path / "deed"))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(remote().measure, network(), INPUT, board.place)
        until(lambda: "hang" in (tmp_path / "trace").read_text())
        [child] = board.children()
        board.process.kill()
        with pytest.raises(TargetUnavailable, match=r"target pi at http\S+: (it hung up|Connection reset)"):
            asked.result()
    child.wait(600)
    with pytest.raises(TargetUnavailable, match=r"target pi at http\S+: Connection refused"):
        remote().measure(network(), INPUT, board.place)
    with pytest.raises(TargetUnavailable, match="Connection refused"):
        remote().about(board.place)
    (tmp_path / "deed").write_text("")
    assert board.start(board.port) == board.place
    assert remote().measure(network(), INPUT, board.place).ms > 0


def test_a_server_that_never_answers_is_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = Endpoint(f"http://127.0.0.1:{silent.getsockname()[1]}", TOKEN)
        start = time.monotonic()
        with pytest.raises(TargetUnavailable, match=r"no answer within 0\.5 s"):
            remote(timeout_s=0.5)._request(place, request_for("do it"))
        with pytest.raises(TargetUnavailable, match=r"no answer within 0\.5 s"):
            remote(timeout_s=0.5).about(place)
        assert time.monotonic() - start < 5


def test_signs_of_life_without_end_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evonas.measuring.remote.client.QUEUE_S", 0.5)

    def drip(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client, suppress(OSError):
            while True:
                client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        pool.submit(drip, listener)
        with pytest.raises(TargetUnavailable, match="no answer within 1 s"):
            remote(timeout_s=0.5)._request(
                Endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}", TOKEN), request_for("do it")
            )


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nwelcome", UserError, "this is no `evonas measure-server`"),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", TargetUnavailable, "status 502"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", TargetUnavailable, "hung up|response"),
        (b"", TargetUnavailable, "it hung up"),
        (
            b'HTTP/1.1 200 OK\r\n\r\n{"protocol": 0, "evonas": "0.0", "backends": []}',
            UserError,
            "protocol 0 .evonas 0.0.",
        ),
        (
            b'HTTP/1.1 200 OK\r\n\r\n{"protocol": %d, "backends": ["torch"]}' % PROTOCOL,
            UserError,
            "backend onnxruntime is not installed there .installed: torch",
        ),
    ],
)
def test_about_names_what_else_may_be_there(answer: bytes, error: type[Exception], message: str) -> None:
    with answering(answer) as place, pytest.raises(error, match=message):
        remote().about(place)
    with answering(answer) as place, pytest.raises(TargetUnavailable):
        remote()._request(place, request_for("do it"))


@pytest.mark.parametrize("url", ["http://:80", "http://host:port", "http://[::1"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises((UserError, TargetUnavailable), match="target pi at"):
        remote().about(Endpoint(url, TOKEN))


def test_a_target_without_a_place_is_away() -> None:
    with pytest.raises(TargetUnavailable, match="target pi has no measuring server now"):
        remote().measure(network(), INPUT, None)


def test_it_serves_without_torch(own_board: Callable[..., Board]) -> None:
    lacks = "torch ray pymoo pyarrow pandas moocore sklearn rich psutil safetensors cloudpickle"
    board = own_board(LACKS=lacks)
    backends = ask(board.place, "GET", "/about")[1]["backends"]
    assert "onnxruntime" in backends
    assert "torch" not in backends
    assert remote().measure(network(), INPUT, board.place).ms > 0
    with pytest.raises(UserError, match="backend torch is not installed there"):
        remote(backend="torch").about(board.place)


def test_threads_without_a_core_each_are_refused_by_who_has_the_cores(board: Board) -> None:
    with pytest.raises(TargetUnavailable, match=r"targets\.pi\.threads: 4096 are more than the \d+ cores?"):
        remote(backend="onnxruntime", threads=4096).measure(network(), INPUT, board.place)


def test_it_imports_nothing_heavy() -> None:
    look = "import sys, evonas.measuring.remote.server, evonas.measuring.remote.measuring_process; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout.split()
    assert "evonas.measuring.benchmark" in modules
    assert not {"torch", "ray", "pymoo", "pyarrow", "pandas", "onnxruntime", "openvino", "psutil"} & set(modules)


def test_it_serves_in_this_process() -> None:
    place = serve_here("127.0.0.1")
    assert place.token not in repr(place)
    assert ask(place, "GET", "/about")[0] == 200
    assert ask(Endpoint(place.url, "wrong"), "GET", "/about")[0] == 401
    assert serve_here("127.0.0.1").url != place.url


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_and_its_process(own_board: Callable[..., Board], number: int, status: int) -> None:
    board = own_board()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(measure, board.place, "hang it")
        until(lambda: "hang" in (board.folder / "trace").read_text())
        [child] = board.children()
        board.process.send_signal(number)
        assert board.process.wait(600) == status
        with pytest.raises((OSError, http.client.HTTPException)):
            asked.result()
    child.wait(600)


def test_it_makes_a_token_where_none_is_given(tmp_path: Path) -> None:
    line = [sys.executable, "-c", SERVE, repr(("127.0.0.1", 0))]
    environment = {key: value for key, value in os.environ.items() if key != "EVONAS_TOKEN"}
    with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url, token = (process.stdout.readline().split()[-1] for _ in range(2))
        assert len(token) > 30
        assert ask(Endpoint(url, token), "GET", "/about")[0] == 200
        process.terminate()


def test_what_it_cannot_start_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EVONAS_TOKEN", TOKEN)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UserError, match=f"cannot listen on port {port} of 127.0.0.1: Address already in use"):
            main("127.0.0.1", port)
    for host, port in (("127.0.0.1", 70000), ("192.0.2.1", 0), ("no.such.host.invalid", 0)):
        with pytest.raises(UserError, match=f"cannot listen on port {port} of {host}"):
            main(host, port)
    with pytest.raises(UserError, match="max-mb"):
        main("127.0.0.1", 0, None, 0)
    monkeypatch.setenv("EVONAS_TOKEN", "short")
    with pytest.raises(UserError, match=r"a token of 5 characters is too short for 0\.0\.0\.0"):
        main("0.0.0.0", 0)
    (tmp_path / "token").write_text("two words\n")
    with pytest.raises(UserError, match="must be a word of printable ASCII"):
        main("127.0.0.1", 0, str(tmp_path / "token"))
    with pytest.raises(UserError, match=r"--token-file .*none cannot be read: No such file"):
        main("127.0.0.1", 0, str(tmp_path / "none"))


@contextmanager
def answering(content: bytes) -> Iterator[Endpoint]:
    """Something that answers so, whatever it is asked."""

    def serve(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client:
            client.recv(2**16)
            client.sendall(content)

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        pool.submit(serve, listener)
        yield Endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}", TOKEN)
