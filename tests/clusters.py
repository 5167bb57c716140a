"""Raylets of a cluster, and what runs below them."""

from typing import Any

import psutil


def tree(node: Any) -> list[psutil.Process]:
    """A raylet and all below it: its workers, their keepers and what those keep."""
    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    return [raylet, *raylet.children(recursive=True)]
