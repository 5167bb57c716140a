"""Tasks: examples in three splits, and what it means to be good at them.

To add one: a function that returns a `Task`, and a line in `TASKS`.
"""

from evonas.tasks.constructors import classification, regression
from evonas.tasks.metrics import TaskMetric
from evonas.tasks.registry import TASKS
from evonas.tasks.splitting import divided
from evonas.tasks.table import table_of
from evonas.tasks.task import Split, Splits, Task

__all__ = ["TASKS", "Split", "Splits", "Task", "TaskMetric", "classification", "divided", "regression", "table_of"]
