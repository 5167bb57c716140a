"""What nodes cost while they are held, whatever they do: busy, idle or starting."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from evonas.prices import Prices

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Spending:
    """What a runtime has cost so far.

    Args:
        usd: US dollars, of the nodes that have a price; None where none has had one.
        usd_per_hour: What those that are held now cost.
        unpriced_s: Node seconds of nodes without a price.
        unpriced: What nodes go by that are held now and have no price.
    """

    usd: float | None = None
    usd_per_hour: float = 0.0
    unpriced_s: float = 0.0
    unpriced: tuple[str, ...] = ()


class CostClock:
    """Adds up prices x time of nodes that come and go.

    Args:
        prices: Of the nodes.
        clock: Returns seconds, and never goes back.
    """

    def __init__(self, prices: Prices, clock: Callable[[], float] = time.monotonic) -> None:
        self._prices, self._clock, self._at = prices, clock, clock()
        self._known = False
        self._usd = self._unpriced_s = 0.0
        self._usd_per_hour = 0.0
        self._unpriced: tuple[str, ...] = ()

    def hold(self, nodes: Iterable[Sequence[str]]) -> Spending:
        """Notes which nodes are held from now on.

        Args:
            nodes: What each goes by, as `Prices.of` takes it.

        Returns:
            What was spent until now.
        """
        self._pass()
        priced = [(names, self._prices.of(names)) for names in nodes]
        self._usd_per_hour = sum(usd for _, usd in priced if usd is not None)
        self._unpriced = tuple(next(iter(names), "?") for names, usd in priced if usd is None)
        self._known = self._known or len(priced) > len(self._unpriced)
        return self.spent

    @property
    def spent(self) -> Spending:
        """What was spent until now, by the nodes that were held last."""
        self._pass()
        unpriced = tuple(sorted({*self._unpriced}))
        return Spending(self._usd if self._known else None, self._usd_per_hour, self._unpriced_s, unpriced)

    def _pass(self) -> None:
        now = self._clock()
        passed, self._at = now - self._at, now
        self._usd += self._usd_per_hour * passed / HOUR_S
        self._unpriced_s += len(self._unpriced) * passed
