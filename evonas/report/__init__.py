"""A run as one HTML page that needs nothing else: neither a network nor a server, unless it is to follow the search.

Knows nothing of how a search goes; reads what a `Run` gives.
"""

from evonas.report.page import write
from evonas.report.watch import serve

__all__ = ["serve", "write"]
