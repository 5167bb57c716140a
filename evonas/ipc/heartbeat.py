"""Signs of life of what a process works on, for whoever watches it; nobody does, unless the process is told of one."""

from collections.abc import Callable

Send = Callable[[float, float], None]


class _Watcher:
    send: Send | None = None


def connect(send: Send) -> None:
    """Names the watcher of this process.

    Args:
        send: Gets what `beat` gets.
    """
    _Watcher.send = send


def beat(silence_s: float, epoch_s: float = 0.0) -> None:
    """Says that work goes on.

    Args:
        silence_s: How long there may be no other beat; infinite from when there will be none.
        epoch_s: How long an epoch took, for the message.
    """
    if _Watcher.send:
        _Watcher.send(silence_s, epoch_s)
