"""Waiting in tests: for what becomes true, with a patience that no load of the machine uses up."""

import time
from collections.abc import Callable
from typing import Any

import psutil

PATIENCE_S = 600.0


def until(condition: Callable[[], Any], look_s: float = 0.05, what: str = "nothing happened") -> None:
    """Waits until a condition is true, and fails where it never becomes so.

    Args:
        condition: What is asked.
        look_s: How many seconds lie between two questions.
        what: What is said where it fails.
    """
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(look_s)


def lives(pid: int) -> bool:
    """Whether a process runs. One that was killed does for a moment more; one that nobody has asked for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until_gone(*pids: int) -> None:
    """Waits until no process of these runs."""
    until(lambda: not any(map(lives, pids)), what=f"one of {pids} still runs")
