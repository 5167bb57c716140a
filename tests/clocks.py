"""Time that other work on the machine cannot take away."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def fair_seconds() -> Iterator[Callable[[], float]]:
    """Counts the processor time that somebody gets who always wants to run: seconds on an idle machine, fewer on a
    busy one, where what is waited for gets less as well.

    Yields:
        What has been counted so far (s).
    """
    ended, counted = threading.Event(), [0.0]

    def spin() -> None:
        while not ended.is_set():
            counted[0] = time.thread_time()

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    try:
        yield lambda: counted[0]
    finally:
        ended.set()
        thread.join()
