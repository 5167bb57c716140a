"""What the benchmarks share: the option --smoke, and how much memory a process has."""

import argparse
import os
from pathlib import Path
from typing import Any


def parse(parser: argparse.ArgumentParser, **smoke: Any) -> argparse.Namespace:
    """The options of the command line, with --smoke besides those of the parser.

    Args:
        parser: of the benchmark's own options.
        smoke: what the options are with --smoke where the command line does not say otherwise.
    """
    parser.add_argument("--smoke", action="store_true", help="a few candidates, to see that it runs, without a meaning")
    options = parser.parse_args()
    if options.smoke:
        print("smoke: with so few candidates the figures mean nothing", flush=True)
        parser.set_defaults(**smoke)
        options = parser.parse_args()
    return options


def resident_mb() -> float:
    """Memory that this process has now, in MB of 10^6 bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
