"""Ctrl-C ends a command wherever it comes."""

import signal
import sys
import time
import weakref

import pytest

from evonas.interrupts import not_lost


class Thing:
    """What a weak reference can refer to."""


def test_ctrl_c_in_a_callback_of_the_interpreter_is_not_lost() -> None:
    """Python prints what is raised there and goes on: a search would have gone on for hours."""
    before = sys.unraisablehook
    things = [Thing()]
    watched = weakref.ref(things[0], lambda _: signal.raise_signal(signal.SIGINT))

    def free_it_and_go_on() -> None:
        things.clear()  # the signal comes in the callback
        time.sleep(20)

    with pytest.raises(KeyboardInterrupt), not_lost():
        free_it_and_go_on()
    assert watched() is None
    assert sys.unraisablehook is before


def test_other_errors_there_are_shown_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: seen.append(lost.exc_type))
    thing = Thing()
    watched = weakref.ref(thing, lambda _: 1 // 0)
    with not_lost():
        del thing
    assert watched() is None
    assert seen == [ZeroDivisionError]
