"""The money of a search while it waits for its first worker: nodes cost by then, on Slurm all of them."""

import math
from dataclasses import dataclass, field

from evonas.config import BudgetConfig
from evonas.driver.account import check_prices
from evonas.errors import Halted
from evonas.runtime.cost_clock import Spending
from evonas.store import SPENT_USD, Recovered
from evonas.text import in_usd


@dataclass(slots=True)
class Wait:
    """Ends the wait when it has used up the budget.

    Args:
        budget: Of the search.
        before: What earlier starts have recorded; None where there was none.
    """

    budget: BudgetConfig
    before: Recovered | None = None
    _spent: Spending | None = field(default=None, init=False)

    @property
    def usd(self) -> float:
        """US dollars of this wait so far."""
        return (self._spent.usd if self._spent else None) or 0.0

    def look(self, spent: Spending) -> None:
        """Takes what the wait has cost so far.

        Args:
            spent: By the nodes that are there.

        Raises:
            UserError: There is a budget of money, and a node without a price.
            Halted: Likewise, where that node came later; or the budget is used up.
        """
        begun, self._spent = self._spent is not None, spent
        check_prices(self.budget.usd, spent, begun)
        earlier = usd_before(self.before)
        if earlier + self.usd < self._limit(earlier):
            return
        cost = f"the wait for the first worker cost {in_usd(round(self.usd, 4))} of it"
        more = f", earlier starts {in_usd(round(earlier, 4))}" if earlier else ""
        raise Halted(f"the budget of {in_usd(self.budget.usd or 0)} is used up: {cost}{more}; give a larger budget.usd")

    def _limit(self, earlier: float) -> float:
        """Money until the wait ends, US dollars; infinite where workers are wanted for what may cost more than the
        budget: to measure the front of a search that has used it up, or to finish what trains."""
        usd, before = self.budget.usd, self.before
        over = before and before.evaluated and earlier >= (usd or 0.0)
        to_finish = before and before.pending and self.budget.at_end == "finish"
        return math.inf if not usd or over or to_finish else usd


def usd_before(before: Recovered | None) -> float:
    """US dollars of earlier starts, as they are recorded; what was taken over from another run cost none of them."""
    if before is None:
        return 0.0
    own = (row.conditions for row in before.evaluated if "from" not in row.conditions)
    return before.rest_usd + sum(float(conditions.get(SPENT_USD, 0.0)) for conditions in own)
