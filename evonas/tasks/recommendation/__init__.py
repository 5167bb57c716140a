"""Task kind `recommendation`: which items a user takes next, learned from what users took before.

interactions.py  users and items of a table, and which of their pairs are held out
ranking.py       recall and NDCG over all items that a user has not had
losses.py        softmax over all or some items, and pairs of items
kind.py          the options, and a task of it all
"""

from evonas.tasks.recommendation.kind import recommendation

__all__ = ["recommendation"]
