"""Ray clusters of this machine, and what runs below their raylets."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from unittest.mock import patch

import psutil
from ray._private import services
from ray._private.authentication.authentication_token_setup import (
    enable_token_auth_by_default,
    ensure_token_if_auth_enabled,
)
from ray._private.node import Node
from ray.cluster_utils import Cluster

from evonas.runtime.ray_pool.lean_ray import AGENTS, idle_agents

LEAN = {"include_dashboard": False, "no_monitor": True, "include_log_monitor": False}
"""No autoscaler and no copies of logs: processes that no test looks at, each with a start of its own."""


HEAD_FOR_JOBS = """
import sys
from ray.scripts.scripts import main
here = sys.path[:]
sys.path.insert(0, {root!r})
from tests.clusters import only_jobs
sys.path[:] = here
with only_jobs():
    main()
"""
"""`ray`, whose head serves jobs and their logs, as code of `python -c`."""
PATIENCE_S = 600.0


class PatientCluster(Cluster):
    """Ray gives a raylet 30 s to register, which is not a matter of configuration and too little on a busy machine."""

    def add_node(self, *words: Any, **options: Any) -> Any:
        with patient(), without_agents():
            return super().add_node(*words, **options)  # type: ignore[no-untyped-call]


@contextmanager
def without_agents() -> Iterator[None]:
    """Nodes that are added meanwhile have a GCS and raylets, and of Ray's agents and its dashboard, which serve jobs,
    metrics and environments of actors and cost more than all else of a node, such as do nothing."""
    agents = {**AGENTS, "--runtime_env_agent_command=": ("RUNTIME_ENV_AGENT_PORT_NAME",)}
    with idle_agents(agents), patch.object(services, "start_api_server", lambda *_, **__: (None, None)):
        yield


@contextmanager
def only_jobs() -> Iterator[None]:
    """A head that is started meanwhile has of its dashboard what serves jobs and their logs: each other part of it is
    a process, and so are its autoscaler, what copies logs to drivers and what serves Ray's client."""
    start = services.start_ray_process

    def lean(command: list[str], *words: Any, **options: Any) -> Any:
        if any(word.endswith("dashboard.py") for word in command):
            command = [*command, "--modules-to-load=JobHead,NodeHead,StateHead"]
        return start(command, *words, **options)

    with (
        patch.object(services, "start_ray_process", lean),
        patch.object(Node, "start_monitor"),
        patch.object(Node, "start_log_monitor"),
        patch.object(Node, "start_ray_client_server"),
    ):
        yield


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


def kill(node: Any) -> None:
    """Ends a raylet and all below it, of which some end by themselves once it is gone."""
    for process in tree(node):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    node.all_processes["raylet"][0].process.wait()


def words(process: psutil.Process) -> list[str]:
    """Its command line; nothing of one that is dead."""
    with suppress(psutil.Error):
        return process.cmdline()
    return []
