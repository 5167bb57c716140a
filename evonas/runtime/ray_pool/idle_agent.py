"""Stands in for an agent of Ray's next to a raylet: it sleeps until the raylet ends.

A raylet ends when one of its agents does. It is run as a file, without a site and without Ray, whose agents take a
second of a processor each to start.
"""

import os
import signal
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[3]))
    from evonas.ipc.lifetime import die_with_parent

    die_with_parent(os.getppid())
    signal.pause()
