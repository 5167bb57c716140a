"""Raylets of a cluster, and what runs below them."""

from contextlib import suppress
from typing import Any

import psutil


def tree(node: Any) -> list[psutil.Process]:
    """A raylet and all below it: its workers, their fork servers and what those keep."""
    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    return [raylet, *raylet.children(recursive=True)]


def words(process: psutil.Process) -> list[str]:
    """Its command line; nothing of one that is dead."""
    with suppress(psutil.Error):
        return process.cmdline()
    return []
