"""From a config to a search that runs.

searching.py    both, as one call
preparing.py    everything is checked, and nothing is written
prepared.py     a search that can start
own_modules.py  the user's own modules, for workers that cannot import them
executing.py    it goes on from what its folder proves, until it ends
"""

from evonas.start.executing import ended_before, execute, note_moved_data
from evonas.start.prepared import PreparedSearch
from evonas.start.preparing import prepare, prepare_again
from evonas.start.searching import search

__all__ = ["PreparedSearch", "ended_before", "execute", "note_moved_data", "prepare", "prepare_again", "search"]
