"""The nodes of a Ray cluster that are on this machine, and how they are drained."""

import os
import subprocess
import sys
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Raylet:
    """A node's process.

    Attributes:
        process: Its number here.
        node: Ray's id of the node.
        head: HOST:PORT of the cluster's head.
    """

    process: int
    node: str
    head: str


def raylets(among: Collection[int] = ()) -> list[Raylet]:
    """Returns the nodes of this user on this machine, but for heads: a cluster has no second one.

    Args:
        among: Numbers of processes; none: all.
    """
    found: list[Raylet] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.name() == "raylet" and process.uids().real == os.getuid():
                said = dict(word.partition("=")[::2] for word in process.cmdline())  # as Ray itself finds them
                if "--head" not in said and (not among or process.pid in among):
                    found.append(Raylet(process.pid, said.get("--node_id", ""), said.get("--gcs-address", "")))
    return found


def drain(raylet: Raylet, why: str, seconds: float) -> str:
    """Has a node get no more work. It ends by itself once nothing is left there.

    Args:
        raylet: The node.
        why: Said to who asks Ray.
        seconds: How long the machine has left.

    Returns:
        "" where the cluster's head has agreed, else what it said.
    """
    left = str(max(1, int(seconds)))
    words = ["--address", raylet.head, "--node-id", raylet.node, "--reason", "DRAIN_NODE_REASON_PREEMPTION"]
    line = [*_RAY, "drain-node", *words, "--reason-message", why, "--deadline-remaining-seconds", left]
    try:
        done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=max(5.0, seconds))
    except subprocess.TimeoutExpired:
        return f"{raylet.head} gave no answer"
    said: Sequence[str] = (done.stderr or done.stdout).strip().splitlines()
    return "" if done.returncode == 0 else next(iter(said[-1:]), f"exit {done.returncode}")


_RAY = (sys.executable, "-m", "ray.scripts.scripts")
"""Ray's command line, whose import costs 100 MB that a machine should not give away while nothing happens."""
