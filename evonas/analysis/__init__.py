"""Frames of a run -> frames. Pure functions; neither torch nor Ray nor pymoo is needed.

frames.py    a run folder as frames; conditions on columns; several runs as one frame
fronts.py    front, dominated counts, hypervolume and its reference point, picks, other limits
genes.py     named genes, their importance, the choices that a front shares
history.py   lineage, survival, diversity, hypervolume over candidates and hours, bands over seeds
costs.py     what each generation cost in money
effort.py    outcomes, timeline, utilisation, the early-stopping audit
audit.py     what a search said of networks against what they are in the end: order, winner's curse
baseline.py  a search against random search; hours of each stage
intervals.py how far a row's numbers are to be believed
trained_metrics.py metrics with the scores that they are made of
contenders.py who comes so near to the front that chance may put them on it
resampling.py objectives had chance gone otherwise: other examples, other latencies
certainty.py how sure a front is: who is on it by more than chance, who cannot be told from whom
recommended.py the networks that one would take, with that in mind
tables.py    a latency table against the device

columns, signs: the objectives, and -1 for each that is maximised: `run.objectives`, `run.signs`.
"""

from evonas.analysis.audit import as_finished, best_by_search, rank_agreement, search_and_test, winners_curse
from evonas.analysis.baseline import (
    Spent,
    hypervolume_luck,
    shared_networks,
    spent,
    spent_until,
    stage_hours,
    within_epochs,
)
from evonas.analysis.certainty import certainty, p_front
from evonas.analysis.costs import costs
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
    trainings,
    unfinished,
    where,
)
from evonas.analysis.fronts import Reference, WhatIf, dominated, front, hypervolume, picks, reference, scaled, what_if
from evonas.analysis.genes import genes, importance, leaves, shared
from evonas.analysis.history import bands, diversity, in_order, lifespans, lineage, not_evaluated, progress, survival
from evonas.analysis.intervals import block, ends, screened, shares, unsettled, wilson, with_intervals
from evonas.analysis.recommended import main_metric, recommended
from evonas.analysis.resampling import Drawn, drawn
from evonas.analysis.tables import mismatch

__all__ = [
    "Drawn",
    "Reference",
    "Spent",
    "WhatIf",
    "able",
    "as_finished",
    "bands",
    "best_by_search",
    "block",
    "by_run",
    "certainty",
    "costs",
    "diversity",
    "dominated",
    "drawn",
    "ends",
    "evaluations",
    "final",
    "front",
    "genes",
    "hypervolume",
    "hypervolume_luck",
    "importance",
    "in_order",
    "leaves",
    "lifespans",
    "lineage",
    "main_metric",
    "measured",
    "mismatch",
    "not_evaluated",
    "outcome",
    "outcomes",
    "p_front",
    "picks",
    "populations",
    "progress",
    "rank_agreement",
    "recommended",
    "recorded",
    "reference",
    "scaled",
    "screened",
    "search_and_test",
    "shared",
    "shared_networks",
    "shares",
    "spent",
    "spent_until",
    "stage_hours",
    "stopping_audit",
    "survival",
    "tests",
    "timeline",
    "together",
    "trainings",
    "unfinished",
    "unsettled",
    "utilisation",
    "what_if",
    "where",
    "wilson",
    "winners_curse",
    "with_intervals",
    "within_epochs",
]
