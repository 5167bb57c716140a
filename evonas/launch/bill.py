"""What the machines cost that run now."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from evonas.clusters.running import Running
from evonas.launch import costs
from evonas.prices import Prices


def lines(found: Sequence[Running], prices: Prices, region: str = "", now: datetime | None = None) -> list[str]:
    """Machines by type, and what they cost an hour and since they were started; nothing where none runs."""
    now = now or datetime.now(UTC)
    hourly, usd, unknown = 0.0, 0.0, set[str]()
    for machine in found:
        price = prices.of(tuple(filter(None, (machine.type, machine.group))))
        if price is None:
            unknown.add(machine.type)
            continue
        hourly += price
        usd += price * (now - machine.since).total_seconds() / 3600 if machine.since else 0
    text = f"{costs.dollars(hourly)} an hour"
    if all(machine.since for machine in found):
        text += f", {costs.dollars(usd)} since these were started"
    if unknown:
        text += f", without {', '.join(sorted(unknown))}, of which no price is known"
    if region and region not in costs.HOME:
        text += f"; list prices are of {costs.HOME}, and others in {region}"
    counts = sorted(Counter(machine.type for machine in found).items())
    return [*(f"{count} x {name}" for name, count in counts), text] if found else []
