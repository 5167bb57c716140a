"""The lock of a device, between real processes."""

import fcntl
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evonas.errors import UserError
from evonas.measuring import device_lock, file_lock, readers_writer_lock
from evonas.measuring.cpu_affinity import claim_cores
from evonas.measuring.device_lock import DeviceLock

SPAWN = multiprocessing.get_context("fork")
A_MOMENT_S = 0.1
"""A busy machine makes a process wait for so long, which is no pause."""


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


class Worker:
    """A process that works or measures until it is told to stop, and says what it does when it begins."""

    def __init__(self, task: Any) -> None:
        self.ours, theirs = SPAWN.Pipe()
        self.process = SPAWN.Process(target=task, args=(theirs,), daemon=True)
        self.process.start()

    def said(self, seconds: float = 600.0) -> str:
        return str(self.ours.recv()) if self.ours.poll(seconds) else ""

    def tell(self, word: str) -> None:
        self.ours.send(word)

    def end(self) -> None:
        self.process.kill()
        self.process.join()


def train(pipe: Connection) -> None:
    """Steps of a millisecond; says "step" once for each time that it was let in."""
    hold = DeviceLock(["cpu"])
    with hold.shared():
        pipe.send("in")
        paused = 0.0
        while not pipe.poll(0):
            time.sleep(0.001)
            hold.checkpoint()
            if hold.paused_s > paused + A_MOMENT_S:
                paused = hold.paused_s
                pipe.send("back")
    pipe.send(f"{hold.paused_s:.3f}")


def train_without_breath(pipe: Connection) -> None:
    with DeviceLock(["cpu"]).shared():
        pipe.send("in")
        pipe.recv()


def measure(pipe: Connection) -> None:
    hold = DeviceLock(["cpu"])
    with hold.exclusive("cpu") as alone:
        pipe.send("alone" if alone else "not alone")
        pipe.recv()
    pipe.send("done")


@pytest.fixture
def crew() -> Iterator[Any]:
    workers: list[Worker] = []

    def hire(task: Any) -> Worker:
        workers.append(Worker(task))
        return workers[-1]

    yield hire
    for worker in workers:
        worker.end()


def test_trainers_pause_while_one_measures_and_say_for_how_long(crew: Any) -> None:
    trainers = [crew(train) for _ in range(3)]
    assert [trainer.said() for trainer in trainers] == ["in"] * 3
    one = crew(measure)
    assert one.said() == "alone"
    time.sleep(0.2)
    assert not any(trainer.ours.poll(0) for trainer in trainers)
    one.tell("stop")
    assert one.said() == "done"
    assert [trainer.said() for trainer in trainers] == ["back"] * 3
    for trainer in trainers:
        trainer.tell("stop")
        assert float(trainer.said()) >= 0.19


def test_two_measurements_never_meet(crew: Any) -> None:
    first, second = crew(measure), crew(measure)
    word = first.said(1.0)
    one, other = (first, second) if word else (second, first)
    assert (word or one.said()) == "alone"
    assert other.said(0.2) == ""
    one.tell("stop")
    assert one.said() == "done"
    assert other.said() == "alone"


def measure_on(device: str) -> Any:
    def task(pipe: Connection) -> None:
        with DeviceLock(["cpu", device]).exclusive(device) as alone:
            pipe.send("alone" if alone else "not alone")
            pipe.recv()
        pipe.send("done")

    return task


def train_on(device: str) -> Any:
    """Says how often it was paused, when it is told to stop."""

    def task(pipe: Connection) -> None:
        hold, pauses = DeviceLock(["cpu", device]), 0
        with hold.shared():
            pipe.send("in")
            while not pipe.poll(0):
                time.sleep(0.001)
                before = hold.paused_s
                hold.checkpoint()
                pauses += hold.paused_s > before
        pipe.send(str(pauses))

    return task


def test_cards_are_measured_at_the_same_time_and_only_their_own_trainers_pause(crew: Any) -> None:
    """On eight cards one measurement used to stop the trainers of all. The processor still stops everybody."""
    trainers = [crew(train_on(device)) for device in ("GPU-a", "GPU-b", "GPU-c")]
    assert [trainer.said() for trainer in trainers] == ["in"] * 3
    cards = [crew(measure_on(device)) for device in ("GPU-a", "GPU-b")]
    assert [card.said() for card in cards] == ["alone"] * 2
    processor = crew(measure_on("cpu"))
    assert processor.said(0.2) == ""
    for card in cards:
        card.tell("stop")
        assert card.said() == "done"
    assert processor.said() == "alone"
    second = crew(measure_on("GPU-c"))
    assert second.said(0.2) == ""
    processor.tell("stop")
    assert second.said() == "alone"
    second.tell("stop")
    for trainer in trainers:
        trainer.tell("stop")
    a, b, c = (int(trainer.said(600)) for trainer in trainers)
    assert a > 0
    assert b > 0
    assert c > 0  # by the processor, and its own card


def test_a_measurement_of_one_card_leaves_trainers_on_another_alone(crew: Any) -> None:
    other = crew(train_on("GPU-b"))
    assert other.said() == "in"
    card = crew(measure_on("GPU-a"))
    assert card.said() == "alone"
    time.sleep(0.1)
    card.tell("stop")
    assert card.said() == "done"
    other.tell("stop")
    assert other.said(600) == "0"


def test_who_measures_at_the_same_time_has_cores_of_its_own() -> None:
    first, files = claim_cores([3, 2, 1], 1)
    second, others = claim_cores([3, 2, 1], 2)
    none_left, _ = claim_cores([3, 2, 1], 1)
    assert (first, second, none_left) == ([3], [2, 1], [3])
    for file in files:
        os.close(file)
    again, more = claim_cores([3, 2, 1], 1)
    assert again == [3]
    for file in [*others, *more]:
        os.close(file)


def test_who_does_what_cannot_be_paused_is_seen_and_not_waited_for() -> None:
    hold, other = DeviceLock(["cpu"]), DeviceLock([])
    with hold.shared():
        with hold.unpaused():
            before = time.monotonic()
            with other.exclusive("cpu") as alone:
                assert not alone
            assert time.monotonic() < before + readers_writer_lock.EXCLUSIVE_TIMEOUT_S
        assert hold.paused_s < 1
    with other.exclusive("cpu") as alone:
        assert alone


def test_a_reader_looks_for_writers_every_few_milliseconds_and_not_at_each_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, looks, flock = [1000.0], [0], fcntl.flock

    def counted(file: int, operation: int) -> None:
        looks[0] += operation & (fcntl.LOCK_SH | fcntl.LOCK_NB) == fcntl.LOCK_SH | fcntl.LOCK_NB
        flock(file, operation)

    monkeypatch.setattr(device_lock, "time", SimpleNamespace(**{**vars(time), "monotonic": lambda: clock[0]}))
    monkeypatch.setattr(file_lock, "fcntl", SimpleNamespace(**{**vars(fcntl), "flock": counted}))
    hold = DeviceLock(["cpu"])
    with hold.shared():
        before = looks[0]
        for _ in range(1000):  # steps of a hundredth of a millisecond: two looks' time, and the first
            hold.checkpoint()
            clock[0] += 1e-5
        assert looks[0] - before == 2
        clock[0] += device_lock.LOOK_EVERY_S
        hold.checkpoint()
        assert looks[0] - before == 3


def test_who_trains_alone_is_not_held_up() -> None:
    hold = DeviceLock(["cpu"])
    with hold.shared():
        for _ in range(1000):
            hold.checkpoint()
    assert hold.paused_s == 0


def measure_briefly(pipe: Connection) -> None:
    with DeviceLock(["cpu"]).exclusive("cpu") as alone:
        time.sleep(0.2)
    pipe.send("alone" if alone else "not alone")


def measure_in_a_row(pipe: Connection) -> None:
    hold = DeviceLock(["cpu"])
    pipe.send("in")
    while not pipe.poll(0):
        with hold.exclusive("cpu"):
            time.sleep(0.1)
    pipe.send("done")


def test_measurements_one_after_another_leave_half_of_the_time_to_work(crew: Any) -> None:
    measuring = [crew(measure_in_a_row) for _ in range(3)]
    assert all(worker.said() for worker in measuring)
    hold, steps = DeviceLock(["cpu"]), 0
    start = time.monotonic()
    with hold.shared():
        while time.monotonic() < start + 2:
            time.sleep(0.005)
            steps += 1
            hold.checkpoint()
    assert hold.paused_s > 0.3
    assert hold.paused_s < 1.5  # without turns it is 1.9: a step between two measurements


def test_new_work_waits_for_who_waits_to_measure(crew: Any) -> None:
    busy = crew(train_without_breath)
    assert busy.said() == "in"
    one = crew(measure)
    assert one.said(0.2) == ""
    late = crew(train)
    assert late.said(0.2) == ""  # else those who come and go would keep the measurement waiting for ever
    busy.tell("stop")
    assert one.said() == "alone"
    assert late.said(0.1) == ""
    one.tell("stop")
    assert late.said() == "in"


@pytest.mark.parametrize("role", [train_without_breath, measure])
def test_a_dead_process_holds_nothing(crew: Any, role: Any) -> None:
    victim = crew(role)
    assert victim.said()
    one = crew(measure)
    assert one.said(0.1) == ""
    os.kill(victim.process.pid, signal.SIGKILL)
    assert one.said() == "alone"


def test_a_trainer_that_hangs_does_not_hold_up_measurements_for_ever(
    crew: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers_writer_lock, "EXCLUSIVE_TIMEOUT_S", 0.2)
    assert crew(train_without_breath).said() == "in"
    assert crew(measure).said() == "not alone"


def test_a_measurement_that_hangs_does_not_hold_up_training_for_ever(
    crew: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers_writer_lock, "SHARED_TIMEOUT_S", 0.2)
    assert crew(measure).said() == "alone"
    trainer = crew(train)
    assert trainer.said() == "in"
    assert trainer.said() == "back"  # after it had waited
    assert trainer.said(0.3) == ""  # and it does not wait at each step again
    trainer.tell("stop")
    assert 0.19 <= float(trainer.said()) < 1


def test_own_work_makes_way_and_goes_on(crew: Any) -> None:
    settled = []
    hold = DeviceLock(["cpu", "GPU-1"], lambda: settled.append(True))
    with hold.shared():
        other = crew(train)
        assert other.said() == "in"
        with hold.exclusive("cpu") as alone:
            assert alone
            assert settled
        one = crew(measure)
        assert one.said(0.2) == ""  # our work holds it up again
    assert one.said() == "alone"


def test_another_device_is_another_matter(crew: Any) -> None:
    with DeviceLock(["GPU-1"]).shared():
        assert crew(measure).said() == "alone"  # of the processor


def test_without_the_lock_nobody_waits(crew: Any) -> None:
    assert crew(train_without_breath).said() == "in"
    hold = DeviceLock(["cpu"], enabled=False)
    with hold.shared(), hold.exclusive("cpu") as alone:
        assert not alone


def test_the_folder_must_be_ones_own(tmp_path: Path) -> None:
    place = tmp_path / f"evonas-devices-{os.getuid()}"
    place.symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(UserError, match="belongs to somebody else"):
        DeviceLock(["cpu"])
    place.unlink()
    place.write_text("")
    with pytest.raises(UserError, match="cannot be made: File exists"):
        DeviceLock(["cpu"])


def test_who_measures_beside_work_that_has_given_up_is_told(crew: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers_writer_lock, "SHARED_TIMEOUT_S", 0.2)
    hung = crew(measure)
    assert hung.said() == "alone"
    trainer = crew(train)
    assert [trainer.said(), trainer.said()] == ["in", "back"]  # it goes on without the lock
    os.kill(trainer.process.pid, signal.SIGSTOP)  # or it has the lock again before the next line looks
    hung.end()
    with DeviceLock(["GPU-1"], enabled=True).exclusive("cpu") as alone:
        assert not alone
    os.kill(trainer.process.pid, signal.SIGCONT)
    alone, until = False, time.monotonic() + 600
    while not alone and time.monotonic() < until:  # once no writer waits, the trainer holds the lock again
        time.sleep(0.3)
        with DeviceLock(["GPU-1"], enabled=True).exclusive("cpu") as alone:
            pass
    assert alone


def test_many_measurements_wait_for_each_other_longer_than_for_one(crew: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers_writer_lock, "SHARED_TIMEOUT_S", 0.6)
    crew_of_eight = [crew(measure_briefly) for _ in range(8)]
    assert [worker.said(10) for worker in crew_of_eight] == ["alone"] * 8


def test_who_waits_for_something_else_holds_nobody_up(crew: Any) -> None:
    hold = DeviceLock(["cpu"])
    with hold.shared():
        with hold.released():
            one = crew(measure)
            assert one.said(1.0) == "alone"
            one.tell("stop")
        other = crew(measure)
        assert other.said(0.2) == ""


def train_alone(pipe: Connection) -> None:
    """Has the card to itself; measures there, and trains on."""
    hold = DeviceLock(["cpu", "card"])
    with hold.alone("card"):
        pipe.send("alone")
        with hold.shared(), hold.exclusive("card") as quiet:
            pass
        pipe.send(str(quiet))
        pipe.recv()
    with hold.shared():
        pipe.send("beside")


def test_who_trains_alone_on_a_card_keeps_it_when_it_has_measured_there() -> None:
    alone = Worker(train_alone)
    try:
        assert (alone.said(), alone.said()) == ("alone", "True")
        other = DeviceLock(["card"])
        assert other.measuring() is not None, "others still have to wait for it"
        assert DeviceLock(["cpu"]).measuring() is None
        alone.tell("go on")
        assert alone.said() == "beside"
        assert other.measuring() is None
    finally:
        alone.end()
