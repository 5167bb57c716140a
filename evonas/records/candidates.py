"""A genome that was bred, and how it is compared with others."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from evonas.records.pickling import pickled_as_a_call

Genome = tuple[int, ...]
"""One small int a gene, in the order of the space's genes: the index of the chosen value."""


@pickled_as_a_call
@dataclass(frozen=True, slots=True)
class Candidate:
    """A genome that was bred.

    visible: how many candidates it could see when it was bred. predicted: what its strategy expected, by objective
        column; informational, recorded and never compared.
    """

    index: int
    genome: Genome
    parents: tuple[int, ...]
    operator: str
    visible: int
    seed: int
    predicted: Mapping[str, float] = field(default_factory=dict, compare=False)


@pickled_as_a_call
@dataclass(frozen=True, slots=True)
class Fitness:
    """A candidate as selection and early stopping compare it, at one rung.

    Args:
        values: one number an objective, all minimised and finite; empty where the candidate was decided by its
            costs alone (then `violation` > 0).
        violation: summed relative excess over the limits; 0 is feasible (constrained domination, Deb 2002).
        intervals: of each objective the interval that its value is known within, where some of them are measured.
            Nothing is compared by it; it says what should be measured again.
    """

    index: int
    rung: int
    values: tuple[float, ...]
    violation: float = 0.0
    intervals: tuple[tuple[float, float], ...] = ()
