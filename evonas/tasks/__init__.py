"""Tasks: examples in three splits, and what it means to be good at them.

To add one: a function that returns a `Task`, and a line in `TASKS`.
"""

from evonas.tasks.metrics import TaskMetric
from evonas.tasks.registry import TASKS
from evonas.tasks.task import Split, Splits, Task, classification, divided, regression

__all__ = ["TASKS", "Split", "Splits", "Task", "TaskMetric", "classification", "divided", "regression"]
