"""Processes that train on the same card: as neighbours of a measurement, and as many as share it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import torch

from evonas.measuring.backends.pytorch import lock_name
from evonas.measuring.device_lock import DeviceLock

from .session import Row, Session
from .subject import WARM_UP, Stepping, data, synchronize, trainer

START_S = 120.0


def neighbour(connection: Connection, name: str, dry: bool, pauses: bool) -> None:
    """Trains until it is ended; says so once it has warmed up."""
    torch.set_num_threads(1)
    place = data(dry)
    lock = DeviceLock(["cpu", lock_name(place.device)], synchronize, pauses)
    steps = 0

    def stepped() -> None:
        nonlocal steps
        steps += 1
        if steps == WARM_UP:
            connection.send("trains")

    made = trainer(name, place, dry, callbacks={"stepped": stepped, "checkpoint": lock.checkpoint})
    with lock.shared():
        for _ in made.epochs():
            pass


@contextmanager
def neighbours(session: Session, count: int, name: str, pauses: bool) -> Iterator[None]:
    """So many trainers beside what the block does."""
    started = []
    for _ in range(count):
        ours, theirs = session.processes.Pipe()
        process = session.processes.Process(  # type: ignore[attr-defined]
            target=neighbour, args=(theirs, name, session.dry, pauses), daemon=True
        )
        process.start()
        started.append((process, ours))
    try:
        for _, ours in started:
            if not ours.poll(patience_s := session.wait_s(START_S)):
                raise TimeoutError(f"a neighbour did not train within {patience_s:.0f} s")
            ours.recv()
        yield
    finally:
        for process, _ in started:
            process.kill()
            process.join()


def sharer(connection: Connection, name: str, dry: bool, seconds: float, training: dict[str, Any]) -> None:
    """Trains from when all are there, and says how fast it was."""
    torch.set_num_threads(1)

    def ready() -> None:
        connection.send("is there")
        connection.recv()

    stepping = Stepping(seconds, synchronize, ready)
    made = trainer(name, data(dry), dry, callbacks={"stepped": stepping.stepped}, **training)
    cpu, begun = time.process_time(), time.perf_counter()
    rate = stepping.run(made)
    cores = (time.process_time() - cpu) / (time.perf_counter() - begun)
    reserved = 0.0 if dry else torch.cuda.max_memory_reserved() / 1e6
    connection.send({"steps_s": rate, "cores": cores, "reserved_mb": reserved})


def shared(session: Session, count: int, name: str, seconds: float, training: dict[str, Any]) -> list[Row]:
    """What so many processes say of themselves that train at the same time, from one word on."""
    started = []
    for _ in range(count):
        ours, theirs = session.processes.Pipe()
        arguments = (theirs, name, session.dry, seconds, training)
        process = session.processes.Process(target=sharer, args=arguments, daemon=True)  # type: ignore[attr-defined]
        process.start()
        theirs.close()
        started.append((process, ours))
    try:
        for word in ("is there", "go"):
            for _, ours in started:
                ours.send(word) if word == "go" else _answer(session, ours)
        return [_answer(session, ours) for _, ours in started]
    finally:
        for process, _ in started:
            process.join(1.0)
            process.kill()
            process.join()


def _answer(session: Session, ours: Connection) -> Any:
    patience_s = session.wait_s(START_S)
    try:
        return ours.recv() if ours.poll(patience_s) else {"error": f"no answer within {patience_s:.0f} s"}
    except EOFError:
        return {"error": "its process has ended"}
