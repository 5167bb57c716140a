"""What the figures of an audit say, in sentences with numbers in them."""

import math
from collections.abc import Iterator, Mapping

from evonas.analysis.audit import FEW
from evonas.audit.figures import SEARCH, Figure, Figures
from evonas.audit.fronts import Side
from evonas.audit.verdict import against_random, percent, verdict
from evonas.terminal.tables import number
from evonas.text import counted, in_time


def sentences(sides: Mapping[str, Side], figures: Figures) -> Iterator[str]:
    """The verdict, and then what each part says.

    Args:
        sides: search, and random where there is a baseline.
        figures: of the audit.
    """
    metric = sides[SEARCH].metric[0]
    yield verdict(sides, figures)
    yield from against_random(sides, figures)
    yield from _order(figures, metric)
    yield from _stopping(figures)
    if sides[SEARCH].is_trained:
        yield from _curse(figures, metric)
    yield _hours(figures)
    yield "kWh: no counter of a CPU is read; what a GPU took while it trained is in the rows (conditions, `gpu_wh`)."


def _order(figures: Figures, metric: str) -> Iterator[str]:
    whole, tenth = (figures.get("order", f"tau, {among}") for among in ("all", "best tenth"))
    if not whole.n:
        return
    yield f"The order of all {counted(whole.n, 'finished network')} by {metric}: {_tau(figures, whole)}."
    yield f"Of the search's best tenth, {counted(tenth.n, 'finished network')}: {_tau(figures, tenth)}."
    place = figures.get("order", "search's best, place")
    if not math.isnan(place.value):
        behind = figures.get("order", "search's best, behind").value
        overlap = "overlap" if figures.get("order", "intervals overlap").value else "do not overlap"
        is_first = behind == 0
        rest = "" if is_first else f", {number(behind)} behind the best; their 95 % intervals {overlap}"
        yield f"The network that the search calls best is number {place.value:.0f} of {place.n} on the test{rest}."


def _tau(figures: Figures, tau: Figure) -> str:
    if tau.n < FEW:
        return f"too few to say anything about their order ({FEW} or more do)"
    if math.isnan(tau.value):
        return "all alike, they have no order"
    p = figures.get("order", tau.name.replace("tau", "p")).value
    held = "held over their range" if tau.value > 0.5 and p < 0.05 else "says little" if tau.value > 0 else "misleads"
    return f"Kendall tau {tau.value:.2f} between search and test (p {p:.2g}): the search's order {held}"


def _stopping(figures: Figures) -> Iterator[str]:
    parts = dict.fromkeys(own.part for own in figures if own.part.startswith("rung, ") and own.run == SEARCH)
    for part in parts:
        agreement, turned = figures.get(part, "pairs as in the end"), figures.get(part, "pairs turned round")
        lost = figures.get(part, "front lost").value
        if agreement.n:
            where = part.replace(",", " at")
            yield (
                f"Early stopping, {where}: of {counted(agreement.n, 'pair')} of fully trained networks "
                f"{percent(agreement.value)} compared as in the end, {percent(turned.value)} the other way round; "
                f"{counted(int(lost), 'member')} of its front {'was' if lost == 1 else 'were'} dominated there."
            )
    if not parts:
        yield "Early stopping: there was none."
        return
    stopped = figures.get("stopped, then finished", "on the final front")
    if stopped.n:
        yield (
            f"Of {counted(stopped.n, 'network')} that it had stopped and that were trained to the end, "
            f"{stopped.value:.0f} would be on the final front."
        )
    else:
        yield "What the stopped ones would have become is not known; evonas train takes them too, by number."


def _curse(figures: Figures, metric: str) -> Iterator[str]:
    said = {
        "same weights": "Winner's curse: as the search left {them}, {n} {verb} {mean} {way} in {metric} on the "
        "test than on the validation examples{span}; the best by these {best}.",
        "search": "Finished, {n} {verb} {mean} {way} on the test than the search had said{span}; they were trained for "
        "longer, so this is the curse and that together.",
        "recipe": "Finished, {n} {verb} {mean} {way} on the test than the best recipe was on the validation "
        "examples{span}.",
    }
    for name, text in said.items():
        mean = figures.get("winner's curse", f"{name}")
        best = figures.get("winner's curse", f"{name}, best").value
        if mean.n:
            yield text.format(**_worse(mean), metric=metric, best=f"{number(abs(best))} {_way(best)}")
    if not figures.get("winner's curse", "same weights").n:
        yield "Winner's curse alone: not known; no network was tested with the weights that the search left it."


def _worse(mean: Figure) -> dict[str, str]:
    span = "" if math.isnan(mean.low) else f" (95 % {mean.low:+.2g} to {mean.high:+.2g}, + is worse)"
    if mean.low <= 0 <= mean.high:
        span += ", which may be chance"
    verb, them = ("is", "it") if mean.n == 1 else ("are", "them")
    way, n = _way(mean.value), counted(mean.n, "network")
    return {"n": n, "verb": verb, "them": them, "mean": number(abs(mean.value)), "way": way, "span": span}


def _hours(figures: Figures) -> str:
    found = {own.name: own.value for own in figures if own.part == "time" and own.run == SEARCH}
    waiting = found.pop("waiting", 0.0)
    each = ", ".join(
        f"{name} {'not recorded' if math.isnan(own) else in_time(3600 * own)}" for name, own in found.items()
    )
    return (
        f"Time of workers: {each}; of training and measuring {in_time(3600 * waiting)} passed waiting for measurements."
    )


def _way(value: float) -> str:
    return "worse" if value >= 0 else "better"
