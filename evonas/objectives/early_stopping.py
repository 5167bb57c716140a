"""When a candidate stops before its full training."""

from collections.abc import Sequence

from evonas.objectives.objectives import dominates
from evonas.records import Standing


def outside(standing: Standing, bar: Sequence[Standing]) -> bool:
    """Whether some member of a rung's bar is better in the sense of constrained domination (Deb et al. 2002).

    A small, fast network is not stopped for being less accurate than a big, slow one. Nobody is outside an empty bar.
    """
    return any(dominates(member, standing) for member in bar)
