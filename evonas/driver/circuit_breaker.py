"""When a search stops by itself because its candidates fail for one and the same reason."""

import re
from collections import Counter, deque

from evonas.config import Config
from evonas.errors import Halted
from evonas.records import Evaluation

_NUMBER = re.compile(r"0x[0-9a-f]+|\d[\d.,]*", re.IGNORECASE)
LEAST = 10
"""Fewer candidates than this prove nothing."""


def alike(evaluation: Evaluation) -> str:
    """How a candidate failed, the same text for failures that differ in numbers alone; empty where it did not."""
    return without_numbers(_failure(evaluation))


def without_numbers(message: str) -> str:
    """The same text for messages that differ in numbers alone."""
    return _NUMBER.sub("#", message)


def _failure(evaluation: Evaluation) -> str:
    return f"{evaluation.status}: {evaluation.message}" if evaluation.status.failed else ""


class CircuitBreaker:
    """Remembers the failures among the last candidates of this start; those before it may be mended by now.

    Args:
        config: says which share may fail alike, of as many candidates as a generation has.
    """

    def __init__(self, config: Config) -> None:
        self._share = config.budget.same_failure
        self._last: deque[str] = deque(maxlen=max(LEAST, config.generation))
        self._examples: dict[str, str] = {}

    def record(self, evaluation: Evaluation) -> None:
        """Note how the next candidate of this start ended."""
        message = alike(evaluation)
        self._examples[message] = _failure(evaluation)
        self._last.append(message)

    def check(self) -> None:
        """Stop a search that cannot get better.

        Raises:
            Halted: more than the share allowed failed with one message, numbers in it aside.
        """
        if len(self._last) < LEAST or self._share == 1:
            return
        message, count = Counter(self._last).most_common(1)[0]
        if message and count > self._share * len(self._last):
            among = f"{count} of the last {len(self._last)} candidates"
            raise Halted(f"{among} failed in the same way, the last with {self._examples[message]}")
