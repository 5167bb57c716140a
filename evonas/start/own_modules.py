"""The modules of what a user gives to a search: a worker may not have them."""

import dataclasses
import inspect
from collections.abc import Iterator
from functools import partial
from types import ModuleType
from typing import Any

from evonas.code_owner import is_user_module
from evonas.components import Components
from evonas.evaluation.learners import LEARNERS
from evonas.objectives.metrics import METRICS
from evonas.tabular import EvaluatorFactory


def own_modules(components: Components, evaluator: EvaluatorFactory | None) -> list[ModuleType]:
    """Those of the parts that the user gave or added to a registry and a worker needs, by name."""
    parts = _own_parts(components, evaluator)
    modules = {module for part in parts if (module := inspect.getmodule(part)) and is_user_module(module)}
    return sorted(modules, key=lambda module: module.__name__)


def _own_parts(components: Components, evaluator: EvaluatorFactory | None) -> Iterator[object]:
    """What a user may have given or added to a registry and a worker needs: classes, functions, objects."""
    learner = LEARNERS.get(components.config.learner.kind)
    computed = [METRICS[name].compute for name in components.objectives.network_metrics if name in METRICS]
    parts: list[object] = [components.space, learner, evaluator, *computed]
    if task := components.task:
        parts += [task.prepare, task.loss, task.augment, *task.metrics.values()]
    for part in parts:
        yield from _made_of(part)


def _made_of(part: Any) -> Iterator[object]:
    """A part, its class, and what it was given: of a `partial` or a dataclass, such as `Tabular`."""
    yield from (part, type(part))
    if isinstance(part, partial):
        for given in (part.func, *part.args, *part.keywords.values()):
            yield from _made_of(given)
    elif dataclasses.is_dataclass(part) and not isinstance(part, type):
        for field in dataclasses.fields(part):
            yield from _made_of(getattr(part, field.name))
