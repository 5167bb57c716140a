"""The report as text: how big, what it says, what it lets through. In a browser: test_report_browser.py."""

import base64
import hashlib
import http.client
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import torch

import evonas
from evonas.analysis import recommended
from evonas.cli import main
from evonas.errors import UserError
from evonas.report import write
from evonas.report.data import ARCH_BYTES, document, number
from evonas.report.page import page, to_json
from evonas.report.watch import ReportServer
from tests.forging import forge
from tests.synthetic import Toy
from tests.test_loop import Stop, run, stopping_after

ROOT = Path(__file__).parents[1]
HOSTILE = '</script><script>alert(1)</script><!-- <img src="//evil.example/x" onerror=alert(1)> \u2028 &amp; @SCRIPT@'


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> evonas.Run:
    work = {"failing": (5, 11), "unbuildable": (7,), "weights_kb": 0.1}
    folder = tmp_path_factory.mktemp("report") / "run"
    return run(folder, work=work, limits=[{"metric": "params", "at_most": 900}])


def data_of(text: str) -> dict[str, Any]:
    """What the browser will parse."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_the_page_stands_alone(found: evonas.Run) -> None:
    path = write(found)
    text = path.read_text()
    assert path == Path(str(found.folder)) / "report.html"
    assert "http:" not in text
    assert "https:" not in text
    assert not re.search(r"(src|href)=(?!\"data:)|url\(|@import|import\(", text)
    assert "innerHTML" not in re.sub(r"/\*\*.*?\*/|//.*", "", text)
    assert "@" not in re.sub(r"@media", "", text.partition("<style>")[2].partition("</style>")[0])


def test_only_its_own_script_and_style_may_run(found: evonas.Run) -> None:
    text = page(to_json(document(found)))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    assert policy[1].startswith("default-src 'none'; ")
    assert "unsafe" not in policy[1]
    assert "connect-src" not in policy[1]
    assert "connect-src 'self'" in page("{}", follow=True)
    for name in ("script", "style"):
        own = re.search(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
        assert own
        digest = base64.b64encode(hashlib.sha256(own[1].encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy[1]


def test_it_says_what_was_searched_what_it_cost_and_what_was_found(found: evonas.Run) -> None:
    searched, cost, front = document(found)["summary"]
    assert searched.startswith(
        "Networks of the space Toy for synthetic (input 1 x 8 x 8, 10 outputs), minimising error and params, "
        "within params ≤ 900. Bred by nsga2 in generations of 8, seed 3; at most 9 epochs"
    )
    assert cost.startswith("40 candidates were evaluated: ")
    assert "1 could not be built" in cost
    assert "2 diverged" in cost
    assert front.startswith(f"The front has {len(found.front())} networks")


def test_failures_are_counted_with_their_messages(found: evonas.Run) -> None:
    by_status = {outcome["status"]: outcome for outcome in document(found)["outcomes"]}
    assert by_status["failed:build"]["messages"] == [{"text": "layer 7 does not fit", "count": 1}]
    assert by_status["failed:diverged"]["count"] == 2
    assert sum(outcome["count"] for outcome in by_status.values()) == 40


def hand_made(**columns: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"candidate": range(len(columns["error"])), **columns})


def test_the_three_networks_of_a_front_made_by_hand() -> None:
    """Scaled, error is 0, .1, .2, 1 and params 1, .1, .05, 0: the sums are 1, .2, .25 and 1."""
    description = {
        "task": {"metrics": {"error": "minimize"}},
        "objectives": [{"column": "error", "sign": 1}, {"column": "params", "sign": 1}],
    }
    front = hand_made(error=[0.0, 0.1, 0.2, 1.0], params=[100.0, 10.0, 5.0, 0.0])
    found = {pick["role"]: pick["candidate"] for pick in recommended(description, front)}
    assert found == {"smallest": 3, "knee": 1, "most accurate": 0}


def test_more_accurate_is_more_where_the_metric_is_maximised() -> None:
    description = {
        "task": {"metrics": {"accuracy": "maximize"}},
        "objectives": [{"column": "accuracy", "sign": -1}, {"column": "params", "sign": 1}],
    }
    front = hand_made(error=[0, 0, 0], accuracy=[0.9, 0.89, 0.2], params=[9.0, 1.0, 0.9])
    picks = recommended(description, front)
    assert [(pick["role"], pick["candidate"]) for pick in picks] == [
        ("smallest", 2),
        ("knee", 1),
        ("most accurate", 0),
    ]
    assert picks[-1]["why"] == "highest accuracy"


def test_nothing_found_yet_is_said(tmp_path: Path) -> None:
    with pytest.raises(Stop):
        run(tmp_path / "run", stopping_after(0))
    empty = document(evonas.load(tmp_path / "run"))
    assert empty["summary"][1:] == [
        "No candidate has been evaluated yet.",
        "The front is empty: no candidate was fully trained within the limits.",
    ] or empty["columns"]["candidate"] == [0]
    infeasible = document(run(tmp_path / "none", limits=[{"metric": "params", "at_most": 1}]))
    assert infeasible["front"] == infeasible["picks"] == []
    assert "40 over a limit" in infeasible["summary"][1]


def test_a_live_run_says_so(tmp_path: Path) -> None:
    seen: list[tuple[bool, int]] = []

    def watch(loop: Any, evaluation: Any) -> None:
        data = document(evonas.load(tmp_path / "run"))
        seen.append((data["live"], len(data["columns"]["candidate"])))

    run(tmp_path / "run", watch, budget={"evaluations": 10})
    assert all(live for live, _ in seen)
    assert seen[-1][1] >= 8
    assert document(evonas.load(tmp_path / "run"))["state"].startswith("finished: ")


def test_three_objectives_and_one(tmp_path: Path) -> None:
    three = [{"metric": "error"}, {"metric": "params"}, {"metric": "train_memory_mb"}]
    many = document(run(tmp_path / "three", objectives=three))
    assert [axis["column"] for axis in many["axes"]][:3] == ["error", "params", "train_memory_mb"]
    assert [axis["better"] for axis in many["axes"]][:3] == [-1, -1, -1]
    one = document(run(tmp_path / "one", objectives=[{"metric": "error"}]))
    assert {pick["role"] for pick in one["picks"]} == {"smallest", "most accurate"}


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    hostile = hostile_run(tmp_path / "run")
    text = page(to_json(document(hostile)))
    data = data_of(text)
    assert data["columns"]["arch"][3] == {HOSTILE: HOSTILE, "block": {HOSTILE: HOSTILE}}
    assert HOSTILE in data["texts"]["message"]
    assert len(re.findall("<script", text)) == len(re.findall("</script", text)) == 2
    assert "alert(1)" in text
    assert "<img" not in text
    assert "\u2028" not in text


def test_no_code_gets_into_the_line_that_people_paste(found: evonas.Run) -> None:
    foreign = evonas.load(found.folder)
    foreign.description["task"] = {**foreign.description["task"], "input": {"shape": ["print('pwned')"]}}
    with pytest.raises(UserError, match="task takes shapes of whole numbers"):
        document(foreign)
    foreign = evonas.load(found.folder)
    foreign.description["config"] = {**foreign.description["config"], "training": {"rungs": "many"}}
    with pytest.raises(UserError, match=r"run\.json: config"):
        document(foreign)


def hostile_run(folder: Path) -> evonas.Run:
    """Of the kind that somebody else may have sent."""
    run(folder, work={"weights_kb": 0.1})

    def changed(table: pa.Table) -> pa.Table:
        rows = table.to_pylist(maps_as_pydicts="strict")
        rows[3].update(
            message=HOSTILE, operator=HOSTILE, arch=json.dumps({HOSTILE: HOSTILE, "block": {HOSTILE: HOSTILE}})
        )
        return pa.Table.from_pylist(rows, schema=table.schema)

    forge(folder, "evaluations", 1, changed)
    return evonas.load(folder, Toy())


def test_numbers_are_short_and_whole_ones_exact() -> None:
    assert [number(value) for value in (0.123456789, 1234567.0, float("nan"), float("-inf"), 2)] == [
        0.123457,
        1234567,
        None,
        None,
        2,
    ]


def test_what_grows_without_a_bound_has_a_budget(tmp_path: Path) -> None:
    """2,000 candidates of 300 epochs, all on the front, with long architectures."""
    long = run(tmp_path / "run", budget={"evaluations": 8})
    row = long.evaluations.iloc[[0]]
    curve = [{"epoch": e, "train_loss": e / 7, "valid_loss": e / 9, "valid_metric": e / 11} for e in range(1, 301)]
    big = pd.concat([row] * 2000, ignore_index=True)
    big = big.assign(candidate=range(2000), curve=[curve] * 2000, arch=[json.dumps({"gene": "x" * 4000})] * 2000)
    big["error"], big["params"], big["status"], big["violation"] = range(2000), range(2000, 0, -1), "ok", 0.0
    long.evaluations = big
    data = document(long)
    assert len(data["front"]) == 2000
    assert len(page(to_json(data))) < 8e6
    assert {len(points) for points in data["columns"]["curve"]} == {4 * 25}
    assert all(points[-4] == 300 for points in data["columns"]["curve"])
    assert sum(arch is not None for arch in data["columns"]["arch"]) == ARCH_BYTES // (len(big["arch"][0]) - 1)


class TestCommand:
    def test_it_says_where_the_page_is(self, found: evonas.Run, tmp_path: Path, capsys: Any) -> None:
        out = tmp_path / "page.html"
        assert main(["report", str(found.folder), "--out", str(out)]) == 0
        assert capsys.readouterr().out.startswith(f"{out}: 0.")
        assert data_of(out.read_text())["columns"]["candidate"] == list(range(40))
        assert [path.name for path in tmp_path.iterdir()] == ["page.html"]

    def test_wrong_input_is_one_line(self, found: evonas.Run, tmp_path: Path, capsys: Any) -> None:
        assert main(["report", str(tmp_path)]) == 2
        assert "is not a run folder" in capsys.readouterr().err
        assert main(["report", str(found.folder), "--out", str(tmp_path / "no" / "page.html")]) == 2
        assert "--out" in capsys.readouterr().err
        with pytest.raises(UserError, match="cannot listen on port 99999"):
            ReportServer(str(found.folder), 99999)

    def test_what_is_heavy_is_not_needed(self, found: evonas.Run, tmp_path: Path) -> None:
        program = (
            "import sys\nfor name in ('torch', 'ray', 'pymoo', 'matplotlib'): sys.modules[name] = None\n"
            f"from evonas.cli import main; main(['report', {str(found.folder)!r}, '--out', {str(tmp_path / 'p')!r}])"
        )
        answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
        assert answer.returncode == 0, answer.stderr
        assert (tmp_path / "p").exists()

    def test_the_page_travels_with_the_package(self) -> None:
        import tomllib

        patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["evonas"]
        files = [path for path in (ROOT / "evonas" / "report").iterdir() if path.is_file()]
        assert {f"report/{path.name}" for path in files if path.suffix != ".py"} <= set(patterns)

    @pytest.mark.parametrize(("words", "says"), [(["--watch", "--out", "x"], "--out"), (["--port", "1"], "--watch")])
    def test_options_that_do_not_go_together(
        self, words: list[str], says: str, found: evonas.Run, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["report", str(found.folder), *words]) == 2
        assert says in capsys.readouterr().err

    def test_the_line_that_exports_a_network_works(self, binaries: Path, tmp_path: Path) -> None:
        config = {
            "space": {"kind": "cell", "stages": 1, "channels": [4, 6]},
            "task": {"kind": "digits"},
            "objectives": [{"metric": "error"}, {"metric": "params"}],
            "strategy": {"population": 4},
            "training": {"epochs": 1},
            "budget": {"evaluations": 4},
            "runtime": {"kind": "serial"},
        }
        folder = tmp_path / 'it\'s "here" $HOME'
        data = document(evonas.search(config, run=folder))
        best = data["front"][0]
        assert best in data["kept"]
        line = data["command"]["before"] + str(best) + data["command"]["after"]
        subprocess.run(line, shell=True, check=True, cwd=tmp_path, env={"PATH": f"{binaries}:/usr/bin:/bin"})
        whole = torch.export.load(tmp_path / f"candidate-{best}.pt2").module()
        run = evonas.load(folder)
        task = run.task()
        stored = torch.from_numpy(task.splits.test.x[:5])  # as the data have it, and a batch of another size
        with torch.inference_mode():
            assert torch.allclose(whole(stored), run.build(best)(task.prepare(stored)), atol=1e-5)


class TestWatch:
    @pytest.fixture
    def server(self, found: evonas.Run) -> Iterator[ReportServer]:
        with ReportServer(str(found.folder), 0) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
            thread.start()
            yield server
            server.shutdown()

    def get(self, server: ReportServer, path: str, **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        return connection.getresponse()

    def test_it_serves_the_page_and_newer_data(self, server: ReportServer) -> None:
        answer = self.get(server, "/")
        assert answer.status == 200
        assert 'data-follow="yes"' in answer.read().decode()
        newest = self.get(server, "/data")
        assert json.loads(newest.read())["columns"]["candidate"] == list(range(40))
        tag = newest.headers["ETag"]
        assert self.get(server, "/data", If_None_Match=tag).status == 304
        assert self.get(server, "/run.json").status == 404

    @pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", ""])
    def test_a_foreign_name_that_leads_here_is_refused(self, server: ReportServer, host: str) -> None:
        assert self.get(server, "/data", Host=host).status == 403
        assert self.get(server, "/", Host=f"localhost:{server.port}").status == 200

    def test_it_listens_on_this_machine_alone(self, server: ReportServer) -> None:
        assert server.server_address[0] == "127.0.0.1"

    def test_the_command_serves_until_it_is_interrupted(self, found: evonas.Run, binaries: Path) -> None:
        command = [str(binaries / "evonas"), "report", str(found.folder), "--watch"]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout
        port = re.match(r"http://127\.0\.0\.1:(\d+)/ follows ", process.stdout.readline())
        assert port
        connection = http.client.HTTPConnection("127.0.0.1", int(port[1]), timeout=600)
        connection.request("GET", "/")
        assert connection.getresponse().status == 200
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=600) == ("", "")
        assert process.returncode == 130

    def test_what_cannot_be_read_now_leaves_what_was_known(self, found: evonas.Run, tmp_path: Path) -> None:
        folder = tmp_path / "run"
        run(folder, budget={"evaluations": 8})
        with ReportServer(str(folder), 0) as server:
            before = server.source.newest()
            folder.rename(tmp_path / "gone")
            server.source._next = 0.0
            assert server.source.newest() == before
            assert "is not a run folder" in server.source.trouble
