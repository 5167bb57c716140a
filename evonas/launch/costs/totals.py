"""What a search and its cluster cost until all has ended."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evonas.config import Config
from evonas.text import in_usd

IDLE_H = 1 / 6
"""After which the launch files end a machine that does nothing."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What machines cost.

    Args:
        least: those that are up from the start, US dollars an hour.
        most: all that can come at once, US dollars an hour.
        with_disks: how many times as much a machine costs with its disks, at most; a search counts machines alone.
        unknown: types that have no price.
        idle_h: after which a machine ends that does nothing, hours.
        outlive_h: how long workers stay when the head has ended by itself, hours.
        disks: whether prices of disks are in it.
    """

    least: float
    most: float
    with_disks: float
    unknown: Sequence[str]
    idle_h: float = IDLE_H
    outlive_h: float = 0.0
    disks: bool = False

    def until(self, hours: float, longest_h: float | None) -> float:
        """What it all costs for so long, US dollars, with what workers cost when the head has ended by itself."""
        more = (self.most - self.least) * self.outlive_h if longest_h and hours >= longest_h else 0.0
        return self.most * hours + more


def in_all(rates: Rates, config: Config | None, longest_h: float | None, stays: bool) -> list[str]:
    """The sums, for people.

    Args:
        rates: of the machines.
        config: of the search, for its budget.
        longest_h: after which the machines end by themselves, hours; None: they do not.
        stays: whether what is up from the start outlives the search.
    """
    hours, why = _longest(config, longest_h)
    usd = config.budget.usd if config else None
    spent = usd * rates.with_disks if usd else math.inf
    if usd and spent < rates.most * hours and not rates.unknown:
        text = f"until the search has cost {in_usd(usd)} (budget.usd): at most {dollars(spent)}"
        text += ", with disks" if rates.disks else ""
        text += f", without minutes in which machines boot{_behind(config)}"
        return [text, *(_after_usd(rates, spent, longest_h) if stays else [])]
    return [
        f"in {_hours(hours)}, {why}: {money(rates.until(hours, longest_h), rates.unknown, 'at most ')}",
        *(_after_hours(rates, config, longest_h) if stays else []),
        *([f"the search ends when it has cost {in_usd(usd)} (budget.usd)"] if usd else []),
    ]


def dollars(usd: float) -> str:
    """US dollars to the cent."""
    return f"${usd:,.2f}"


def money(usd: float, unknown: Sequence[str], before: str = "", rate: str = "") -> str:
    """A sum for people, which may lack a part.

    Args:
        usd: US dollars.
        unknown: types of machines that have no price and are not in it.
        before: `at most `, where anything is known.
        rate: ` an hour`.
    """
    if unknown and not usd:
        return "not known"
    return f"{before}{dollars(usd)}{rate}" + (" and what has no known price" if unknown else "")


def _longest(config: Config | None, longest_h: float | None) -> tuple[float, str]:
    """Hours that a search can take, and what ends it."""
    given = config.budget.hours if config else None
    if given and given < (longest_h or math.inf):
        return given, f"the budget of the search{_behind(config)}"
    return (longest_h, "after which they end by themselves") if longest_h else (24.0, "and nothing ends them but you")


def _behind(config: Config | None) -> str:
    """That a search which finishes what it has begun goes beyond its budget, which nobody can count before."""
    finishes = config is not None and config.budget.at_end == "finish"
    return ", without what trains on behind it (at_end: finish)" if finishes else ""


def _after_hours(rates: Rates, config: Config | None, longest_h: float | None) -> list[str]:
    """What it is in the end where a search's own hours end it, and the cluster waits to be taken down."""
    hours = config.budget.hours if config else None
    if hours is None or hours >= (longest_h or math.inf):
        return []
    busy = min(hours + rates.idle_h, longest_h or math.inf)
    return [_then(rates, rates.until(busy, longest_h) + rates.least * ((longest_h or busy) - busy), longest_h)]


def _after_usd(rates: Rates, spent: float, longest_h: float | None) -> list[str]:
    """The same where its money ends it, which may be at once."""
    usd = spent + rates.most * rates.idle_h + rates.least * (longest_h or 0)
    return [_then(rates, min(usd, rates.until(longest_h, longest_h)) if longest_h else usd, longest_h)]


def _then(rates: Rates, usd: float, longest_h: float | None) -> str:
    then = f"workers stay {rates.idle_h * 60:g} minutes longer, and what is up from the start until `down`"
    if longest_h is None:
        return f"{then}: {money(rates.least, rates.unknown, rate=' an hour')}"
    return f"{then}, {longest_h:g} hours at most: {money(usd, rates.unknown, 'at most ')}"


def _hours(hours: float) -> str:
    if hours < 1:
        return f"{60 * hours:.3g} minutes"
    return "1 hour" if hours == 1 else f"{hours:.4g} hours"
