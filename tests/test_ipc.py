"""Frames between processes that may be slow, stopped, gone or hostile; and how children start and end."""

import json
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evonas.ipc import boot, environment
from evonas.ipc.framing import HEADER, Channel
from tests.echo import Kind


@pytest.fixture
def pair() -> Iterator[tuple[Channel[Kind], Channel[Kind]]]:
    ours, theirs = (Channel(end, Kind) for end in socket.socketpair())
    yield ours, theirs
    ours.close()
    theirs.close()


def test_a_child_takes_the_standard_library_before_all_other_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "profile.py").write_text("raise SystemExit('the wrong profile')")
    (tmp_path / "child.py").write_text("import profile\ndef main(text): print(profile.__file__, text)")
    monkeypatch.syspath_prepend(str(tmp_path))
    answer = subprocess.run(boot.command("child", 3), capture_output=True, text=True, check=True)
    assert answer.stdout.split() == [f"{sysconfig.get_path('stdlib')}/profile.py", "3"]


@given(st.lists(st.tuples(st.sampled_from(Kind), st.binary(max_size=40)), max_size=6), st.integers(1, 60))
def test_frames_arrive_whole_and_in_order_however_they_are_cut(frames: list[tuple[Kind, bytes]], size: int) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel, found = Channel(theirs, Kind), []
        sent = b"".join(HEADER.pack(kind.value, len(body)) + body for kind, body in frames)
        for start in range(0, len(sent), size):
            ours.sendall(sent[start : start + size])
            found += channel.read()
        ours.close()
        found += channel.read()
        assert (found, channel.ended) == (frames, True)
        assert channel.receive() is None


def test_a_frame_in_parts_is_one_frame(pair: tuple[Channel[Kind], Channel[Kind]]) -> None:
    pair[0].send(Kind.WORD, b"one", b"", b" frame")
    assert pair[1].receive() == (Kind.WORD, b"one frame")


@pytest.mark.parametrize("nonsense", [b"x" * 9, b"w", b"w" + b"\xff" * 8 + b"never so long", b"\0" * 100])
def test_what_is_no_frame_is_never_taken_for_one(pair: tuple[Channel[Kind], Channel[Kind]], nonsense: bytes) -> None:
    pair[0].end.sendall(nonsense)
    pair[0].close()
    assert pair[1].read() == []
    assert pair[1].receive() is None


def test_a_silent_sender_is_waited_for_no_longer_than_said(pair: tuple[Channel[Kind], Channel[Kind]]) -> None:
    pair[0].end.sendall(HEADER.pack(b"w", 5) + b"half")
    with pytest.raises(TimeoutError):
        pair[1].receive(time.monotonic() + 0.05)
    pair[0].end.sendall(b"!")
    assert pair[1].receive(time.monotonic() + 5) == (Kind.WORD, b"half!")


def test_a_reader_that_does_not_read_is_waited_for_no_longer_than_said(
    pair: tuple[Channel[Kind], Channel[Kind]],
) -> None:
    with pytest.raises(TimeoutError):
        pair[0].send(Kind.WORD, bytes(10**8), until=time.monotonic() + 0.05)
    assert pair[0].read() == [], "reading does not wait afterwards"


def test_posting_never_waits_and_loses_nothing(pair: tuple[Channel[Kind], Channel[Kind]]) -> None:
    large = os.urandom(3 * 10**6)
    pair[0].post(Kind.WORD, large)
    pair[0].post(Kind.ECHO, b"last")
    assert pair[0].pending
    found = []
    while pair[0].pending or len(found) < 2:
        pair[0].flush()
        found += pair[1].read()
    assert found == [(Kind.WORD, large), (Kind.ECHO, b"last")]


def test_a_reader_that_has_gone_is_an_error_of_send_and_none_of_post(
    pair: tuple[Channel[Kind], Channel[Kind]],
) -> None:
    pair[1].close()
    pair[0].post(Kind.WORD, b"nobody hears it")
    assert (pair[0].pending, pair[0].receive()) == (False, None)
    with pytest.raises(OSError):  # noqa: PT011
        pair[0].send(Kind.WORD, b"nor this")


def test_a_fork_cannot_speak_for_its_parent(pair: tuple[Channel[Kind], Channel[Kind]]) -> None:
    pid = os.fork()
    if not pid:
        pair[0].send(Kind.WORD, b"I am the original")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    assert pair[1].read() == []


def test_a_child_has_the_paths_of_its_parent_and_a_session_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, "/nowhere at 'all'"])
    process, channel = boot.start("tests.echo", Kind, os.getpid())
    frame = channel.receive(time.monotonic() + 30)
    assert frame
    pid, session, paths = json.loads(frame[1])
    assert (pid, session, paths) == (process.pid, process.pid, boot.standard_first(sys.path))
    channel.send(Kind.WORD, b"hello")
    assert channel.receive(time.monotonic() + 30) == (Kind.ECHO, b"hello")
    channel.close()
    assert process.wait(600) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel sees to it on Linux alone")
def test_a_child_dies_with_its_parent() -> None:
    program = """
import os, time
from evonas.ipc import boot, environment
from tests.echo import Kind
process, channel = boot.start("tests.echo", Kind, os.getpid())
channel.receive()
print(process.pid, flush=True)
time.sleep(100)
"""
    root = Path(__file__).parents[1]
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=root)
    assert parent.stdout
    child = psutil.Process(int(parent.stdout.readline()))
    child.send_signal(signal.SIGSTOP)  # even one that cannot see that its channel ends
    parent.kill()
    parent.communicate()
    child.wait(600)


def test_a_child_that_runs_what_came_from_elsewhere_gets_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "AWS_SECRET_ACCESS_KEY",
        "EVONAS_TOKEN",
        "TORCH_TOKEN",
        "MY_DATA",
        "OMP_NUM_THREADS",
        "CUDA_VISIBLE_DEVICES",
    ):
        monkeypatch.setenv(name, "1")
    found = environment.passed(["MY_DATA", "EVONAS_TOKEN"])
    assert {"PATH", "MY_DATA", "EVONAS_TOKEN", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES"} <= found.keys()
    assert not {"AWS_SECRET_ACCESS_KEY", "TORCH_TOKEN"} & found.keys()
    assert not {"MY_DATA", "EVONAS_TOKEN"} & environment.passed().keys()
    assert "MY_DATA" in environment.without_secrets()
    assert not {"AWS_SECRET_ACCESS_KEY", "EVONAS_TOKEN"} & environment.without_secrets().keys()
