"""Frames of a run -> frames. Pure functions; neither torch nor Ray nor pymoo is needed.

frames.py    a run folder as frames; conditions on columns; several runs as one frame
fronts.py    front, dominated counts, hypervolume and its reference point, picks, other limits
genes.py     named genes, their importance, the choices that a front shares
history.py   lineage, survival, diversity, hypervolume over candidates and hours, bands over seeds
effort.py    outcomes, timeline, utilisation, the early-stopping audit
intervals.py how far a row's numbers are to be believed
trained_metrics.py metrics with the scores that they are made of
contenders.py who comes so near to the front that chance may put them on it
resampling.py objectives had chance gone otherwise: other examples, other latencies
certainty.py how sure a front is: who is on it by more than chance, who cannot be told from whom
tables.py    a latency table against the device

columns, signs: the objectives, and -1 for each that is maximised: `run.objectives`, `run.signs`.
"""

from evonas.analysis.certainty import certainty, p_front
from evonas.analysis.effort import outcome, outcomes, stopping_audit, timeline, utilisation
from evonas.analysis.frames import (
    able,
    by_run,
    evaluations,
    final,
    measured,
    populations,
    recorded,
    tests,
    together,
    where,
)
from evonas.analysis.fronts import Reference, WhatIf, dominated, front, hypervolume, picks, reference, scaled, what_if
from evonas.analysis.genes import genes, importance, leaves, shared
from evonas.analysis.history import bands, diversity, lifespans, lineage, not_evaluated, progress, survival
from evonas.analysis.intervals import ends, shares, unsettled, wilson, with_intervals
from evonas.analysis.resampling import Drawn, drawn
from evonas.analysis.tables import mismatch

__all__ = [
    "Drawn",
    "Reference",
    "WhatIf",
    "able",
    "bands",
    "by_run",
    "certainty",
    "diversity",
    "dominated",
    "drawn",
    "ends",
    "evaluations",
    "final",
    "front",
    "genes",
    "hypervolume",
    "importance",
    "leaves",
    "lifespans",
    "lineage",
    "measured",
    "mismatch",
    "not_evaluated",
    "outcome",
    "outcomes",
    "p_front",
    "picks",
    "populations",
    "progress",
    "recorded",
    "reference",
    "scaled",
    "shared",
    "shares",
    "stopping_audit",
    "survival",
    "tests",
    "timeline",
    "together",
    "unsettled",
    "utilisation",
    "what_if",
    "where",
    "wilson",
    "with_intervals",
]
