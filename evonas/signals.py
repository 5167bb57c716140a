"""Ctrl-C and SIGTERM as exceptions, which close the record on their way out."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

GRACE_S = 1.2
AGAIN_S = 0.05
SHOW_CURSOR = "\x1b[?25h"
"""A live screen hides it, and stays as it is above the last words."""
INTERRUPTED, TERMINATED = 130, 143
"""Exit statuses, as a shell has them."""
_told = threading.Event()
"""SIGTERM came. Ray, where it waits, makes a KeyboardInterrupt of its own of whichever one is raised."""


class Terminated(KeyboardInterrupt):
    """SIGTERM came. Not a SystemExit, which in the serial runtime would be taken for the candidate's own."""


def status_of(stop: KeyboardInterrupt) -> int:
    return TERMINATED if isinstance(stop, Terminated) or _told.is_set() else INTERRUPTED


def terminate_soon(last_words: Callable[[], str], number: int, frame: FrameType | None) -> NoReturn:
    """Ends the search by an exception, which closes the record first, and the process soon after in any case.

    Who sends SIGTERM sends SIGKILL after it, `ray job stop` after 3 s; ending workers can take longer.
    """
    _told.set()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not break off the ending

    def give_up() -> None:
        if sys.__stdout__ and sys.__stdout__.isatty():
            os.write(1, f"\n{SHOW_CURSOR}{last_words()}\n".encode())
        else:
            print(last_words(), flush=True)
        os._exit(TERMINATED)

    timer = threading.Timer(GRACE_S, give_up)
    timer.daemon = True
    timer.start()
    raise Terminated


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """SIGTERM raises `Terminated` in the main thread where it comes first during the block, and then nothing."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        signal.signal(signal.SIGTERM, lambda *_: None)  # a second one must not break off the ending
        raise Terminated

    if threading.current_thread() is not threading.main_thread():  # where no signal comes
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def not_lost() -> Iterator[None]:
    """In the main thread: ctrl-C stops it, and SIGTERM where it raises `Terminated`, wherever it is.

    What comes while Python runs a finaliser or the callback of a weak reference is raised in there; Python prints it
    and goes on as if nothing had come. It is sent again instead.
    """
    before, main = sys.unraisablehook, threading.main_thread().ident
    again: list[threading.Timer] = []

    def hook(lost: "sys.UnraisableHookArgs") -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            before(lost)
        elif main:
            number = signal.SIGTERM if lost.exc_type is Terminated else signal.SIGINT
            again.append(threading.Timer(AGAIN_S, signal.pthread_kill, (main, number)))
            again[-1].daemon = True
            again[-1].start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before
        for timer in again:
            timer.cancel()
