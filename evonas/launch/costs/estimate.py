"""What the machines of a cluster cost an hour, and at most. A price that is not known is said and never guessed."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evonas.clusters.needed import custom_resources
from evonas.config import Config
from evonas.errors import UserError
from evonas.launch.costs import disks
from evonas.launch.costs.totals import IDLE_H, Rates, dollars, in_all, money
from evonas.prices import NODE_TYPE_LABEL, REST, Prices, list_prices
from evonas.text import counted

HOME = "us-west-2 (AWS) and us-central1 (Google)"
"""Where list prices are of."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A type of machine in a launch file.

    Args:
        type: as a table of prices names it: `g6.xlarge.spot`.
        group: its name in the file: `spot_l4`.
        least: how many there are from the start.
        most: how many there can be.
        usd: US dollars an hour, None where it is not known.
        board: whether it only measures, and comes where a target wants it.
        disk_usd: what its disks cost an hour, US dollars, None where that is not known.
    """

    type: str
    group: str
    least: int
    most: int
    usd: float | None
    board: bool = False
    disk_usd: float | None = 0.0


def of_launch_file(config: Mapping[str, Any], prices: Prices) -> list[Machine]:
    """The machines of a launch file of Ray."""
    found = []
    for group, kind in config["available_node_types"].items():
        is_head = group == config["head_node_type"]
        least, most = (kind[count] + is_head for count in ("min_workers", "max_workers"))
        name = (kind.get("labels") or {}).get(NODE_TYPE_LABEL) or type_of(kind["node_config"])
        disk = disks.usd_per_hour(kind["node_config"])
        found.append(Machine(name, group, least, most, prices.of((name, group)), bool(custom_resources(kind)), disk))
    return found


def check_labels(config: Mapping[str, Any], name: object) -> None:
    """Lets go on where machines are what their labels say, by which prices are looked up here and by the search.

    Raises:
        UserError: A label is another machine's of the list.
    """
    for group, kind in config["available_node_types"].items():
        label, machine = (kind.get("labels") or {}).get(NODE_TYPE_LABEL), type_of(kind["node_config"])
        if label in list_prices().usd_per_hour and label != machine:
            raise UserError(
                f"{name}: {group} is {machine}, and its label {NODE_TYPE_LABEL}, by which its price is looked up, says "
                f"{label}: make them one"
            )


def type_of(node: Mapping[str, Any]) -> str:
    """A machine as the table of prices names it, from what the cloud is told."""
    if "InstanceType" in node:
        spot = (node.get("InstanceMarketOptions") or {}).get("MarketType") == "spot"
        return str(node["InstanceType"]) + (".spot" if spot else "")
    gpus = "".join(map(_accelerator, node.get("guestAccelerators") or ()))
    spot = (node.get("scheduling") or {}).get("provisioningModel") == "SPOT"
    return f"{node['machineType']}{gpus}" + (".spot" if spot else "")


def _accelerator(gpu: Mapping[str, Any]) -> str:
    """GPUs beside a machine of Google's; the table has the price of one."""
    count = gpu.get("acceleratorCount", 1)
    return f".{gpu['acceleratorType'].rpartition('/')[2]}" + (f"-x{count}" if count != 1 else "")


def lines(
    machines: Sequence[Machine],
    workers: int,
    config: Config | None,
    longest_h: float | None,
    stays: bool = False,
    region: str = "",
    together: int | None = None,
    idle_h: float = IDLE_H,
    outlive_h: float = 0.0,
) -> list[str]:
    """What it costs, for people.

    Args:
        machines: of the launch file.
        workers: that the search asks for at most; each can have a machine of its own.
        config: of the search, for its budget and its prices.
        longest_h: after which the machines end by themselves, hours; None: they do not.
        stays: whether what is up from the start outlives the search.
        region: of the machines, where list prices are of another one.
        together: how many there can be beside the head, of all types; None where the launch file does not say.
        idle_h: after which a machine ends that does nothing, hours.
        outlive_h: how long workers stay when the head has ended by itself, hours.
    """
    first = [machine for machine in machines if machine.least]
    least, unpriced = _sum([(machine, machine.least) for machine in first])
    coming = [machine for machine in machines if not machine.least and (not machine.board or _measures(config))]
    room = math.inf if together is None else together + 1 - sum(machine.most for machine in first)  # 1: the head
    most, unknown = _sum([*((machine, machine.most) for machine in first), *_dearest(coming, workers, room)])
    what = ", ".join(map(_named, first))
    disks = any(machine.disk_usd for machine in (*first, *coming))
    rates = Rates(least, most, _with_disks([*first, *coming]), unknown, idle_h, outlive_h, disks)
    elastic = f"with all machines that {workers} workers can ask for: {money(most, unknown, 'at most ', ' an hour')}"
    found = [
        f"from the start: {money(least, unpriced, rate=' an hour')} ({what})",
        *([elastic] if any(machine.most and not machine.board for machine in coming) else []),
        *in_all(rates, config, longest_h, stays),
        *_source(machines, region),
    ]
    return found + ([f"no price is known of {_remedy(unknown)}"] if unknown else [])


def require_prices(machines: Sequence[Machine], config: Config | None) -> None:
    """Lets no search begin that could not keep its budget of money.

    Raises:
        UserError: `budget.usd` is set, and a type of machine has no price.
    """
    unknown = sorted({machine.type for machine in machines if machine.most and machine.usd is None})
    if config and config.budget.usd and unknown:
        raise UserError(f"budget.usd cannot be kept: no price is known of {_remedy(unknown)}")


def _named(machine: Machine) -> str:
    """As `1 x m7i.xlarge at $0.20`, or nodes of which no type is known."""
    name = counted(machine.least, "node") if machine.type == REST else f"{machine.least} x {machine.type}"
    if machine.usd is None:
        return f"{name}, whose price is not known"
    return f"{name} at {dollars(machine.usd)}" + (
        f" and {dollars(machine.disk_usd)} of disk" if machine.disk_usd else ""
    )


def _remedy(unknown: Sequence[str]) -> str:
    prices = ", ".join(f"{json.dumps(name)}: USD" for name in unknown)
    names = ", ".join("nodes" if name == REST else name for name in unknown)
    return f"{names}; yours: --set 'runtime.prices={{{prices}}}'"


def _measures(config: Config | None) -> bool:
    """Whether the search asks for measuring machines."""
    return bool(config and any(target.resource for target in config.targets.values()))


def _dearest(machines: Sequence[Machine], workers: float, room: float) -> Iterator[tuple[Machine, int]]:
    """The dearest machines that can come at once. One without a price takes no place from the others.

    Args:
        machines: that are not there from the start.
        workers: each can have a machine of its own; boards are not for them.
        room: for how many machines there is place in all.
    """
    for machine in (machine for machine in machines if machine.usd is None):
        if count := _at_most(machine, workers, room):
            yield machine, count
    for machine in sorted((m for m in machines if m.usd is not None), key=lambda m: -(m.usd or 0)):
        if count := _at_most(machine, workers, room):
            yield machine, count
        room, workers = room - count, workers - (0 if machine.board else count)


def _at_most(machine: Machine, workers: float, room: float) -> int:
    return max(0, int(min(machine.most, room, math.inf if machine.board else workers)))


def _sum(counted: Sequence[tuple[Machine, int]]) -> tuple[float, list[str]]:
    """US dollars an hour of those that have a price, and the types of the others."""
    usd = sum((machine.usd + (machine.disk_usd or 0)) * count for machine, count in counted if machine.usd is not None)
    return usd, sorted({machine.type for machine, _ in counted if machine.usd is None})


def _with_disks(machines: Sequence[Machine]) -> float:
    return max((1 + (m.disk_usd or 0) / m.usd for m in machines if m.usd), default=1.0)


def _source(machines: Sequence[Machine], region: str) -> list[str]:
    """Whose prices these are, where any is of the list."""
    table = list_prices()
    listed = [m for m in machines if m.usd is not None and m.usd == table.usd_per_hour.get(m.type)]
    unknown = sorted({m.type for m in machines if m.disk_usd is None})
    found = [f"without the disks of {', '.join(unknown)}, of which no price is known"] if unknown else []
    if not listed:
        return found
    of_disks = "with disks where the file says them, without" if any(m.disk_usd for m in machines) else "without disks,"
    text = f"by list prices of {HOME} of {table.read}, {of_disks} addresses and traffic"
    elsewhere = f"; those of {region or 'other regions'} differ: yours in runtime.prices"
    return [*found, text + ("" if region and region in HOME else elsewhere)]
