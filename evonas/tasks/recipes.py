"""How networks are trained on a kind of data where a config does not say."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any, ParamSpec

from evonas.tasks.task import Task

ADAMW: Mapping[str, Any] = {"optimizer": "adamw", "learning_rate": 0.005, "weight_decay": 0.01, "schedule": "one_cycle"}
"""For what is no picture. Of 0.001 to 0.02, and of SGD at 0.02 and 0.1, this learning rate was the best or next to it
for small networks on three tables of 178 to 569 rows, 8 and 20 epochs; of diabetes at 20 epochs SGD was better."""

P = ParamSpec("P")


def trained_by(recipe: Mapping[str, Any], kind: Callable[P, Task]) -> Callable[P, Task]:
    """A kind of task whose tasks recommend a recipe, unless they bring another one."""

    @wraps(kind)
    def made(*given: P.args, **options: P.kwargs) -> Task:
        task = kind(*given, **options)
        return task if task.recipe else replace(task, recipe=recipe)

    return made
