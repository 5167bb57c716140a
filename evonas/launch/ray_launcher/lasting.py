"""How long the machines of a launch file of Ray stay, as the file says it."""

import re
from collections.abc import Mapping
from typing import Any

from evonas.launch.launch_files.numbers import number

_POWEROFF = re.compile(r"shutdown --poweroff \+(\d+)")
"""Of the watchdog of `cluster/aws.yaml`, minutes."""
_WATCH = re.compile(r"left=(\d+); else")
"""Of the same, minutes that a machine stays when its Ray has ended."""
_NOTICED = 2
"""Minutes until a worker's Ray ends without its head, and until the watchdog looks."""
_IDLE = 5
"""Minutes, where a file does not say them (Ray's `defaults.yaml`)."""


def longest_h(config: Mapping[str, Any]) -> float | None:
    """After how many hours the last of the machines has ended by itself; None where one does not."""
    found = [_end_h(kind["node_config"]) for kind in config["available_node_types"].values()]
    known = [hours for hours in found if hours is not None]
    return max(known) if len(known) == len(found) else None


def idle_h(config: Mapping[str, Any]) -> float:
    """How many hours a machine that does nothing stays."""
    minutes = number(config.get("idle_timeout_minutes", _IDLE), "idle_timeout_minutes")
    if minutes < 0:
        raise ValueError(f"idle_timeout_minutes is {minutes:g}")
    return minutes / 60


def outlive_h(config: Mapping[str, Any]) -> float:
    """How many hours the last worker stays longer than the head does, at most."""
    nodes = [kind["node_config"] for name, kind in _workers(config)]
    return max((_after_head_h(node) for node in nodes), default=0.0)


def _workers(config: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [pair for pair in config["available_node_types"].items() if pair[0] != config["head_node_type"]]


def _after_head_h(node: Mapping[str, Any]) -> float:
    """By its watchdog; without one as long as any machine, if it comes when the head ends."""
    items = (node.get("metadata") or {}).get("items") or ()
    if found := _WATCH.search(f"{node.get('UserData', '')} {[item.get('value') for item in items]}"):
        return (int(found[1]) + _NOTICED) / 60
    return _end_h(node) or 0.0


def _end_h(node: Mapping[str, Any]) -> float | None:
    """Hours after which a machine ends itself, or Compute Engine does; None where neither is said."""
    if found := _POWEROFF.search(str(node.get("UserData", ""))):
        return int(found[1]) / 60
    run = (node.get("scheduling") or {}).get("maxRunDuration") or {}
    return float(run["seconds"]) / 3600 if "seconds" in run else None
