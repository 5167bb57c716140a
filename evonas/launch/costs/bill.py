"""What the machines cost that run now."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

from evonas.clusters.running import Running
from evonas.launch.costs import estimate
from evonas.launch.costs.totals import dollars
from evonas.prices import Prices


def lines(
    found: Sequence[Running],
    prices: Prices,
    region: str = "",
    now: datetime | None = None,
    disks: Mapping[str, float | None] = MappingProxyType({}),
) -> list[str]:
    """Machines by type, and what they cost an hour and since they were started; nothing where none runs.

    Args:
        found: what runs.
        prices: of machines.
        region: of the machines, where list prices are of another one.
        now: the time; None: as the clock has it.
        disks: type of machine -> what its disks cost an hour, US dollars, None where that is not known.
    """
    now = now or datetime.now(UTC)
    hourly, usd = 0.0, 0.0
    priced = [(machine, price) for machine in found if (price := prices.of(_names(machine))) is not None]
    for machine, price in priced:
        whole = price + (disks.get(machine.type) or 0)
        hourly += whole
        usd += whole * (now - machine.since).total_seconds() / 3600 if machine.since else 0
    text = f"{dollars(hourly)} an hour" if priced else "what it costs an hour is not known"
    if priced and all(machine.since for machine in found):
        text += f", {dollars(usd)} since these were started"
    text += _of_disks({machine.type for machine, _ in priced}, disks)
    if unknown := sorted({machine.type for machine in found if prices.of(_names(machine)) is None}):
        names = ", ".join(unknown)
        text += f", without {names}, of which no price is known" if priced else f": no price of {names}"
    if priced and region and region not in estimate.HOME:
        text += f"; list prices are of {estimate.HOME}, and others in {region}"
    counts = sorted(Counter(machine.type for machine in found).items())
    return [*(f"{count} x {name}" for name, count in counts), text] if found else []


def of_launch_file(machines: Sequence[estimate.Machine]) -> dict[str, float | None]:
    """Type of machine -> what its disks cost an hour, US dollars, as a launch file has it."""
    return {machine.type: machine.disk_usd for machine in machines}


def _names(machine: Running) -> tuple[str, ...]:
    return tuple(filter(None, (machine.type, machine.group)))


def _of_disks(types: Collection[str], disks: Mapping[str, float | None]) -> str:
    bare = sorted(name for name in types if disks.get(name) is None)
    if not bare:
        return ", with disks" if types else ""
    return ", without disks" if len(bare) == len(types) else f", with disks but those of {', '.join(bare)}"
