"""What a run has cost, in numbers and in words."""

import shlex
from dataclasses import dataclass

import pandas as pd

from evonas import analysis
from evonas.store import Folder, read_starts
from evonas.text import in_usd


@dataclass(frozen=True, slots=True)
class Money:
    """What a search cost over all its starts.

    Args:
        usd: US dollars of all nodes that had a price, while the search held them; None where none had one.
        unpriced_hours: Of nodes without a price, node by node.
        candidates_usd: The part of `usd` in which candidates were in work; None where none is known.
        on_cluster: Whether it was last started on a cluster.
    """

    usd: float | None
    unpriced_hours: float
    candidates_usd: float | None
    on_cluster: bool

    @property
    def text(self) -> str:
        """In words; empty where there is nothing to say: no price of the machine at hand."""
        if self.usd is None:
            return "what it cost is not known: no node had a price (runtime.prices)" if self.on_cluster else ""
        if self.unpriced_hours < 0.01:
            return f"{in_usd(round(self.usd, 4))} spent"
        without = f"{self.unpriced_hours:.3g} node hours had no price (runtime.prices)"
        return f"more than {in_usd(round(self.usd, 4))} spent: {without}"


def money(folder: Folder, evaluations: pd.DataFrame, rest_usd: float) -> Money:
    """What a run has cost.

    Args:
        folder: Its own.
        evaluations: Its rows.
        rest_usd: What its starts cost after their last evaluations, US dollars.
    """
    table = analysis.costs(evaluations)
    known = table["spent_usd"].notna().any() or rest_usd > 0
    starts = read_starts(folder)
    address = starts[-1].get("runtime", {}).get("address", "local") if starts else "local"
    return Money(
        float(table["spent_usd"].sum()) + rest_usd if known else None,
        float(table["unpriced_hours"].sum()),
        float(table["usd"].sum()) if known and table["usd"].notna().any() else None,
        address != "local",
    )


def with_more_money(line: str, spent: float) -> str:
    """A line that goes on with a search whose budget of money is used up, and what it has to be.

    Args:
        line: as it was given; a budget of money in it goes.
        spent: US dollars, over all starts.
    """
    words, kept = shlex.split(line), list[str]()
    for word in words:
        name, _, _ = word.removeprefix("--set=").partition("=")
        if name == "budget.usd" and (word.startswith("--set=") or kept[-1:] == ["--set"]):
            del kept[len(kept) - (not word.startswith("--set=")) :]
        else:
            kept.append(word)
    return f"{shlex.join(kept)} --set budget.usd=USD, where USD is more than the {in_usd(round(spent, 4))} spent"
