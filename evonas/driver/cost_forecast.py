"""What a search will cost at a pace, in one line."""

from collections.abc import Sequence

from evonas.config import Config
from evonas.text import counted, in_time, in_usd

HOUR_S = 3600.0


def cost_forecast(
    config: Config, usd_per_hour: float, unpriced: Sequence[str], candidates_per_s: float | None = None
) -> str:
    """What the nodes that are there cost, and what the search will have cost at its end.

    Args:
        config: With the budget.
        usd_per_hour: US dollars an hour of the nodes that have a price.
        unpriced: What nodes without a price go by.
        candidates_per_s: That all workers together evaluate; None where that is not known.

    Returns:
        E.g. "$5.60 an hour: about $4.20 for 140 candidates; at most $50 (budget.usd)"; of nodes without a price what to
        say in the config.
    """
    if unpriced:
        names, more = unpriced[0], len(unpriced) - 1
        others = f" and {counted(more, 'other')}" if more else ""
        priced = f"more than {in_usd(round(usd_per_hour, 4))} an hour: " if usd_per_hour else ""
        return f'{priced}the price of {names}{others} is not known; give it: runtime.prices: {{"{names}": USD an hour}}'
    parts = [_about(config, usd_per_hour, candidates_per_s), _at_most(config, usd_per_hour)]
    text = f"{in_usd(round(usd_per_hour, 4))} an hour"
    return f"{text}: {'; '.join(filter(None, parts))}" if any(parts) else text


def _about(config: Config, usd_per_hour: float, candidates_per_s: float | None) -> str:
    count, usd = config.budget.evaluations, config.budget.usd
    if candidates_per_s and count:
        needs = count / candidates_per_s / HOUR_S * usd_per_hour
        return f"about {in_usd(round(needs, 4))} for {counted(count, 'candidate')}"
    if candidates_per_s and usd and usd_per_hour:
        fit = int(float(f"{usd / usd_per_hour * HOUR_S * candidates_per_s:.2g}"))
        return f"about {counted(fit, 'candidate')} for {in_usd(usd)}"
    return ""


def _at_most(config: Config, usd_per_hour: float) -> str:
    """By the first end of the budget that money or time makes."""
    budget = config.budget
    by_time = budget.hours * usd_per_hour if budget.hours else None
    if budget.usd and (by_time is None or budget.usd <= by_time):
        lasts = f", which last {in_time(budget.usd / usd_per_hour * HOUR_S)}" if usd_per_hour else ""
        return f"at most {in_usd(budget.usd)} (budget.usd){lasts}"
    return f"at most {in_usd(round(by_time, 4))} in {in_time(3600 * budget.hours)}" if by_time and budget.hours else ""
