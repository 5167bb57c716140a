"""What the nodes that are there cost, and a search on them."""

from collections import Counter
from collections.abc import Iterator

from evonas.doctor.context import Context, Finding, Unknown
from evonas.driver.cost_forecast import cost_forecast
from evonas.prices import Prices, list_prices, names_of_this_machine
from evonas.text import in_usd


def cost(context: Context) -> Iterator[Finding]:
    if context.runtime.kind == "ray" and not context.joined:
        raise Unknown("Ray is out of reach")
    prices = Prices(context.runtime.own_prices)
    nodes = [node.names for node in context.nodes] or [names_of_this_machine()]
    known = [(names[0], prices.of(names)) for names in nodes]
    unpriced = [name for name, usd in known if usd is None]
    budget = context.config.budget.usd if context.config else None
    if len(unpriced) == len(known) and not budget:
        yield Finding("cost", "note", f"not known: no price of {unpriced[0]}; where it costs money: runtime.prices")
        return
    usd_per_hour = sum(usd for _, usd in known if usd is not None)
    counts = Counter((name, usd) for name, usd in known if usd is not None)
    what = ", ".join(f"{count} x {name} at {in_usd(usd)}" for (name, usd), count in counts.items())
    text = (
        cost_forecast(context.config, usd_per_hour, unpriced, context.candidates_per_s)
        if context.config
        else f"{in_usd(round(usd_per_hour, 4))} an hour"
    )
    listed = (
        f"; list prices of {list_prices().read}"
        if any(name in list_prices().usd_per_hour for name, _ in counts)
        else ""
    )
    found = f"{text} ({what}{listed}; the nodes that are there now)" if what else text
    if unpriced and budget:
        yield Finding("cost", "error", found, "say what it costs, for a budget of money cannot be kept without")
    else:
        yield Finding("cost", "note" if unpriced else "ok", found)
