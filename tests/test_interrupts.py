"""Ctrl-C ends a command wherever it comes."""

import signal
import subprocess
import sys
import weakref

import pytest

from evonas.signals import not_lost


class Thing:
    """What a weak reference can refer to."""


PROGRAM = """
import signal, sys, time, weakref
from evonas.signals import Terminated, not_lost

class Thing: pass

def terminate(number, frame): raise Terminated

number, stop = {number}, {stop}
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, terminate)
before, things = sys.unraisablehook, [Thing()]
watched = weakref.ref(things[0], lambda _: signal.raise_signal(number))
try:
    with not_lost():
        things.clear()  # the signal comes in the callback
        time.sleep(600)
except stop as found:
    print(type(found).__name__, watched() is None, sys.unraisablehook is before)
"""
"""In a process of its own: a signal that comes late must not reach those who run the tests."""


@pytest.mark.parametrize(("number", "stop"), [(signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, "Terminated")])
def test_a_signal_in_a_callback_of_the_interpreter_is_not_lost(number: int, stop: str) -> None:
    """Python prints what is raised there and goes on: a search would have gone on for hours."""
    code = PROGRAM.format(number=int(number), stop=stop)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [stop, "True", "True"]


def test_sigterm_is_told_also_where_ray_makes_another_exception_of_it() -> None:
    """Its waiting in C++ raises a KeyboardInterrupt of its own."""
    code = (
        "import sys; from evonas.signals import Terminated, status_of, terminate_soon\n"
        "try: terminate_soon(str, 15, None)\n"
        "except Terminated: sys.exit(status_of(KeyboardInterrupt()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 143


def test_other_errors_there_are_shown_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: seen.append(lost.exc_type))
    thing = Thing()
    watched = weakref.ref(thing, lambda _: 1 // 0)
    with not_lost():
        del thing
    assert watched() is None
    assert seen == [ZeroDivisionError]
