"""What candidates can do to their process, with real processes; after each of them the next candidate is well."""

import errno
import fcntl
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType

import psutil
import pytest
import torch

from evonas.errors import UserError
from evonas.measuring.device_lock import DeviceLock
from evonas.records import UNKNOWN, Deferred, Evaluation, RungReport, RunKind, Status, evaluations
from evonas.runtime import kind
from evonas.runtime.runtime import Factory, WorkerExit
from evonas.runtime.sandbox.packing import PREFIX, hold, load, pack, sweep
from evonas.runtime.sandbox.protocol import REPORT, FrameType
from evonas.runtime.sandbox.worker_process import WorkerProcess, WorkerProcessLost, unpacked
from tests import away, works
from tests.evaluation.small import job
from tests.misbehaving import MB, Misdeeds, factory
from tests.waiting import lives, until_gone

SHARE = 700 * MB
GENE = {deed: i for i, deed in enumerate(Misdeeds.deed.values)}
WORK = {work: i for i, work in enumerate(works.WORKS)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("deeds")


@pytest.fixture(scope="module")
def shared(folder: Path) -> Iterator[WorkerProcess]:
    yield from opened(factory(folder), SHARE, RunKind({}, "float32", float32={"cpu": "ieee"}))


@pytest.fixture(scope="module")
def light() -> Iterator[WorkerProcess]:
    """Runs the works of `tests/works.py`."""
    yield from opened(works.by_gene)


@pytest.fixture
def sandbox(shared: WorkerProcess, folder: Path) -> Iterator[WorkerProcess]:
    """Whatever a test lets happen in it, the next candidate is trained."""
    yield shared
    for mark in folder.iterdir():
        mark.unlink()
    last = answer(shared, "none")
    assert isinstance(last, Evaluation)
    assert (last.status, last.message, last.batch_size) == (Status.OK, "", 32)


def opened(what: Factory, memory: int | None = None, said: RunKind = UNKNOWN) -> Iterator[WorkerProcess]:
    """said: what its work says of its kind."""
    sandbox = WorkerProcess(pack(what), memory)
    try:
        assert kind.unpacked(sandbox.ready(60)) == said
        sandbox.ready(0)
        yield sandbox
    finally:
        sandbox.close()


def answer(sandbox: WorkerProcess, deed: str, seconds: float = 20.0) -> Evaluation | WorkerExit:
    """The last word on a candidate. Also: it came within the deadline and a moment."""
    start = time.monotonic()
    *_, last = sandbox.run(job(GENE[deed]), seconds, 5.0)
    assert isinstance(last, Evaluation | WorkerExit)
    assert time.monotonic() - start < seconds + 2.0
    return last


def done(sandbox: WorkerProcess, work: Callable[..., object], seconds: float = 20.0) -> Evaluation | WorkerExit:
    *_, last = sandbox.run(job(WORK[work]), seconds, 5.0)
    assert isinstance(last, Evaluation | WorkerExit)
    return last


def pid_of(sandbox: WorkerProcess) -> int:
    last = done(sandbox, works.good)
    assert isinstance(last, Evaluation)
    return int(last.metrics["pid"])


@pytest.mark.parametrize(
    ("deed", "status", "message"),
    [
        ("build", Status.FAILED_BUILD, "ValueError: no such network (misbehaving.py:"),
        ("nan", Status.FAILED_DIVERGED, "not finite after epoch 1"),
        ("text", Status.FAILED_ERROR, "AttributeError: 'str' object"),
        ("exits", Status.FAILED_ERROR, "SystemExit: 3 (misbehaving.py:"),
        ("stubborn", Status.FAILED_ERROR, "Stubborn: its text cannot be shown: ValueError (misbehaving.py:"),
        ("no gpu", Status.FAILED_OOM, "out of memory at batch sizes 32 and 16: OutOfMemoryError: CUDA out of memory."),
        ("cuda", Status.FAILED_CRASH, "can use its GPU no more: AcceleratorError: CUDA error: device-side assert trig"),
    ],
)
def test_what_a_network_raises_is_a_row(sandbox: WorkerProcess, deed: str, status: Status, message: str) -> None:
    last = answer(sandbox, deed)
    assert isinstance(last, Evaluation)
    assert last.status is status
    assert message in last.message
    assert last.message.isprintable()


def test_a_network_too_large_for_its_batches_is_trained_with_half(sandbox: WorkerProcess) -> None:
    last = answer(sandbox, "half a gpu")
    assert isinstance(last, Evaluation)
    assert (last.status, last.batch_size) == (Status.OK, 16)
    assert last.message == "out of memory at batch size 32; trained at 16"


SAID = "from Python\nfrom C\nby descriptor\nfrom a child\nat the end"


def test_what_a_candidate_prints_comes_with_its_result_and_with_no_other(light: WorkerProcess) -> None:
    last = done(light, works.talking)
    assert last.log == f"{SAID}\n\nTraceback of it"
    assert done(light, works.good).log == ""
    done(light, works.deaf)
    assert done(light, works.talking).log == f"{SAID}\n\nTraceback of it", "the streams are there again"


def test_what_it_had_printed_outlives_a_candidate_that_is_killed(light: WorkerProcess) -> None:
    last = done(light, works.talking_to_death)
    assert (last.status, last.log) == (Status.FAILED_CRASH, SAID)
    last = done(light, works.talking_for_ever, seconds=1.0)
    assert last.status is Status.FAILED_TIMEOUT
    assert last.log.startswith("on and on\non and on\n")
    assert " bytes left out ..." in last.log
    assert "works.py" in last.log, "the stack at the deadline is the end of the log"
    assert len(last.log) < 2**17


def test_the_traceback_of_a_work_that_raises_is_in_the_log(light: WorkerProcess) -> None:
    last = done(light, works.raising)
    assert last.log.startswith("Traceback (most recent call last):")
    assert last.log.endswith("KeyError: 'x'")


@pytest.mark.parametrize(("deed", "place"), [("loops", "loop"), ("blocks", "block")])
def test_a_candidate_that_never_ends_costs_its_deadline(sandbox: WorkerProcess, deed: str, place: str) -> None:
    last = answer(sandbox, deed, 1.5)
    assert isinstance(last, WorkerExit)
    assert last.status is Status.FAILED_TIMEOUT
    assert last.message.startswith("over its deadline of 1.5 s (runtime.deadline_minutes), at misbehaving.py:")
    assert last.message.endswith(f" in {place}")


def test_a_worker_that_holds_more_than_its_share_when_it_is_ready_is_refused() -> None:
    own = r"holds \d+ MB of host memory before its first candidate, and its share is 2 MB: give runtime\.memory_mb"
    with pytest.raises(UserError, match=own):
        next(opened(works.by_gene, 2 * MB))


def test_a_candidate_that_eats_memory_is_ended_and_its_machine_is_not(sandbox: WorkerProcess) -> None:
    last = answer(sandbox, "eats")
    assert isinstance(last, WorkerExit)
    assert last.status is Status.FAILED_OOM
    took = int(last.message.split()[1].replace(",", ""))
    assert 700 < took < 3000
    assert last.message.endswith(" MB of host memory, its worker's share is 700 MB (runtime.memory_mb_per_worker)")


def test_what_a_candidate_has_pinned_for_a_gpu_counts_and_ends_with_its_process(sandbox: WorkerProcess) -> None:
    last = answer(sandbox, "pins")
    assert isinstance(last, WorkerExit)
    assert last.status is Status.FAILED_OOM
    assert ", 1,000 MB of it pinned for a GPU, its worker's share is 700 MB" in last.message
    assert isinstance(answer(sandbox, "none"), Evaluation)


@pytest.mark.parametrize(
    ("deed", "message"),
    [
        ("quits", "its process ended by itself with exit code 0 (os._exit?)"),
        ("is killed", "its process was killed from outside (SIGKILL), as the kernel does when memory runs out"),
        ("segfault", "segmentation fault (SIGSEGV), at misbehaving.py:"),
        ("build segfault", "segmentation fault (SIGSEGV), at misbehaving.py:"),
    ],
)
def test_a_candidate_that_takes_its_process_along_says_how(sandbox: WorkerProcess, deed: str, message: str) -> None:
    last = answer(sandbox, deed)
    assert isinstance(last, WorkerExit)
    assert last.status is Status.FAILED_CRASH
    assert last.message.startswith(message)


@pytest.mark.parametrize("deed", ["child", "session", "daemon"])
def test_a_process_left_behind_is_ended(sandbox: WorkerProcess, folder: Path, deed: str) -> None:
    last = answer(sandbox, deed)
    assert isinstance(last, Evaluation)
    assert last.status is Status.OK
    assert last.message == "it left 1 process behind, which was ended"
    assert not lives(int((folder / "child").read_text()))


def test_a_process_left_behind_by_a_crash_is_ended_too(light: WorkerProcess) -> None:
    """Also: half a frame, with its other end held open by a child, is no reason to wait."""
    before = pid_of(light)
    last = done(light, works.torn)
    assert isinstance(last, WorkerExit)
    assert last.message == "its process ended by itself with exit code 7 (os._exit?)"
    assert [child.pid for child in psutil.Process(light._fork_server.pid).children()] == [pid_of(light)] != [before]


def test_a_forked_copy_of_the_worker_has_no_say(sandbox: WorkerProcess) -> None:
    heard = list(sandbox.run(job(GENE["double"]), 20.0, 5.0))
    assert [type(item) for item in heard] == [RungReport, Evaluation]
    last = heard[-1]
    assert isinstance(last, Evaluation)
    assert last.status is Status.OK


@pytest.mark.parametrize(("deed", "replaced"), [("none", False), ("zombie", False), ("cuda", True), ("thread", True)])
def test_a_process_that_cannot_be_trusted_is_replaced(sandbox: WorkerProcess, deed: str, replaced: bool) -> None:
    answer(sandbox, "none")
    (before,) = psutil.Process(sandbox._fork_server.pid).children()
    assert isinstance(answer(sandbox, deed), Evaluation)
    (after,) = psutil.Process(sandbox._fork_server.pid).children()
    assert (after.pid != before.pid) is replaced
    assert not after.children()


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (works.local, "its result cannot be sent: "),
        (works.foreign, "its result cannot be sent: it holds a decimal.Decimal"),
        (works.text, "its work reported a str, not an Evaluation"),
        (works.silent, "its work ended without a result"),
        (works.interrupted, "KeyboardInterrupt"),
    ],
)
def test_a_work_without_a_result_is_an_error(light: WorkerProcess, work: Callable[..., object], message: str) -> None:
    last = done(light, work)
    assert isinstance(last, WorkerExit)
    assert last.status is Status.FAILED_ERROR
    assert last.message.startswith(message)
    assert pid_of(light)


def unpickled(data: bytes) -> WorkerExit:
    """What the parent process makes of a worker's words."""
    found = unpacked(REPORT.pack(FrameType.EVALUATION.value, 0, 0) + data)
    assert isinstance(found, WorkerExit)
    return found


@pytest.mark.parametrize("name", ["dataclass.__builtins__.get", "Evaluation.__init__", "dataclass", "Mapping", "field"])
def test_a_worker_may_name_records_and_nothing_in_or_beside_them(name: str) -> None:
    """Also: a name with dots would lead out of the module."""
    texts = b"".join(
        pickle.SHORT_BINUNICODE + bytes([len(text)]) + text.encode() for text in (evaluations.__name__, name)
    )
    found = unpickled(pickle.PROTO + b"\x04" + texts + pickle.STACK_GLOBAL + pickle.STOP)
    assert found.message == f"its result cannot be sent: it holds a evonas.records.evaluations.{name}"


@pytest.mark.parametrize("data", [b"", b"\x80\x04", b"nonsense", pickle.dumps(7), pickle.dumps({"status": "ok"})])
def test_a_worker_that_sends_no_record_has_failed(data: bytes) -> None:
    found = unpickled(data)
    assert found.status is Status.FAILED_ERROR
    assert found.message.startswith("its result cannot be sent: ")


def test_a_postponed_job_leaves_nothing_behind_either() -> None:
    for sandbox in opened(partial(away.made, away.leaving)):
        (last,) = sandbox.run(away.job(3), 20.0, 5.0)
        assert isinstance(last, Deferred)
        assert last.index == 3
        assert not lives(int(last.reason))


def test_a_worker_that_closes_what_is_not_its_own_is_replaced(light: WorkerProcess) -> None:
    last = done(light, works.closing, 5.0)
    assert isinstance(last, WorkerExit)
    assert last.message == "its process ended by itself with exit code 1 (os._exit?)"
    assert pid_of(light)


def test_what_a_worker_said_before_its_end_is_heard(light: WorkerProcess) -> None:
    worker = pid_of(light)
    reports = light.run(job(WORK[works.lasting]), 600.0, 600.0)
    next(reports)
    os.kill(light._fork_server.pid, signal.SIGSTOP)
    until_gone(worker)
    os.kill(light._fork_server.pid, signal.SIGCONT)
    assert isinstance(next(reports), Evaluation)
    assert pid_of(light)


def test_a_worker_is_on_its_own(light: WorkerProcess) -> None:
    fork_server, worker = light._fork_server.pid, pid_of(light)
    assert len({os.getsid(0), os.getsid(fork_server), os.getsid(worker)}) == 3, "no Ctrl-C reaches it"
    assert Path(f"/proc/{worker}/oom_score_adj").read_text().strip() == "1000"
    links = [os.readlink(link) for link in Path(f"/proc/{worker}/fd").iterdir() if int(link.name) > 2]
    assert sum(link.startswith("socket:") for link in links) == 1, "it holds no end of another's talk"


def test_garbage_is_collected_in_a_worker(light: WorkerProcess) -> None:
    """Not so while its fork server imports what it is made of."""
    last = done(light, works.good)
    assert isinstance(last, Evaluation)
    assert last.metrics["collects"]


def test_a_worker_gets_what_it_needs_of_the_environment_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVONAS_TOKEN", "a secret")
    monkeypatch.setenv("MY_DATA", "/data")
    monkeypatch.delenv("PYTORCH_ALLOC_CONF", raising=False)
    process = WorkerProcess(pack(works.by_gene), pass_env=("MY_DATA",), gpus=0.25)
    try:
        process.ready(60)
        text = Path(f"/proc/{pid_of(process)}/environ").read_bytes()
    finally:
        process.close()
    assert b"MY_DATA=/data" in text
    assert b"a secret" not in text
    assert b"EVONAS_GPU_SHARE=0.25" in text
    assert b"PYTORCH_ALLOC_CONF=expandable_segments:True" in text


def test_a_training_that_stands_still_is_ended_long_before_its_deadline(light: WorkerProcess) -> None:
    last = done(light, works.standing_still, 1000.0)
    assert isinstance(last, WorkerExit)
    assert last.status is Status.FAILED_TIMEOUT
    message = "no step of its training on the GPU ended in 0 s, where an epoch took 0.01 s, at works.py:"
    assert last.message.startswith(message)
    assert isinstance(done(light, works.good), Evaluation)


def test_large_and_many_reports_arrive_whole(light: WorkerProcess) -> None:
    last = done(light, works.large)
    assert isinstance(last, Evaluation)
    assert last.weights == bytes(works.LARGE)
    *passed, last = light.run(job(WORK[works.many]), 20.0, 5.0)
    assert [item.rung for item in passed if isinstance(item, RungReport)] == list(range(2000))


def test_signs_of_life_come_while_a_candidate_is_silent(light: WorkerProcess) -> None:
    heard = list(light.run(job(WORK[works.slow]), 1.0, 0.1))
    assert isinstance(heard[0], RungReport)
    assert isinstance(heard[-1], WorkerExit)
    assert 6 <= heard.count(None) <= 14


def test_a_job_that_nobody_listens_to_any_more_is_given_up(light: WorkerProcess) -> None:
    reports = light.run(job(WORK[works.slow]), 100.0, 5.0)
    first = next(reports)
    assert isinstance(first, RungReport)
    del reports
    assert pid_of(light) != first.metrics["pid"]
    until_gone(int(first.metrics["pid"]))


def test_a_process_that_compilers_have_worn_out_is_replaced_and_nobody_is_blamed() -> None:
    for sandbox in opened(works.Wearing):
        found = [pid_of(sandbox) for _ in range(3)]
        assert found[0] == found[1] != found[2]
        until_gone(found[0])


def test_an_idle_worker_that_is_killed_is_nobodys_fault(light: WorkerProcess) -> None:
    before = pid_of(light)
    os.kill(before, signal.SIGKILL)
    assert pid_of(light) != before


def test_a_worker_killed_from_outside(light: WorkerProcess) -> None:
    reports = light.run(job(WORK[works.slow]), 100.0, 5.0)
    first = next(reports)
    assert isinstance(first, RungReport)
    os.kill(int(first.metrics["pid"]), signal.SIGKILL)
    last = next(reports)
    assert isinstance(last, WorkerExit)
    assert (last.status, "killed from outside" in last.message) == (Status.FAILED_CRASH, True)
    assert pid_of(light)


def test_many_deaths_leave_nothing_open(light: WorkerProcess) -> None:
    def descriptors() -> list[int]:
        processes = [psutil.Process(light._fork_server.pid), psutil.Process(pid_of(light))]
        return [process.num_fds() for process in processes]

    before = descriptors()
    for _ in range(20):
        assert isinstance(done(light, works.silent), WorkerExit)
    assert descriptors() == before


def test_a_killed_fork_server_takes_its_worker_along_and_blames_no_candidate() -> None:
    for sandbox in opened(works.by_gene):
        reports = sandbox.run(job(WORK[works.slow]), 100.0, 5.0)
        first = next(reports)
        assert isinstance(first, RungReport)
        sandbox._fork_server.kill()
        with pytest.raises(WorkerProcessLost, match=r"fork server of its process was killed \(SIGKILL\)"):
            next(reports)
        until_gone(int(first.metrics["pid"]))
        with pytest.raises(WorkerProcessLost):
            done(sandbox, works.good)


PARENT = """
from evonas.runtime.sandbox.packing import pack
from evonas.runtime.sandbox.worker_process import WorkerProcess
from tests import works
from tests.evaluation.small import job
if __name__ == "__main__":
    sandbox = WorkerProcess(pack(works.by_gene))
    for item in sandbox.run(job(works.WORKS.index(works.slow)), 100.0, 0.1):
        if item:
            print(sandbox._fork_server.pid, int(item.metrics["pid"]), flush=True)
"""


def test_a_killed_parent_takes_everything_along() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
    )
    assert parent.stdout
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2
    assert all(map(lives, pids))
    parent.kill()
    parent.wait()
    until_gone(*pids)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (works.refusing, r"^targets\.gpu: there is no cuda:7$"),
        (works.dying, r"^its process ended by itself with exit code 4"),
        (works.failing, r"^KeyError: 'x'$"),
    ],
)
def test_a_worker_that_cannot_start_says_why(what: Factory, message: str) -> None:
    with pytest.raises(UserError, match=message):
        list(opened(what))


def test_what_cannot_be_sent_is_the_users_error() -> None:
    with pytest.raises(UserError, match="the space or the task cannot be sent to a worker: TypeError: cannot pickle"):
        pack(partial(works.by_gene, threading.Lock()))


def test_a_module_of_a_class_of_its_own_is_sent_by_name() -> None:
    """As `torch.backends.cudnn` is, which the modules of spaces switch on."""
    payload = pack(partial(works.by_gene, torch.backends.cudnn))
    again = pickle.loads(payload.data, buffers=payload.buffers)
    assert again.args == (torch.backends.cudnn,)


def test_a_worker_that_does_not_start_in_time() -> None:
    sandbox = WorkerProcess(pack(works.hanging))
    with pytest.raises(UserError, match=r"did not start within 0\.2 s"):
        sandbox.ready(0.2)
    sandbox.close()
    assert sandbox._fork_server.poll() is not None


def test_where_no_worker_can_start_any_more_the_sandbox_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for sandbox in opened(partial(works.vanishing, str(tmp_path / "mark"))):
        assert isinstance(done(sandbox, works.silent), WorkerExit)
        with pytest.raises(WorkerProcessLost, match="no worker can start any more: the GPU has gone"):
            done(sandbox, works.good)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files of this test's own, here and in fork servers."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_workers_of_a_node_share_one_copy_of_the_data(temporary: Path) -> None:
    payload = pack(partial(works.by_gene, works.ones(10 * MB)))
    payload = pickle.loads(pickle.dumps(payload))
    first, second = WorkerProcess(payload), WorkerProcess(payload)
    for sandbox in (first, second):
        sandbox.ready(60)
    (file,) = temporary.iterdir()
    assert file.name.startswith(PREFIX)
    assert file.stat().st_mode & 0o777 == 0o600
    assert 10 * MB < file.stat().st_size < 10.1 * MB
    first.close()
    assert file.exists()
    assert pid_of(second)
    second._fork_server.kill()  # even then
    second.close()
    assert not list(temporary.iterdir())


def test_files_of_dead_processes_are_swept(temporary: Path) -> None:
    payload = pack(works.by_gene)
    stale = temporary / f"{PREFIX}{payload.digest}"
    stale.write_bytes(b"half of i")
    (temporary / f"{PREFIX}other").touch()
    (temporary / "another").touch()
    for sandbox in opened(works.by_gene):
        assert [file.name for file in temporary.glob("evonas*")] == [stale.name]
        assert pid_of(sandbox)
    assert [file.name for file in temporary.iterdir()] == ["another"]


def test_a_half_written_file_is_written_again_and_others_wait(temporary: Path) -> None:
    payload = pack(partial(works.by_gene, works.ones(20 * MB)))
    (temporary / f"{PREFIX}{payload.digest}").write_bytes(b"half of i")
    held: list[int] = []
    threads = [threading.Thread(target=lambda: held.append(hold(payload))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({os.fstat(file).st_ino for file in held}) == 1
    for file in held:
        load(file)()
        os.close(file)


def test_holding_and_sweeping_at_the_same_time(temporary: Path) -> None:
    payload = pack(partial(works.by_gene, works.ones(1000)))
    name = f"{PREFIX}{payload.digest}"
    until = time.monotonic() + 1.0
    rounds: list[bool] = []

    def live() -> None:
        while time.monotonic() < until:
            sweep()
            file = hold(payload)
            same = os.path.samestat(os.fstat(file), (temporary / name).stat())
            load(file)()
            os.close(file)
            rounds.append(same)

    threads = [threading.Thread(target=live) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rounds) > 50
    assert all(rounds)
    sweep()
    assert not list(temporary.iterdir())


def test_a_sweep_spares_what_has_just_taken_the_place_of_a_stale_file(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload = pack(works.by_gene)
    path = temporary / f"{PREFIX}{payload.digest}"
    path.touch()
    held: list[int] = []

    def flock(file: int, operation: int, real: Callable[[int, int], None] = fcntl.flock) -> None:
        if not held:  # another sweep and another worker come between the opening and the locking
            held.append(-1)
            path.unlink()
            held[0] = hold(payload)
        real(file, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    sweep()
    assert os.path.samestat(os.fstat(held[0]), path.stat())
    os.close(held[0])


def test_what_is_not_ours_is_not_used(temporary: Path) -> None:
    payload = pack(works.by_gene)
    victim = temporary / "victim"
    victim.write_text("precious")
    (temporary / f"{PREFIX}{payload.digest}").symlink_to(victim)
    sweep()
    with pytest.raises(UserError, match="do not get into"):
        hold(payload)
    assert victim.read_text() == "precious"


def test_a_folder_without_locks_is_named(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Lustre without `-o flock` and some FUSE are."""

    def flock(file: int, operation: int) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", flock)
    for lock in (lambda: hold(pack(works.by_gene)), lambda: DeviceLock(["cpu"]).shared().__enter__()):
        with pytest.raises(UserError, match=rf"{temporary}.* has no locks \(.*\): set TMPDIR=FOLDER"):
            lock()


def test_modules_by_value_need_not_be_there(tmp_path: Path) -> None:
    module = ModuleType("nowhere_else")
    exec("import os\ndef make():\n    from tests import works\n    return works.by_gene()", vars(module))
    sys.modules[module.__name__] = module
    try:
        payload = pack(module.make, [module])
    finally:
        del sys.modules[module.__name__]
    assert payload.preload == ""
    sandbox = WorkerProcess(payload)
    try:
        sandbox.ready(60)
        assert pid_of(sandbox)
    finally:
        sandbox.close()


@pytest.mark.parametrize("status", list(Status))
def test_a_status_travels_by_value(status: Status) -> None:
    """Python 3.11.0 to 3.11.3 would send a call of getattr, which is not let through."""
    data = pickle.dumps(status, protocol=5)
    assert b"getattr" not in data
    assert pickle.loads(data) is status
    assert status.__reduce_ex__(5) == (Status, (status.value,))
