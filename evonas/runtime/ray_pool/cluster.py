"""A Ray cluster as its driver reaches it and sees what it is made of."""

import math
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from typing import Any

import ray
from ray._private import state
from ray.exceptions import RayError

from evonas.config import RuntimeConfig
from evonas.errors import UserError
from evonas.runtime.ray_pool.nodes import ClusterNode

CONNECT_S = 5.0
USER_ERROR = f"{UserError.__module__}.{UserError.__qualname__}: "


def connect(config: RuntimeConfig) -> None:
    """Starts a Ray of this run's own, or joins the one at the address.

    Args:
        config: The section `runtime`.

    Raises:
        UserError: There is none.
    """
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error", "configure_logging": True}
    if config.address == "local":
        # As many workers as asked for run on this machine, even where they share its cores.
        cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
        asked = 0 if config.workers == "auto" else math.ceil(config.workers * config.cpus_per_worker)
        options |= {"num_cpus": max(cores, asked), "include_dashboard": False}
    elif config.address != "auto":
        check_reachable(config.address)
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=config.address, **options)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)  # Ray puts one in front of it that prints a stack
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"runtime.address: no Ray cluster at {config.address!r}: {reason}") from None


def check_reachable(address: str) -> None:
    """Checks that something answers, since Ray itself tries an address for minutes before it gives up.

    Args:
        address: HOST:PORT, also with ray:// before it.

    Raises:
        UserError: Nothing does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_S).close()
    except (OSError, ValueError) as error:
        raise UserError(f"runtime.address: no Ray cluster at {address!r} (HOST:PORT of its head): {error}") from None


def look() -> tuple[list[ClusterNode], list[str]]:
    """Returns the living nodes, and the ids of those that are being drained."""
    listing: list[Mapping[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    alive = [ClusterNode(n["NodeID"], n["NodeManagerHostname"], n["Resources"]) for n in listing if n["Alive"]]
    return alive, list(state.state.get_draining_nodes())


def last_line(error: RayError) -> str:
    """Returns the last line of a report of Ray's, which is the exception that was raised there."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].removeprefix(USER_ERROR)


def reason(error: RayError) -> str:
    """Returns the last exception that a report of Ray's names, which may have more behind it."""
    named = [line.strip() for line in str(error).splitlines() if re.match(r"\s*\w*(Error|Exception): ", line)]
    return named[-1] if named else last_line(error)
