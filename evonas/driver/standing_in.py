"""A stand-in for training as the driver asks it. It may be the user's own, so what it says is looked at each time, and
once on made-up rows before anything is trained.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evonas.driver.own_parts import calling
from evonas.errors import UserError
from evonas.records import Genome
from evonas.seeding import stream
from evonas.spaces.space import Space
from evonas.surrogate import FEWEST
from evonas.surrogate.stand_ins import STAND_INS, Process, StandIn
from evonas.text import counted, describe_error, one_line

Vector = NDArray[np.float64]
MADE_UP = 3
"""Genomes that are asked about on made-up rows: with one alone, wrong shapes look right."""


class StandingIn:
    """A stand-in for one column.

    Args:
        kind: of `STAND_INS`.
        space: of the genomes.
        key: the column.
        sign: 1 where less of it is better, else -1.

    Raises:
        UserError: what is registered makes no stand-in.
        Halted: it raises.
    """

    def __init__(self, kind: str, space: Space, key: str, sign: int) -> None:
        self._part, self._key, self._sign = f"stand-in {kind}", key, sign
        self._function = self._made(kind, space)

    def try_out(self, space: Space) -> None:
        """Ask it on made-up rows, for people's own. What it may learn of them is to be thrown away with it.

        Args:
            space: from which genomes are drawn.

        Raises:
            UserError, Halted: as of a call.
        """
        if isinstance(self._function, Process):
            return
        rng = stream(0, "made up")
        genomes = [space.sample(rng) for _ in range(FEWEST + MADE_UP)]
        self(genomes[:FEWEST], self._sign * np.linspace(0.1, 0.9, FEWEST), genomes[FEWEST:])

    def __call__(self, known: Sequence[Genome], values: Vector, asked: Sequence[Genome]) -> tuple[Vector, Vector]:
        """What it says, as `StandIn` has it.

        Raises:
            UserError: that is not two finite numbers a genome.
            Halted: it raises.
        """
        said = self._called(self._function, f"a prediction of {self._key}", known, values, asked)
        if fault := _fault(said, len(asked)):
            raise UserError(
                f"{self._part}: a prediction of {self._key} for {counted(len(asked), 'genome')} is {fault}; it must be "
                f"two arrays of {counted(len(asked), 'finite number')}: what is expected, and at best"
            )
        mean, low = (np.asarray(one, dtype=float) for one in said)
        return mean, low

    def _made(self, kind: str, space: Space) -> StandIn:
        function = self._called(STAND_INS[kind], "the function that makes it for a space", space)
        if not callable(function):
            raise UserError(f"{self._part}: what STAND_INS has gives {_text(function)} for a space, not a function")
        made: StandIn = function
        return made

    def _called(self, function: Callable[..., Any], what: str, *arguments: object) -> Any:
        try:
            with calling(self._part, what):
                return function(*arguments)
        except TypeError as error:  # in no line of the user's: it does not take these arguments
            wanted = 'STAND_INS["mine"] = lambda space: mine, and mine(known, values, asked)'
            raise UserError(f"{self._part}: {what}: {describe_error(error)}; right is {wanted}") from error


def _fault(said: object, count: int) -> str:
    """What an answer is that is not two finite numbers a genome; else empty."""
    try:
        mean, low = (np.asarray(one, dtype=float) for one in said)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        return f"an array of shape {said.shape}" if isinstance(said, np.ndarray) else _text(said)
    if mean.shape != (count,) or low.shape != (count,):
        return f"of shapes {mean.shape} and {low.shape}"
    if not (np.isfinite(mean).all() and np.isfinite(low).all()):
        return f"{_text(mean.tolist())} and {_text(low.tolist())}"
    return ""


def _text(value: object) -> str:
    return one_line(repr(value))
