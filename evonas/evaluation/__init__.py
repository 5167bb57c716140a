"""What one candidate costs and how well it learns: measure first, then train with early stopping.

Knows nothing of populations, files and Ray. A worker makes one `Evaluator` for a whole run and calls it with one
`Job` after another.
"""

from evonas.evaluation.agreement import agreement
from evonas.evaluation.evaluate import Evaluator

__all__ = ["Evaluator", "agreement"]
