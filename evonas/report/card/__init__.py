"""A model card in Markdown: what there is to know of one network that leaves its run.

exported.py   the file that the card is of
drawing.py    a network as lines of text
quality.py    how good it is, with intervals
costs.py      what it costs, with intervals and conditions
words.py      data, limits of use, how it came about
tables.py     tables in Markdown
card.py       all of it in order
"""

from evonas.report.card.card import card
from evonas.report.card.exported import Exported

__all__ = ["Exported", "card"]
