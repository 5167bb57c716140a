"""What a search has spent over all its starts: GPU time and money. Each evaluation says what was spent since the one
before, so that a search that goes on knows."""

from dataclasses import dataclass, field, replace

from evonas.errors import Halted, UserError
from evonas.records import Evaluation
from evonas.runtime import Runtime
from evonas.runtime.cost_clock import Spending
from evonas.store import SPENT_USD, UNPRICED_S
from evonas.text import in_usd

GPU_S = "gpu_s"
"""The condition that says for how long GPUs were held, over all workers, since the evaluation before."""


@dataclass(slots=True)
class Account:
    """Of one search.

    Args:
        runtime: What spends.
        gpu_s: GPU seconds that evaluations tell of.
        usd: US dollars that evaluations tell of; None where none has a price.
        unpriced_s: Node seconds without a price that evaluations tell of.
    """

    runtime: Runtime
    gpu_s: float = 0.0
    usd: float | None = None
    unpriced_s: float = 0.0
    _gpu_s_told: float = 0.0  # of these by this runtime
    _told: Spending = field(default_factory=Spending)

    @property
    def all_gpu_s(self) -> float:
        """GPU seconds until now."""
        return self.gpu_s + self.runtime.gpu_s - self._gpu_s_told

    @property
    def all_usd(self) -> float | None:
        """US dollars until now, of the nodes that have a price; None where none has had one."""
        return self.usd if self.runtime.spent.usd is None else (self.usd or 0.0) + self.rest_usd

    @property
    def rest_usd(self) -> float:
        """US dollars since the last evaluation of this start."""
        return (self.runtime.spent.usd or 0.0) - (self._told.usd or 0.0)

    def restore(self, rest_usd: float) -> None:
        """Adds what earlier starts cost after their last evaluations, US dollars."""
        if rest_usd:
            self.usd = (self.usd or 0.0) + rest_usd

    def told(self, evaluation: Evaluation) -> Evaluation:
        """Returns an evaluation that says what was spent since the one before."""
        said: dict[str, str] = {}
        if self.runtime.gpu_s:
            before, self._gpu_s_told = self._gpu_s_told, self.runtime.gpu_s
            said[GPU_S] = f"{self._gpu_s_told - before:.3f}"
        spent, known = self.runtime.spent, self._told
        if spent.usd is not None:
            self._told = spent
            said[SPENT_USD] = f"{spent.usd - (known.usd or 0.0):.9f}"
            said[UNPRICED_S] = f"{spent.unpriced_s - known.unpriced_s:.3f}"
        return replace(evaluation, conditions={**evaluation.conditions, **said}) if said else evaluation

    def count(self, evaluation: Evaluation, gpus: float) -> None:
        """Adds what an evaluation tells of.

        Args:
            evaluation: One that was done by this search, in this start or an earlier one.
            gpus: The share of a GPU of a worker, for records that do not say for how long GPUs were held.
        """
        conditions = evaluation.conditions
        if GPU_S in conditions:
            self.gpu_s += float(conditions[GPU_S])
        else:
            share = conditions.get("gpus", gpus)
            self.gpu_s += (evaluation.measure_s + evaluation.train_s) * float(share)
        if SPENT_USD in conditions:
            self.usd = (self.usd or 0.0) + float(conditions[SPENT_USD])
            self.unpriced_s += float(conditions.get(UNPRICED_S, 0.0))


def check_prices(usd: float | None, spent: Spending, begun: bool) -> None:
    """Makes sure that a budget of money can be kept.

    Args:
        usd: The budget, US dollars; None for none.
        spent: By the runtime so far.
        begun: Whether the search has begun.

    Raises:
        UserError: There is a budget, and a node without a price.
        Halted: Likewise, once the search has begun; it goes on when there is one.
    """
    if usd is None or not spent.unpriced:
        return
    name = spent.unpriced[0]
    more = f" (and of {len(spent.unpriced) - 1} more)" if len(spent.unpriced) > 1 else ""
    raise (Halted if begun else UserError)(
        f"the budget of {in_usd(usd)} cannot be kept: the price of {name}{more} is not known; "
        f'give it: runtime.prices: {{"{name}": USD an hour}}'
    )
