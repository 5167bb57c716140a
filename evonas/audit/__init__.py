"""Was the search worth it? A run against what its networks are in the end, and against random search.

baseline.py   the random search beside a run: which it is, whether it fits, how it is begun
figures.py    the numbers, each with its place in the table
fronts.py     of both searches: fronts, effort, who reached how much with what
finished.py   of networks that were trained to the end: their order, early stopping, the winner's curse, hours
audit.py      all of them, and what is missing with the command by which one gets it
verdict.py    what they say of a search against random search; words.py: what they say of the rest
page.py       the same as HTML or Markdown
"""

from evonas.audit.audit import Audit, audited
from evonas.audit.page import write

__all__ = ["Audit", "audited", "write"]
