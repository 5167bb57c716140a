"""In which order candidates count, and how many of them one sees: a class for each `schedule.mode`.

To add one: a class here, a line in ORDERS, and its name in `config.ScheduleConfig.mode`.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Protocol

from evonas.config import Config

GROWTH = 4
"""A window that grows is one candidate longer for so many more candidates, and as long at first."""


class Order(Protocol):
    """The rule by which candidates become visible. Holds no state of a search: that is the buffer's."""

    def horizon(self, index: int, rung: int, evaluated: int, begun: Sequence[int] | None = None) -> int:
        """How much candidate `index` sees.

        Args:
            index: of the candidate that is bred.
            rung: at which it looks.
            evaluated: candidates evaluated when it is bred.
            begun: in a search with rung 0, the candidates that passed it, in order; else None.

        Returns:
            The number of leading candidates of the order whose reports at the rung it sees.
        """

    def ready(self, index: int, settled: Sequence[int], begun: Sequence[int] | None = None) -> bool:
        """Whether all that candidate `index` is to see has happened.

        Args:
            index: of the candidate to be bred.
            settled: by rung, the number of leading candidates by index that have reached it or never will.
            begun: as of `horizon`.
        """

    def sequence(self, start: int, stop: int, order: Sequence[int]) -> Sequence[int]:
        """The indices of the candidates at positions `start` to `stop`.

        Args:
            start: the first position.
            stop: the one behind the last.
            order: those that are evaluated, in the order that counts.
        """

    def extend(self, order: list[int], arrived: set[int]) -> None:
        """Move what can follow now to the end of the order.

        Args:
            order: the candidates evaluated, in the order that counts; grows.
            arrived: those evaluated that are not in the order yet; shrinks.
        """


class Window:
    """What candidate i reached at rung r is visible to candidate j if and only if i <= j - lookahead_r(j).

    Windows that grow are functions of the index alone, too. That of the first rung is max(4, j // 4), up to
    `lookahead`; those of later rungs are longer by the same factors as of windows that do not grow. One that would grow
    faster than j does, so that what was visible would be hidden again, has its full length at once.

    With rung 0 most candidates are never trained, and the windows behind it count those that are, and do not grow: of
    the candidates whose rung 0 is visible, the last lookahead_r - lookahead_0 that passed it, and all behind them, are
    not.
    """

    def __init__(self, config: Config) -> None:
        self._lookaheads, self._grows, self._most = lookaheads(config), bool(config.schedule.grows), config.lookahead

    def horizon(self, index: int, rung: int, evaluated: int, begun: Sequence[int] | None = None) -> int:
        if begun is None or rung == 0:
            return max(0, index - self._lookahead(index, rung) + 1)
        seen = bisect_left(begun, self.horizon(index, 0, evaluated))
        place = seen - (self._lookaheads[rung] - self._lookaheads[0])
        if place < 0:
            return 0
        return self.horizon(index, 0, evaluated) if place == seen else begun[place]

    def _lookahead(self, index: int, rung: int) -> int:
        first, full = self._lookaheads[0], self._lookaheads[rung]
        if not self._grows or full > GROWTH * first:
            return full
        return min(GROWTH * self._most, max(GROWTH**2, index)) * full // (GROWTH * first)

    def ready(self, index: int, settled: Sequence[int], begun: Sequence[int] | None = None) -> bool:
        return all(count >= self.horizon(index, rung, 0, begun) for rung, count in enumerate(settled))

    def sequence(self, start: int, stop: int, order: Sequence[int]) -> Sequence[int]:
        return range(start, stop)

    def extend(self, order: list[int], arrived: set[int]) -> None:
        _extend_by_index(order, arrived)


class Generations:
    """Candidate j sees every candidate of the generations before its own: the classic barrier."""

    def __init__(self, config: Config) -> None:
        self._size = config.generation

    def horizon(self, index: int, rung: int, evaluated: int, begun: Sequence[int] | None = None) -> int:
        return index // self._size * self._size

    def ready(self, index: int, settled: Sequence[int], begun: Sequence[int] | None = None) -> bool:
        return min(settled) >= self.horizon(index, 0, 0)

    def sequence(self, start: int, stop: int, order: Sequence[int]) -> Sequence[int]:
        return range(start, stop)

    def extend(self, order: list[int], arrived: set[int]) -> None:
        _extend_by_index(order, arrived)


class Arrival:
    """Candidate j sees whatever has been evaluated when it is bred, in the order of arrival."""

    def __init__(self, config: Config) -> None:
        pass

    def horizon(self, index: int, rung: int, evaluated: int, begun: Sequence[int] | None = None) -> int:
        return evaluated

    def ready(self, index: int, settled: Sequence[int], begun: Sequence[int] | None = None) -> bool:
        return True

    def sequence(self, start: int, stop: int, order: Sequence[int]) -> Sequence[int]:
        return order[start:stop]

    def extend(self, order: list[int], arrived: set[int]) -> None:
        order.extend(arrived)  # one at a time: each is moved when it comes
        arrived.clear()


ORDERS: dict[str, Callable[[Config], Order]] = {"window": Window, "generation": Generations, "async": Arrival}
"""By `schedule.mode`."""


def lookaheads(config: Config) -> tuple[int, ...]:
    """The window of each rung, from the config alone.

    A rung at epoch e gets lookahead x (1 + 0.75 e / m), where m is the mean number of epochs that a candidate trains.

    Where training is paused at rungs, a candidate or its promotion trains from one rung to the next: e is the length of
    that, and m the mean of those lengths, of those that are trained.

    Returns:
        Candidates by rung, shape (rungs,); the last is full training.
    """
    training = config.training
    if training.stopping == "pause":
        spans = [span for span in training.spans if span]
        shares = [training.promote**rung for rung in range(len(spans))]
        mean = sum(share * span for share, span in zip(shares, spans, strict=True)) / sum(shares)
        return tuple(int(config.lookahead * (1 + 0.75 * span / mean)) for span in training.spans)
    return tuple(int(config.lookahead * (1 + 0.75 * end / training.mean_epochs)) for end in training.milestones)


def _extend_by_index(order: list[int], arrived: set[int]) -> None:
    while len(order) in arrived:
        arrived.remove(len(order))
        order.append(len(order))
