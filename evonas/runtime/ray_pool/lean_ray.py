"""A Ray of this machine without what a search makes no use of.

Ray starts four more processes than it works with: its autoscaler, which has no machines to start; its dashboard's,
although none is asked for, and the dashboard's agent; and one that reads what workers print, which is not asked for
either. Each is Python that imports Ray, and a start waits for them: about three seconds of a processor. No option of
`ray.init` leaves them out. Its other agent stays, for it prepares the environments that a job or Ray Tune may ask for.
"""

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ray import _raylet
from ray._private import services
from ray._private.node import Node

UNUSED = ("start_monitor", "start_api_server", "start_log_monitor")
"""Methods of Ray's own by which it starts them; a Ray that has others starts all there is."""
START = "start_ray_process"
"""The function of Ray's services by which a raylet starts, with the commands of its agents among its words."""
DASHBOARD_AGENT = "--dashboard_agent_command="
AGENTS: Mapping[str, Sequence[str]] = {
    DASHBOARD_AGENT: ("METRICS_AGENT_PORT_NAME", "METRICS_EXPORT_PORT_NAME", "DASHBOARD_AGENT_LISTEN_PORT_NAME")
}
"""Option with the command of an agent -> names of Ray's constants for the ports that a raylet waits for it to have."""
NOT_IN_USE = -1
"""What Ray's own agent says of a port where it serves nothing."""


@contextmanager
def lean_ray() -> Iterator[None]:
    """What is started meanwhile in this process is a Ray with the processes that it works with."""
    kept = {name: vars(Node)[name] for name in UNUSED if name in vars(Node)}
    for name in kept:
        setattr(Node, name, _nothing)
    try:
        with idle_agents(AGENTS):
            yield
    finally:
        for name, method in kept.items():
            setattr(Node, name, method)


@contextmanager
def idle_agents(agents: Mapping[str, Sequence[str]]) -> Iterator[None]:
    """Raylets that are started meanwhile have, in the place of agents, processes that do nothing.

    Args:
        agents: which, as `AGENTS`.
    """
    start = getattr(services, START, None)

    def lean(command: list[str], *words: Any, **options: Any) -> Any:
        return start([_idle(word, agents) for word in command], *words, **options)  # type: ignore[misc]

    if start:
        setattr(services, START, lean)
    try:
        yield
    finally:
        if start:
            setattr(services, START, start)


def _idle(word: str, agents: Mapping[str, Sequence[str]]) -> str:
    """A word of a raylet's; where it is the command of an agent, that of one which only lives as long as the raylet."""
    option = next((option for option in agents if word.startswith(option)), "")
    if not option or not _are_said(agents[option], word):
        return word
    return option + shlex.join(idle_agent())


def idle_agent() -> list[str]:
    """The command line of a process that does nothing until the one that has started it ends."""
    return [sys.executable, "-I", "-S", str(Path(__file__).with_name("idle_agent.py"))]


def _are_said(ports: Sequence[str], word: str) -> bool:
    """Tells the raylet that ports are not in use, as Ray's own agent would; False where this Ray has another way."""
    given = dict(part.split("=", 1) for part in shlex.split(word) if part.startswith("--") and "=" in part)
    try:
        persist: Any = _raylet.persist_port  # type: ignore[attr-defined]
        for port in ports:
            persist(given["--session-dir"], given["--node-id"], getattr(_raylet, port), NOT_IN_USE)
    except (AttributeError, KeyError, TypeError, OSError):
        return False
    return True


def _nothing(*given: Any, **named: Any) -> None: ...
