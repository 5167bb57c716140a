"""Ctrl-C ends a command wherever it comes."""

import signal
import sys
import time
import weakref

import pytest

from evonas.signals import Terminated, not_lost


class Thing:
    """What a weak reference can refer to."""


@pytest.mark.parametrize(("number", "stop"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_a_signal_in_a_callback_of_the_interpreter_is_not_lost(number: int, stop: type[BaseException]) -> None:
    """Python prints what is raised there and goes on: a search would have gone on for hours."""

    def terminate(number: int, frame: object) -> None:
        raise Terminated

    before, handler = sys.unraisablehook, signal.signal(signal.SIGTERM, terminate)
    things = [Thing()]
    watched = weakref.ref(things[0], lambda _: signal.raise_signal(number))

    def free_it_and_go_on() -> None:
        things.clear()  # the signal comes in the callback
        time.sleep(20)

    try:
        with pytest.raises(stop), not_lost():
            free_it_and_go_on()
    finally:
        signal.signal(signal.SIGTERM, handler)
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
