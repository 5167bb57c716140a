"""How a search goes on that has stopped: by the line that it was started with, unless that would stop at once, or has
nothing left to do."""

from pathlib import Path

from evonas.config import BudgetConfig
from evonas.runs.money import with_more_money
from evonas.runs.run import Run
from evonas.store import Folder, has_own_description, is_run, open_folder, read_starts, recover


def going_on(line: str, folder: str | Path | Folder | None, budget: BudgetConfig | None) -> str:
    """The line, with a larger budget of money where that is used up.

    Args:
        line: as it was given.
        folder: of the run; None or one that cannot be read from here: the line as it is.
        budget: of the search, as the line has it; None where it has none.
    """
    try:
        spent = used_up(folder, budget)
    except Exception:  # whatever a store raises that cannot be reached from here
        return line
    return line if spent is None else with_more_money(line, spent)


def used_up(folder: str | Path | Folder | None, budget: BudgetConfig | None) -> float | None:
    """What a run has cost whose budget of money is used up, US dollars; None where it is not, or there is no run.

    Args:
        folder: of the run; None for none.
        budget: of the search that is to go on in it; None where it has none.

    Raises:
        Exception: it cannot be read from here; whatever its store raises then.
    """
    if not budget or not budget.usd or folder is None or not is_run(open_folder(folder)):
        return None
    run = Run(folder)
    spent, is_to_finish = run.money.usd, budget.at_end == "finish" and len(run.unfinished) > 0
    return None if spent is None or spent < budget.usd or is_to_finish else spent


def ended(folder: str | Path | Folder, budget: BudgetConfig) -> str:
    """Why the search of a run folder ended, where nothing is left to do; else an empty text. Only reads.

    Args:
        folder: of the run, which need not be there.
        budget: of the search that is to go on in it; with another one than it ended with there may be more to do.

    Raises:
        Exception: it cannot be read from here; whatever its store raises then.
    """
    folder = open_folder(folder)
    if not is_run(folder) or not has_own_description(folder):
        return ""
    last = (read_starts(folder) or [{}])[-1]
    if {"usd": None, **last.get("budget", {})} != budget.model_dump(mode="json"):  # a key of later
        return ""
    run = Run(folder)
    intact = not recover(folder, run.description["metrics"], run.description["targets"], salvage=True).damage
    return str(last.get("ended", "")) if intact and not run.unmeasured else ""
