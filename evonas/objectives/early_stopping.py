"""When a candidate stops before its full training."""

from collections.abc import Sequence

from evonas.objectives.objectives import dominates
from evonas.records import Fitness


def is_stopped(fitness: Fitness, cutoff: Sequence[Fitness]) -> bool:
    """Whether some member of a rung's cutoff is better in the sense of constrained domination (Deb et al. 2002).

    A small, fast network is not stopped for being less accurate than a big, slow one. Nobody is outside an empty
    cutoff.
    """
    return any(dominates(member, fitness) for member in cutoff)
