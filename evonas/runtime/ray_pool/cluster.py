"""A Ray cluster as its driver reaches it and sees what it is made of."""

import contextlib
import math
import os
import re
import signal
import threading
from collections.abc import Collection, Mapping
from typing import Any

import psutil
import ray
from ray._private import state
from ray.exceptions import AuthenticationError, RayError

from evonas.config import RuntimeConfig
from evonas.errors import RuntimeNotStarted, UserError
from evonas.machine import machine_cores
from evonas.prices import NODE_TYPE_LABEL, NODE_TYPE_VARIABLE
from evonas.runtime.ray_pool.asking import TOKEN_REMEDY, check_reachable, no_token, why_not
from evonas.runtime.ray_pool.lean_ray import lean_ray
from evonas.runtime.ray_pool.nodes import ClusterNode
from evonas.runtime.ray_pool.own_ray import OwnRay

STARTS = 4
"""Tries to start a Ray."""
PATIENCE = {"RAY_agent_register_timeout_ms": "300000", "RAY_raylet_start_wait_time_s": "300"}
"""How long Ray's processes wait for each other; by themselves about half a minute."""
AS_ASKED = {"RAY_prestart_worker_first_driver": "0"}
"""A Ray starts a process for each core ahead, of which those are in vain that no worker is asked for."""
TIMED_OUT = "timed out during startup"
"""What Ray says when it did not start in time."""
GROUP_LABEL = "ray.io/node-group"
"""The label that Ray's autoscaler and KubeRay give a node: its type in the cluster's file, e.g. spot_l4."""
LONGEST_FOLDER = 30
"""A socket's path has 107 bytes at most, of which Ray's names take up to 75."""
USER_ERROR = f"{UserError.__module__}.{UserError.__qualname__}: "


def connect(config: RuntimeConfig) -> OwnRay | None:
    """Starts a Ray of this run's own, or joins the one at the address.

    Args:
        config: The section `runtime`.

    Returns:
        The Ray that was started; None where one was joined.

    Raises:
        RuntimeNotStarted: Ray does not start on this machine.
        UserError: There is none, or no token for it.
    """
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error", "configure_logging": True}
    if config.address == "local":
        # As many workers as asked for run on this machine, even where they share its cores.
        asked = 0 if config.workers == "auto" else math.ceil(config.workers * config.cpus_per_worker)
        options |= {"num_cpus": max(machine_cores(), asked), "include_dashboard": False, "_temp_dir": _temporary()}
    elif config.address != "auto":
        check_reachable(config.address)
    if config.address != "local" and (tokenless := no_token()):
        raise UserError(f"runtime.address: {tokenless}; {TOKEN_REMEDY}")
    before = signal.getsignal(signal.SIGTERM)
    try:
        own = _init(config.address, options)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)  # Ray puts one in front of it that prints a stack
        return own
    except (ConnectionError, RuntimeError, ValueError, OSError, AuthenticationError) as error:
        raise UserError(f"runtime.address: {why_not(config.address, error)}") from None


def _init(address: str, options: Mapping[str, Any]) -> OwnRay | None:
    """Starts Ray, which gives up after half a minute; that is too soon where others use the machine."""
    for name, time in (PATIENCE | (AS_ASKED if address == "local" else {})).items():
        os.environ.setdefault(name, time)  # Ray's processes read it when they start
    for _ in range(STARTS):
        before = {child.pid for child in psutil.Process().children()}
        try:
            with lean_ray():
                context: Any = ray.init(address=address, **options)
            if address != "local":
                return None
            started = [child for child in psutil.Process().children() if child.pid not in before]
            return OwnRay(started, context.address_info["session_dir"])
        except Exception as error:
            if TIMED_OUT not in str(error):
                raise
            ray.shutdown()
            for child in psutil.Process().children():
                if child.pid not in before:
                    with contextlib.suppress(psutil.Error):
                        child.kill()
    raise RuntimeNotStarted(
        f"runtime: Ray did not start in {STARTS} tries of half a minute: the machine is too busy; "
        "start it again later, or give --set runtime.kind=serial"
    )


def _temporary() -> str | None:
    """Where Ray has its sockets, whose paths must be short; None for where it has them by itself."""
    folder = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR", "")
    if "RAY_TMPDIR" in os.environ or len(os.fsencode(folder)) <= LONGEST_FOLDER:
        return None
    return f"/tmp/ray-{os.getuid()}"


def look() -> tuple[list[ClusterNode], list[str]]:
    """Returns the living nodes, and the ids of those that are being drained."""
    listing: list[Mapping[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    own = ray.get_runtime_context().get_node_id()
    alive = [
        ClusterNode(n["NodeID"], n["NodeManagerHostname"], n["Resources"], names_of(n, n["NodeID"] == own))
        for n in listing
        if n["Alive"]
    ]
    return alive, list(state.state.get_draining_nodes())


def names_of(node: Mapping[str, Any], own: bool) -> tuple[str, ...]:
    """Returns what the price of a node is looked up by, the surest first.

    Args:
        node: As Ray lists it.
        own: Whether this process is on it, whose environment then may say what machine it is.
    """
    labels = node.get("Labels", {})
    machine = labels.get(NODE_TYPE_LABEL) or (os.environ.get(NODE_TYPE_VARIABLE) if own else "")
    return tuple(filter(None, (machine, labels.get(GROUP_LABEL), node["NodeManagerHostname"])))


def startable() -> Collection[str] | None:
    """Returns the names of the resources of machines that an autoscaler can start; None where none has said any."""
    most: Mapping[str, int] | None = state.state.get_max_resources_from_cluster_config()
    return None if most is None else [name for name, amount in most.items() if amount]


def last_line(error: RayError) -> str:
    """Returns the last line of a report of Ray's, which is the exception that was raised there."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].removeprefix(USER_ERROR)


def reason(error: RayError) -> str:
    """Returns the last exception that a report of Ray's names, which may have more behind it."""
    named = [line.strip() for line in str(error).splitlines() if re.match(r"\s*\w*(Error|Exception): ", line)]
    return named[-1] if named else last_line(error)
