"""How many candidates a budget of time holds, and how many generations those are, in one line."""

import math

from evonas.config import Config
from evonas.text import in_time

COUNTS = ("none", "one", "two", "three", "four", "five", "six")


def forecast(config: Config, candidates_per_s: float, done: int = 0, elapsed_s: float = 0.0) -> str:
    """What fits into a search's budget.

    Args:
        config: with the budget and the size of a generation.
        candidates_per_s: that all workers together evaluate.
        done: candidates evaluated by now.
        elapsed_s: running time by now.

    Returns:
        E.g. "about 17 candidates fit into 10 min: one generation of 16; generations of 8 would be two"; of a budget of
        evaluations alone, how long it takes.
    """
    budget, size = config.budget, config.generation
    if not budget.hours:
        left = (budget.evaluations or 0) - done
        return f"about {in_time(left / candidates_per_s)} for {left:,} candidates" if left > 0 else ""
    seconds = budget.hours * 3600
    fit = done + math.floor(max(0.0, seconds - elapsed_s) * candidates_per_s)
    if budget.evaluations and budget.evaluations <= fit:
        return f"about {in_time(budget.evaluations / candidates_per_s)} for {budget.evaluations:,} candidates"
    fits = f"{fit:,} candidates fit" if fit != 1 else "1 candidate fits"
    text = f"about {fits} into {in_time(seconds)}: {_generations(fit // size)} of {size}"
    half = 2 ** int(math.log2(fit // 2)) if fit >= 4 else 0
    if fit // size < 2 and half >= 2:
        name = "a population" if "population" in config.strategy.options else "generations"
        text += f"; {name} of {half} would {'give' if name == 'a population' else 'be'} {_number(fit // half)}"
    return text


def _generations(count: int) -> str:
    return f"{_number(count) if count else 'no whole'} generation{'s' if count > 1 else ''}"


def _number(count: int) -> str:
    return COUNTS[count] if count < len(COUNTS) else f"{count:,}"
