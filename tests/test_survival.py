"""What a search survives: kills, signals, full disks, rivals, clocks. Real processes, the serial runtime."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import evonas
from evonas.driver.circuit_breaker import CircuitBreaker
from evonas.errors import Halted, UserError
from evonas.records import Candidate, Evaluation, Status
from evonas.store import Store, create_run, evaluations_schema, open_folder, recover
from evonas.store.documents import from_document, to_document
from evonas.store.starts import Start
from tests.synthetic import Toy, config
from tests.test_loop import Stop, content, populations, run, stopping_after
from tests.waiting import until

ROOT = Path(__file__).parents[1]


def python(program: str, *words: str) -> subprocess.Popen[str]:
    imports = "import gc, sys\ngc.disable()\nfrom tests.test_loop import *\ngc.freeze()\ngc.enable()"
    command = [sys.executable, "-c", f"{imports}\n{program}", *words]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def module(binaries: Path, name: str, *words: str) -> subprocess.CompletedProcess[str]:
    """As `python -m` would run it, in a process that has evonas imported."""
    code = f"import runpy; runpy.run_module({name!r}, run_name='__main__', alter_sys=True)"
    command = [str(binaries / "run-code"), code, *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture
def reaped() -> Iterator[list[subprocess.Popen[str]]]:
    """Whatever a test starts is gone behind it."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> evonas.Run:
    work = {"failing": (5, 11), "weights_kb": 0.1}
    return run(tmp_path_factory.mktemp("whole") / "run", work=work)


@pytest.mark.parametrize(
    ("mode", "kills"),
    [
        ("window", 20),
        pytest.param("async", 20, marks=pytest.mark.slow),
        pytest.param("generation", 20, marks=pytest.mark.slow),
        pytest.param("window", 60, marks=pytest.mark.slow),
    ],
)
def test_killed_at_any_instant_nothing_is_lost_or_done_twice(
    mode: str, kills: int, binaries: Path, whole: evonas.Run, tmp_path: Path
) -> None:
    answer = module(binaries, "tests.killing", str(tmp_path), mode, str(kills), "1")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert answer.stdout.startswith(f"{kills} kills"), answer.stdout
    for folder in tmp_path.glob(f"{mode}-?"):
        found = evonas.load(folder, Toy())
        assert found.verify().difference == ""
        assert found.evaluations["candidate"].tolist() == list(range(40))
        if mode == "window":
            assert content(found) == content(whole)
            assert populations(found) == populations(whole)


def test_ended_at_any_change_of_a_start_there_is_nothing_or_a_run(binaries: Path, tmp_path: Path) -> None:
    answer = module(binaries, "tests.killing_starts", str(tmp_path))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    counts = [[int(word) for word in line.split() if word.isdecimal()] for line in answer.stdout.splitlines()]
    assert len(counts) == 2
    assert all(nothing > 1 and some > 1 for nothing, some in counts), answer.stdout


class TestRivals:
    PROGRAM = "run(Path(sys.argv[1]), work={'delay': 0.01, 'failing': (5, 11), 'weights_kb': 0.1})"
    SLOW_PROGRAM = """
import time
def slow(search, evaluation): time.sleep(0.5 if search.evaluated > 8 else 0)
run(Path(sys.argv[1]), slow, work={'delay': 0.01, 'failing': (5, 11), 'weights_kb': 0.1})
"""
    """Is not done by itself before the test is done with it."""

    def test_a_second_driver_is_refused_and_a_replaced_one_records_nothing(
        self, whole: evonas.Run, tmp_path: Path, reaped: list[subprocess.Popen[str]]
    ) -> None:
        """Stopped with SIGSTOP, replaced, woken with SIGCONT."""
        folder = tmp_path / "run"
        first = python(self.SLOW_PROGRAM, str(folder))
        reaped.append(first)
        until((folder / "manifest" / "generation-00001.json").exists)
        with pytest.raises(UserError, match=r"another search or training is writing to .*--take-over"):
            run(folder)
        first.send_signal(signal.SIGSTOP)
        with pytest.raises(UserError, match="another search or training is writing"):
            run(folder)
        second = run(folder, work={"failing": (5, 11), "weights_kb": 0.1}, take_over=True)
        before = everything(folder)
        first.send_signal(signal.SIGCONT)
        _, errors = first.communicate(timeout=600)
        assert "Replaced: another search has taken over" in errors
        # stopped between its look and its write, it may leave a segment of its own, which is older and does not count
        after = {name: data for name, data in everything(folder).items() if not name.startswith("journal/0001-")}
        assert after == {name: data for name, data in before.items() if not name.startswith("journal/0001-")}
        assert content(second) == content(whole)
        assert evonas.load(folder, Toy()).verify().difference == ""

    def test_what_a_replaced_driver_commits_in_the_very_moment_does_not_count(
        self, whole: evonas.Run, tmp_path: Path
    ) -> None:
        """Its last look at who has the folder came before it was stopped, what it writes comes after."""
        folder = tmp_path / "run"
        with pytest.raises(Stop):
            run(folder, stopping_after(9), work={"failing": (5, 11), "weights_kb": 0.1})
        stale = Path(shutil.copytree(folder, tmp_path / "stale"))
        with pytest.raises(Stop):
            run(folder, stopping_after(12), work={"failing": (5, 11), "weights_kb": 0.1})
        run(stale, budget={"evaluations": 20}, work={"weights_kb": 0.1})
        for kind in ("evaluations", "populations", "manifest"):
            for path in (stale / kind).glob("generation-0000[23].*"):
                data = path.read_bytes()
                if kind == "manifest":
                    entry = from_document(path.name, data)
                    data = to_document({**entry, "start": 1})
                (folder / kind / path.name).write_bytes(data)
        assert evonas.load(folder, Toy()).status()["generations"] == 1
        found = run(folder, work={"failing": (5, 11), "weights_kb": 0.1})
        assert content(found) == content(whole)
        assert found.verify().difference == ""

    def test_what_a_replaced_driver_removes_in_the_very_moment_is_not_its_successors(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        where, schema = open_folder(tmp_path / "run"), evaluations_schema(("error",), ())
        create_run(where, {})
        stores = [Store(where, schema, take_over) for take_over in (False, True)]
        for store in stores:
            store.start.begin({})
            store.restore(recover(where, ("error",), ()))
        stale, successor = stores
        successor.weights.save(15, b"trained anew")
        with pytest.raises(Halted, match="another search has taken over"):
            stale.weights.keep({3})
        monkeypatch.setattr(Start, "check", lambda self: None)
        stale.weights.keep({3})
        assert where.names("weights") == ["000015.safetensors"]
        for store in stores:
            store.close()


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestFullDisk:
    ALONE = """
import ctypes, os, sys
from pathlib import Path
ids = os.getuid(), os.getgid()
NEWNS, NEWUSER = 0x20000, 0x10000000
if ctypes.CDLL(None, use_errno=True).unshare(NEWNS | NEWUSER):
    sys.exit(77)
for name, text in ("setgroups", "deny"), ("uid_map", f"0 {ids[0]} 1"), ("gid_map", f"0 {ids[1]} 1"):
    Path("/proc/self", name).write_text(text)
"""
    """What `unshare --mount --map-root-user` does, in a process that has evonas imported."""
    PROGRAM = """
import subprocess
from tests.test_loop import *
from evonas.errors import Halted
folder, size = Path(sys.argv[1]), sys.argv[2]
def tmpfs(*options): subprocess.run(["mount", "-t", "tmpfs", "-o", *options, "tmpfs", str(folder)], check=True)
tmpfs("size=" + size)
try:
    run(folder / "run", work=WORK)
    print("it was large enough")
except Halted as reason:
    print(reason)
print(len(recovered(folder / "run").evaluated), evonas.load(folder / "run", Toy()).verify().difference)
tmpfs("remount,size=64m")
found = run(folder / "run", work=WORK)
print(content(found), found.verify().difference)
"""

    @pytest.mark.parametrize(
        ("kilobytes", "weights_kb"),
        [
            (100, 0.1),
            pytest.param(200, 20, marks=pytest.mark.slow),
            pytest.param(440, 60, marks=pytest.mark.slow),
            (1024, 300),
        ],
    )
    def test_a_full_disk_stops_the_search_and_room_lets_it_go_on(
        self, kilobytes: int, weights_kb: float, binaries: Path, tmp_path: Path
    ) -> None:
        """A tmpfs in a mount namespace of its own; at several sizes, so that different files meet its end."""
        work = {"failing": (5, 11), "weights_kb": weights_kb}
        program = f"{self.ALONE}\nWORK = {work!r}\n{self.PROGRAM}"
        command = [str(binaries / "run-code"), program, str(tmp_path), f"{kilobytes}k"]
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if answer.returncode == 77:
            pytest.skip("this machine lets nobody mount a tmpfs of their own")
        assert answer.returncode == 0, answer.stderr
        halted, intact, end = answer.stdout.splitlines()
        assert "cannot be written: No space left on device; what was recorded before is intact" in halted
        assert int(intact) >= 1
        whole = run(tmp_path / "whole", work=work)
        assert end.strip() == content(whole)

    def test_a_journal_that_cannot_grow(self, binaries: Path, whole: evonas.Run, tmp_path: Path) -> None:
        limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))"
        program = f"import sys\nfrom tests.test_loop import *\n{limit}; {TestRivals.PROGRAM}"
        command = [str(binaries / "run-code"), program, str(tmp_path / "run")]
        errors = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stderr
        assert "Halted" in errors
        assert "File too large" in errors
        assert content(run(tmp_path / "run", work={"failing": (5, 11), "weights_kb": 0.1})) == content(whole)


@pytest.mark.parametrize("jump", [86_400, -86_400])
def test_no_decision_looks_at_the_clock(
    jump: int, whole: evonas.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of the wall jumps by a day, there and back, each time that somebody looks."""
    real, looks = time.time, iter(range(10**9))
    monkeypatch.setattr(time, "time", lambda: real() + jump * (next(looks) % 2))
    with pytest.raises(Stop):
        run(tmp_path / "run", stopping_after(17), work={"failing": (5, 11), "weights_kb": 0.1})
    found = run(tmp_path / "run", work={"failing": (5, 11), "weights_kb": 0.1})
    assert content(found) == content(whole)
    assert found.verify().difference == ""


class TestBreaker:
    def test_a_search_whose_candidates_fail_alike_stops_with_their_message_and_can_go_on(self, tmp_path: Path) -> None:
        message = (
            r"10 of the last 10 candidates failed in the same way, the last with failed:build: layer 9 does not fit"
        )
        with pytest.raises(Halted, match=message):
            run(tmp_path / "run", work={"unbuildable": range(40)})
        assert len(evonas.load(tmp_path / "run").evaluations) == 10
        found = run(tmp_path / "run")  # mended
        assert found.evaluations["status"].tolist()[:10] == ["failed:build"] * 10
        assert len(found.evaluations) == 40
        assert found.verify().difference == ""

    def test_the_message_is_of_those_that_are_alike_whatever_numbers_are_in_it(self) -> None:
        breaker = CircuitBreaker(config())
        for index in range(10):
            error = f"RuntimeError: at 0x7f{index:x}a needs {index * 300:,}.5 MB" if index < 9 else "another one"
            candidate = Candidate(index, (), (), "random", 0, 0)
            breaker.record(Evaluation(candidate, Status.FAILED_ERROR, message=error))
        with pytest.raises(Halted, match=r"9 of the last 10 .*: RuntimeError: at 0x7f8a needs 2,400\.5 MB"):
            breaker.check()

    def test_the_share_is_the_users(self, tmp_path: Path) -> None:
        found = run(tmp_path / "run", work={"unbuildable": range(0, 40, 2)})
        assert (found.evaluations["status"] == "failed:build").sum() == 20
        with pytest.raises(Halted, match="5 of the last 10 candidates"):
            run(
                tmp_path / "strict",
                work={"unbuildable": range(0, 40, 2)},
                budget={"evaluations": 40, "same_failure": 0.4},
            )
        off = run(tmp_path / "off", work={"unbuildable": range(40)}, budget={"evaluations": 15, "same_failure": 1})
        assert set(off.evaluations["status"]) == {"failed:build"}
