"""What the machines of a cluster cost an hour, and at most. A price that is not known is said and never guessed."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evonas.config import Config
from evonas.errors import UserError
from evonas.prices import NODE_TYPE_LABEL, Prices
from evonas.text import in_usd


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
    """

    type: str
    group: str
    least: int
    most: int
    usd: float | None
    board: bool = False


def own_prices(config: Config | None) -> Prices:
    """The prices that the user has given with the search, before those of the list."""
    return Prices(config.runtime.own_prices if config else {})


def of_launch_file(config: Mapping[str, Any], prices: Prices) -> list[Machine]:
    """The machines of a launch file of Ray."""
    found = []
    for group, kind in config["available_node_types"].items():
        is_head = group == config["head_node_type"]
        least, most = (1, 1) if is_head else (kind.get("min_workers", 0), kind.get("max_workers", 0))
        name = kind.get("labels", {}).get(NODE_TYPE_LABEL) or _type(kind["node_config"])
        found.append(Machine(name, group, least, most, prices.of((name, group)), is_board(group)))
    return found


def is_board(group: str) -> bool:
    """Whether a group of a launch file is one of measuring machines."""
    return group.startswith("measure")


def _type(node: Mapping[str, Any]) -> str:
    """A machine as the table of prices names it, from what the cloud is told."""
    if "InstanceType" in node:
        spot = node.get("InstanceMarketOptions", {}).get("MarketType") == "spot"
        return str(node["InstanceType"]) + (".spot" if spot else "")
    gpus = "".join(f".{gpu['acceleratorType'].rpartition('/')[2]}" for gpu in node.get("guestAccelerators", ()))
    spot = node.get("scheduling", {}).get("provisioningModel") == "SPOT"
    return f"{node['machineType']}{gpus}" + (".spot" if spot else "")


def lines(machines: Sequence[Machine], workers: int, config: Config | None, longest_h: float | None) -> list[str]:
    """What it costs, for people.

    Args:
        machines: of the launch file.
        workers: that the search asks for at most; each can have a machine of its own.
        config: of the search, for its budget and its prices.
        longest_h: after which the machines end by themselves, hours; None: they do not.
    """
    first = [machine for machine in machines if machine.least]
    least, unpriced = _sum([(machine, machine.least) for machine in first])
    always = [*first, *(machine for machine in machines if machine.board and _measures(config))]
    most, unknown = _sum([*((machine, machine.most) for machine in always), *_dearest(machines, workers)])
    what = ", ".join(f"{m.least} x {m.type} at {dollars(m.usd) if m.usd is not None else '?'}" for m in first)
    hours, why = _longest(config, longest_h)
    elastic = f"with all machines that {workers} workers can ask for: at most {_money(most, unknown)} an hour"
    found = [
        f"from the start: {_money(least, unpriced)} an hour ({what})",
        *([elastic] if len(_dearest_first(machines)) else []),
        f"in {hours:g} hours, {why}: at most {_money(most * hours, unknown)}",
        *_stop(config),
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


def _remedy(unknown: Sequence[str]) -> str:
    prices = ", ".join(f"{json.dumps(name)}: USD" for name in unknown)
    return f"{', '.join(unknown)}; yours: --set 'runtime.prices={{{prices}}}'"


def _measures(config: Config | None) -> bool:
    """Whether the search asks for measuring machines."""
    return bool(config and any(target.resource for target in config.targets.values()))


def _dearest(machines: Sequence[Machine], workers: int) -> Iterator[tuple[Machine, int]]:
    """The dearest machines that so many workers can come to. One without a price takes no place from the others."""
    rest = workers
    for machine in _dearest_first(machines):
        count = min(workers if machine.usd is None else rest, machine.most)
        if count > 0:
            yield machine, count
        rest -= 0 if machine.usd is None else count


def _dearest_first(machines: Sequence[Machine]) -> list[Machine]:
    elastic = [machine for machine in machines if not machine.least and machine.most and not machine.board]
    return sorted(elastic, key=lambda machine: -(machine.usd or 0))


def _sum(counted: Sequence[tuple[Machine, int]]) -> tuple[float, list[str]]:
    """US dollars an hour of those that have a price, and the types of the others."""
    usd = sum(machine.usd * count for machine, count in counted if machine.usd is not None)
    return usd, sorted({machine.type for machine, _ in counted if machine.usd is None})


def dollars(usd: float) -> str:
    """US dollars to the cent."""
    return f"${usd:,.2f}"


def _money(usd: float, unknown: Sequence[str]) -> str:
    if unknown and not usd:
        return "what is not known"
    return dollars(usd) + (" and what has no known price" if unknown else "")


def _longest(config: Config | None, longest_h: float | None) -> tuple[float, str]:
    """Hours that a search can take, and what ends it."""
    given = config.budget.hours if config else None
    if given and given < (longest_h or math.inf):
        return given, "the budget of the search"
    return (longest_h, "after which they end by themselves") if longest_h else (24.0, "and nothing ends them but you")


def _stop(config: Config | None) -> list[str]:
    usd = config.budget.usd if config else None
    return [f"the search ends when it has cost {in_usd(usd)} (budget.usd)"] if usd else []
