"""What a worker is asked to do for a candidate."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from evonas.records.candidates import Candidate, Fitness, Genome
from evonas.records.evaluations import RungReport
from evonas.records.measurements import Endpoint
from evonas.records.pickling import pickled_as_a_call


@pickled_as_a_call
@dataclass(frozen=True, slots=True)
class Before:
    """What a decision before training needs of what was known at a candidate's birth.

    Args:
        rule: "gain" or "cutoff".
        metric: of the untrained network, which stands in for what training would give; "" where values are predicted.
        expected: column -> what training is expected to give, in the column's unit; empty: too little is known.
        hopeful: the same, as good as it may well be; by it a gain is reckoned.
        chance: that the limits hold which are known only after training.
        scales: of each objective, offset and least value of the logarithm in which volume is reckoned; None: in the
            objective's own unit.
        front: values of those fully trained, and of those in training as they are expected, minimised.
        threshold: the worth that is needed.
        always: whether it is trained whatever is expected.
        scores: where ranks of several scores stand in: of each, the values of the networks that were visible at birth,
            ascending; else empty.
    """

    rule: str
    metric: str = ""
    expected: Mapping[str, float] = field(default_factory=dict)
    hopeful: Mapping[str, float] = field(default_factory=dict)
    chance: float = 1.0
    scales: tuple[tuple[float, float] | None, ...] = ()
    front: tuple[tuple[float, ...], ...] = ()
    threshold: float = -math.inf
    always: bool = False
    scores: tuple[tuple[float, ...], ...] = ()


@pickled_as_a_call
@dataclass(frozen=True, slots=True)
class Job:
    """All that a worker needs for one candidate besides what it holds for the whole run.

    Args:
        cutoffs: a rung before the last -> the fitnesses a candidate must not be dominated by to go on; empty: go
            on.
        front: the fully trained front that was visible at birth; a candidate it dominates returns no weights.
        reached: what an interrupted attempt had already reported; it is taken as measured, not measured again.
        endpoints: target -> where it is measured, of those that are not measured on the worker and can be reached
            now.
        genomes: those of the front, in its order, where something is measured that may have to be measured again
            beside them; else empty.
        until: when its training is to be stopped, in seconds since the epoch.
        kind: "evaluate", or "measure": only on every target, the latency of which may have come from a table;
            nothing is trained, no limit holds.
        clocked: whether some of its training is clocked with the device to itself, so that the rest of it tells how
            much others slow it down.
        precision: what `training.precision: auto` is in this run; "": what it is on the worker's device.
        before: what decides at rung 0, where there is one.
        pause: the rung at which training is paused: it ends there, with a checkpoint; None: it is not.
        start: the checkpoint from which training goes on; empty: from the first epoch.
    """

    candidate: Candidate
    cutoffs: tuple[tuple[Fitness, ...], ...] = ()
    front: tuple[Fitness, ...] = ()
    reached: tuple[RungReport, ...] = ()
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    genomes: tuple[Genome, ...] = ()
    kind: Literal["evaluate", "measure"] = "evaluate"
    until: float = math.inf
    clocked: bool = False
    precision: str = ""
    before: Before | None = None
    pause: int | None = None
    start: bytes = field(default=b"", repr=False)
