"""What an evaluator says of a candidate, before it is recorded and compared: whoever evaluates, no number is NaN, and
there is none that the run has no column for."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from numbers import Real

from evonas.objectives.metrics import AGGREGATED
from evonas.objectives.objectives import INHERITED, Objectives
from evonas.records import Evaluation, RungReport, Status
from evonas.runtime import Message
from evonas.scores import decoded


def accepted(message: Message, objectives: Objectives) -> Message | None:
    """A message as it may be recorded. What is no column, or what nothing names and is not finite, is left out.

    Args:
        message: of a runtime.
        objectives: of the search.

    Returns:
        The message; or a failure, where a metric that is named is not finite, or one to compare by is missing; None in
        the place of a report of a rung with such metrics: the evaluation that follows is a failure.
    """
    if isinstance(message, RungReport):
        return (
            None
            if _fault(message.metrics, _named(message.rung, objectives), objectives)
            else replace(message, metrics=_kept(message.metrics, objectives))
        )
    evaluated = message.status in (Status.OK, Status.STOPPED)
    last = message.rungs[-1].rung if message.rungs else -1
    rungs = [*(report.rung for report in message.rungs), last]
    for place, metrics in enumerate([*(report.metrics for report in message.rungs), message.metrics]):
        named = _named(rungs[place], objectives)
        if (evaluated or metrics is not message.metrics) and (fault := _fault(metrics, named, objectives)):
            status, text = fault
            curve = [point for point in message.curve if _is_finite(point.valid_metric)]
            message = replace(
                message, status=status, message=text, curve=curve, rungs=message.rungs[:place], weights=None
            )
            break
    if message.status is Status.OK and (text := _fault_of_scores(message)):
        message = replace(message, status=Status.FAILED_ERROR, message=text, rungs=message.rungs[:-1], weights=None)
    if message.status is not Status.OK and message.scores:
        message = replace(message, scores={})
    return _with_kept(message, objectives)


def _with_kept(evaluation: Evaluation, objectives: Objectives) -> Evaluation:
    """Without what is not recorded: most often the same, for to make another costs."""
    everything = (evaluation.metrics, *(rung.metrics for rung in evaluation.rungs))
    if all(len(_kept(metrics, objectives)) == len(metrics) for metrics in everything):
        return evaluation
    rungs = tuple(replace(report, metrics=_kept(report.metrics, objectives)) for report in evaluation.rungs)
    return replace(evaluation, metrics=_kept(evaluation.metrics, objectives), rungs=rungs)


def _named(rung: int, objectives: Objectives) -> list[str]:
    """What is compared at a rung; before training, what is known then."""
    every = [*objectives.names, *(limit.key for limit in objectives.limits)]
    if not objectives.before or rung:
        return every
    known = [key for key in every if key not in objectives.expected]
    return [*known, *(AGGREGATED if objectives.by_scores else ()), *(INHERITED + name for name in objectives.inherited)]


def _fault(metrics: Mapping[str, float], named: Iterable[str], objectives: Objectives) -> tuple[Status, str] | None:
    """What is wrong with the metrics of a rung."""
    for name, value in metrics.items():
        if name in objectives.named and not _is_finite(value):
            status = Status.FAILED_DIVERGED if isinstance(value, Real) else Status.FAILED_ERROR
            return status, f"metric {name}: it is {value!r}, and must be a finite number"
    for name in named:
        if name not in metrics:
            return Status.FAILED_ERROR, f"metric {name}: the evaluator did not give it, and the search compares by it"
    return None


def _fault_of_scores(evaluation: Evaluation) -> str:
    for name, data in evaluation.scores.items():
        if name not in evaluation.metrics:
            return f"scores of {name}: the evaluator did not give the metric that they are of"
        try:
            decoded(data)
        except ValueError as error:
            return f"scores of {name}: {error}; give evonas.scores.encoded(NUMBERS)"
    return ""


def _kept(metrics: Mapping[str, float], objectives: Objectives) -> Mapping[str, float]:
    """What is recorded of metrics: finite values of columns."""
    return {name: value for name, value in metrics.items() if name in objectives.metrics and _is_finite(value)}


def _is_finite(value: object) -> bool:
    return isinstance(value, Real) and math.isfinite(value)
