"""Metrics that the kind of a task has, and that its config does not list: the message says where they belong."""

from evonas.config import Config
from evonas.errors import UserError
from evonas.tasks.task import Task


def check_listed(config: Config, task: Task) -> None:
    """
    Args:
        config: whose objectives, limits and `record` name metrics.
        task: with those that it computes, and those that it could.

    Raises:
        UserError: one that the task could compute is named, and not listed.
    """
    named = [(f"objectives.{i}.metric", each.metric) for i, each in enumerate(config.objectives)]
    named += [(f"limits.{i}.metric", each.metric) for i, each in enumerate(config.limits)]
    named += [(f"record.{i}", name.partition("[")[0]) for i, name in enumerate(config.record)]
    for where, name in named:
        if name in task.offered and name not in task.metrics:
            every = ", ".join([*task.metrics, name])
            raise UserError(f"{where}: {name} is not listed by the task; add it to task.metrics: [{every}]")
