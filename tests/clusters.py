"""Ray clusters of this machine, and what runs below their raylets."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil
from ray._private import services
from ray._private.authentication.authentication_token_setup import (
    enable_token_auth_by_default,
    ensure_token_if_auth_enabled,
)
from ray.cluster_utils import Cluster

LEAN = {"include_dashboard": False, "no_monitor": True, "include_log_monitor": False}
"""No autoscaler and no copies of logs: processes that no test looks at, each with a start of its own."""


PATIENCE_S = 600.0


class PatientCluster(Cluster):
    """Ray gives a raylet 30 s to register, which is not a matter of configuration and too little on a busy machine."""

    def add_node(self, *words: Any, **options: Any) -> Any:
        with patient():
            return super().add_node(*words, **options)  # type: ignore[no-untyped-call]


@contextmanager
def patient() -> Iterator[None]:
    """Whoever asks for a node meanwhile waits until it has registered."""
    get_node = services.get_node

    def waiting(*words: Any) -> Any:
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                return get_node(*words)  # type: ignore[no-untyped-call]
            except RuntimeError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    services.get_node = waiting
    try:
        yield
    finally:
        services.get_node = get_node


def started(**head: Any) -> Cluster:
    """A cluster of one node, which outlives the drivers that join it.

    It asks for a token, as a Ray does that a search starts for itself: a process that has started one talks to no
    other kind of cluster any more.
    """
    enable_token_auth_by_default()
    ensure_token_if_auth_enabled()
    return PatientCluster(initialize_head=True, head_node_args={**LEAN, **head})


def tree(node: Any) -> list[psutil.Process]:
    """A raylet and all below it: its workers, their fork servers and what those keep."""
    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    return [raylet, *raylet.children(recursive=True)]


def words(process: psutil.Process) -> list[str]:
    """Its command line; nothing of one that is dead."""
    with suppress(psutil.Error):
        return process.cmdline()
    return []
