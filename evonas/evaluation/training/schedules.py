"""Schedules of the learning rate: share of its peak at `progress`, the share of full training that is done."""

import math
from collections.abc import Callable

WARM_UP = 0.3
"""Share of a one-cycle training in which the learning rate rises, where the config does not say."""


def one_cycle(progress: float, warm_up: float | None = None) -> float:
    """A linear rise from 1/25, then a half cosine to 0.

    Smith, "Super-convergence", 2018; momentum is held, where the paper lowers it at the peak.

    Args:
        progress: in [0, 1].
        warm_up: share of the training in which it rises; default: WARM_UP.
    """
    warm_up = WARM_UP if warm_up is None else warm_up
    if progress < warm_up:
        return 0.04 + 0.96 * progress / warm_up
    return _fall((progress - warm_up) / (1 - warm_up))


def cosine(progress: float, warm_up: float | None = None) -> float:
    """Half a cosine from 1 to 0 (Loshchilov & Hutter, "SGDR", 2017, without restarts), behind a linear rise where one
    is asked for.

    Args:
        progress: in [0, 1].
        warm_up: share of the training in which it rises; default: none.
    """
    return one_cycle(progress, warm_up) if warm_up else _fall(progress)


def _fall(progress: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * progress))


SCHEDULES: dict[str, Callable[[float, float | None], float]] = {"one_cycle": one_cycle, "cosine": cosine}
