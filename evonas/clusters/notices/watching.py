"""From a notice to a node that is drained: what is tried how often, and until when."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import psutil

from evonas.clusters.notices.metadata import Notice
from evonas.clusters.notices.raylets import Raylet, drain

AGAIN_S = 1.0
"""How soon a node is drained again whose head did not agree, or looked for that is not there yet."""
Say = Callable[[str], None]
Find = Callable[[], Sequence[Raylet]]


class Cloud(Protocol):
    """What is asked for notices."""

    def look(self) -> Notice | None:
        """Returns what is announced; raises OSError where nobody answers."""


def watch(cloud: Cloud, every_s: float, say: Say) -> Notice:
    """Asks until there is a notice. That nobody answers is said once, and whenever it begins anew.

    Args:
        cloud: What is asked.
        every_s: How often, seconds.
        say: Hears in one line what a person should know.
    """
    silent = False
    while True:
        try:
            if notice := cloud.look():
                return notice
            silent = False
        except (OSError, ValueError, KeyError) as error:
            if not silent:
                say(f"no notice can be heard: {error}; asked again every {every_s:g} s")
            silent = True
        time.sleep(every_s)


def obey(notice: Notice, find: Find, say: Say, may_come: bool = True) -> list[Raylet]:
    """Drains the machine's nodes, again and again until each head has agreed or the machine is gone.

    Args:
        notice: Why, and how long there is for it.
        find: The nodes.
        say: Hears in one line what a person should know.
        may_come: Where there is no node, Ray may be about to start; else it has ended, and that is all.

    Returns:
        Those that are drained.
    """
    say(f"{notice.why}; {notice.seconds:.0f} s are left")
    end = time.monotonic() + notice.seconds
    drained: list[Raylet] = []
    while True:
        left = [node for node in find() if node not in drained]
        drained += [node for node in left if _drained(node, notice.why, end - time.monotonic(), say)]
        done = not {*left} - {*drained} and (drained or not may_come)
        if done or time.monotonic() >= end:
            return drained
        time.sleep(AGAIN_S)


def _drained(node: Raylet, why: str, seconds: float, say: Say) -> bool:
    fault = drain(node, why, seconds)
    say(f"node {node.node} is not drained: {fault}" if fault else f"node {node.node} is drained")
    return not fault


def outlast(nodes: Sequence[Raylet], until: float) -> None:
    """Waits until the nodes have ended, as they do when their last work has.

    Args:
        nodes: Which.
        until: When to wait no more, by `time.monotonic`.
    """
    while time.monotonic() < until and any(_lives(node.process) for node in nodes):
        time.sleep(0.1)


def _lives(process: int) -> bool:
    try:
        return bool(psutil.Process(process).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
