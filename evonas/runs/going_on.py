"""How a search goes on that has stopped: by the line that it was started with, unless that would stop at once."""

from pathlib import Path

from evonas.config import BudgetConfig
from evonas.runs.money import with_more_money
from evonas.runs.run import Run
from evonas.store import Folder


def going_on(line: str, folder: str | Path | Folder | None, budget: BudgetConfig | None) -> str:
    """The line, with a larger budget of money where that is used up.

    Args:
        line: as it was given.
        folder: of the run; None or one that cannot be read from here: the line as it is.
        budget: of the search, as the line has it; None where it has none.
    """
    spent = used_up(folder, budget)
    return line if spent is None else with_more_money(line, spent)


def used_up(folder: str | Path | Folder | None, budget: BudgetConfig | None) -> float | None:
    """What a run has cost whose budget of money is used up, US dollars; None where it is not, or nobody knows it here.

    Args:
        folder: of the run; None or one that cannot be read from here: nobody knows.
        budget: of the search that is to go on in it; None where it has none.
    """
    if not budget or not budget.usd or folder is None:
        return None
    try:
        run = Run(folder)
        spent, is_to_finish = run.money.usd, budget.at_end == "finish" and len(run.unfinished) > 0
    except Exception:  # whatever a store raises that cannot be reached from here
        return None
    return None if spent is None or spent < budget.usd or is_to_finish else spent
