"""What the figures of an audit say of a search against random search: rules that do not call luck a gain."""

import math
from collections.abc import Iterator, Mapping

from evonas.audit.figures import RANDOM, SEARCH, Figures
from evonas.audit.fronts import Side
from evonas.text import counted, in_time

BOTH = 1.96 * math.sqrt(2)
"""Deviations of one search within which two of them, alike in luck, differ 95 % of the time."""


def verdict(sides: Mapping[str, Side], figures: Figures) -> str:
    """Was it worth it, in one sentence.

    Args:
        sides: search, and random where there is a baseline.
        figures: of the audit.
    """
    if RANDOM not in sides:
        return "Whether the search was worth it is not known: there is no finished random search to compare it with."
    found, luck = gain(figures)
    if math.isnan(found):
        return "Whether the search was worth it is not known: random search's front dominates nothing."
    many, those = (int(figures.get("budget", "evaluations", run).value) for run in (SEARCH, RANDOM))
    other = " each" if many == those else f" and {those:,}"
    more = f"its front dominates {percent(abs(found))} {'more' if found >= 0 else 'less'} than that of random search"
    at = f"after {counted(many, 'evaluation')}{other}, one run each"
    if math.isnan(luck):
        return f"Not shown that the search was worth it: {more} {at}, too few to tell that from luck."
    within = f"seeds alone make a difference of up to {percent(luck)}"
    if abs(found) <= luck:
        return f"Not shown that the search was worth it: {more} {at}, and {within}: that may be chance."
    if found > 0:
        return f"The search was worth it: {more} {at}, and {within}."
    return f"The search was not worth it: {more} {at}, and {within}."


def against_random(sides: Mapping[str, Side], figures: Figures) -> Iterator[str]:
    """What there is to say beside the verdict, where there is a baseline; nothing where there is none."""
    if RANDOM in sides:
        yield _budget(sides, figures)
        yield from _needed(figures)
        yield from _tested(figures)
        yield from _shared(figures)


def gain(figures: Figures) -> tuple[float, float]:
    """How much more the search's front dominates than random search's, and within how much of it two searches that are
    alike differ 95 % of the time, both as shares of what random search's dominates."""
    search, random = (figures.get("front", "hypervolume", run).value for run in (SEARCH, RANDOM))
    luck = figures.get("front", "deviation over seeds", RANDOM).value
    if not random > 0:
        return math.nan, math.nan
    return search / random - 1, BOTH * luck / random


def _budget(sides: Mapping[str, Side], figures: Figures) -> str:
    evaluations, epochs, hours = (
        [figures.get("budget", name, run).value for run in (SEARCH, RANDOM)]
        for name in ("evaluations", "epochs", "time of workers")
    )
    at = [figures.get("front", "at equal epochs", run).value for run in (SEARCH, RANDOM)]
    same = "the same number of" if evaluations[0] == evaluations[1] else "not even the same number of"
    time = [in_time(3600 * own) for own in hours]
    then = f"; at equal epochs the search dominates {_signed(at[0] / at[1] - 1)} than it" if at[1] > 0 else ""
    seeds = [sides[run].run.description["config"]["seed"] for run in (SEARCH, RANDOM)]
    drawn = f"the same seed, {seeds[0]}" if seeds[0] == seeds[1] else f"seeds {seeds[0]} and {seeds[1]}"
    return (
        f"The budgets were {same} evaluations ({evaluations[0]:,.0f} and {evaluations[1]:,.0f}; {drawn}), for which "
        f"the search took {epochs[0]:,.0f} epochs and {time[0]} of workers, random search {epochs[1]:,.0f} "
        f"epochs and {time[1]}{then}."
    )


def _needed(figures: Figures) -> Iterator[str]:
    part = "to match other"
    random, search = (figures.get(part, "evaluations", run) for run in (RANDOM, SEARCH))
    total = figures.get("budget", "evaluations", RANDOM).value
    if math.isnan(random.value):
        yield f"Random search did not reach the search's hypervolume in its {counted(int(total), 'evaluation')}."
    else:
        yield f"Random search reached the search's hypervolume after {_spent(figures, RANDOM)}."
    if not math.isnan(search.value):
        yield f"The search reached the hypervolume at which random search ended after {_spent(figures, SEARCH)}."


def _spent(figures: Figures, run: str) -> str:
    part = "to match other"
    evaluations, epochs, hours = (
        figures.get(part, name, run).value for name in ("evaluations", "epochs", "time of workers")
    )
    return f"{counted(int(evaluations), 'evaluation')} ({epochs:,.0f} epochs, {in_time(3600 * hours)} of workers)"


def _tested(figures: Figures) -> Iterator[str]:
    """What of the gain is left on the test examples."""
    part = "finished"
    before, after = (
        [figures.get(part, name, run).value for run in (SEARCH, RANDOM)]
        for name in ("hypervolume, search", "hypervolume, test")
    )
    if math.isnan(before[0]) or not (before[1] > 0 and after[1] > 0):
        return
    many = [int(figures.get(part, "networks", run).value) for run in (SEARCH, RANDOM)]
    first, last = before[0] / before[1] - 1, after[0] / after[1] - 1
    text = (
        f"Of the networks that were trained to the end ({many[0]} and {many[1]}), the search's dominate "
        f"{_signed(first)} than random search's by the figures of the searches, and {_signed(last)} "
        "by those of the test"
    )
    if first > 0:
        lost = 1 - last / first
        text += f": {percent(lost)} of that gain was not there on the test" if lost > 0 else ": none of it was lost"
    yield f"{text}."


def _shared(figures: Figures) -> Iterator[str]:
    found = [own for own in figures if own.part == "in both"]
    if found and found[0].n:
        each = ", ".join(f"{own.name} {percent(own.value)}" for own in found)
        yield f"{counted(found[0].n, 'network')} trained by both: how far their figures are apart on average: {each}."


def percent(share: float) -> str:
    return f"{100 * share:.2g} %" if abs(share) < 0.995 else f"{100 * share:,.0f} %"


def _signed(share: float) -> str:
    return f"{percent(abs(share))} {'more' if share >= 0 else 'less'}"
