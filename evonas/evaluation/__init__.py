"""What one candidate costs and how well it learns: measure first, then train with early stopping.

Knows nothing of populations, files and Ray. A worker makes one `Evaluator` for a whole run and calls it with one
`Job` after another.
"""

from evonas.evaluation.agreement import agreement
from evonas.evaluation.data import Split, Splits, Task, classification, divided, regression
from evonas.evaluation.evaluate import Evaluator
from evonas.evaluation.tasks import TASKS

__all__ = [
    "TASKS",
    "Evaluator",
    "Split",
    "Splits",
    "Task",
    "agreement",
    "classification",
    "divided",
    "regression",
]
