"""A Ray of this machine without what a search makes no use of.

Ray starts three more processes than it works with: its autoscaler, which has no machines to start; its dashboard's,
although none is asked for; and one that reads what workers print, which is not asked for either. Each is Python that
imports Ray, and a start waits for them: about two seconds of a processor. No option of `ray.init` leaves them out.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray._private.node import Node

UNUSED = ("start_monitor", "start_api_server", "start_log_monitor")
"""Methods of Ray's own by which it starts them; a Ray that has others starts all there is."""


@contextmanager
def lean_ray() -> Iterator[None]:
    """What is started meanwhile in this process is a Ray with the processes that it works with."""
    kept = {name: vars(Node)[name] for name in UNUSED if name in vars(Node)}
    for name in kept:
        setattr(Node, name, _nothing)
    try:
        yield
    finally:
        for name, method in kept.items():
            setattr(Node, name, method)


def _nothing(*given: Any, **named: Any) -> None: ...
