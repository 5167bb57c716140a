"""The command line: `python -m evonas.clusters.notices {aws,google,now}`."""

import argparse
import math
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from evonas.clusters.notices.metadata import CLOUDS, Notice
from evonas.clusters.notices.raylets import Raylet, raylets
from evonas.clusters.notices.watching import obey, outlast, watch

EVERY_S = 5.0


def main(words: Sequence[str]) -> int:
    """Watches and drains, or drains now.

    Args:
        words: Of the command line, without the program's name.

    Returns:
        The exit status: 0, or 1 where a notice was in vain.
    """
    options = _parser().parse_args(words)

    def find() -> list[Raylet]:
        return raylets(options.raylet)

    if options.where == "now":
        return _now(options.seconds, find)
    cloud = CLOUDS[options.where](*([options.metadata] if options.metadata else []))
    return 0 if obey(watch(cloud, options.every, _say), find, _say) else 1


def _now(seconds: float, find: Callable[[], list[Raylet]]) -> int:
    end = time.monotonic() + seconds
    drained = obey(Notice("this pod or machine is being stopped", seconds), find, _say, may_come=False)
    outlast(drained, end)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m evonas.clusters.notices",
        description="Drains this machine's Ray node when the cloud announces that the machine will be taken away.",
    )
    parser.add_argument("where", choices=[*CLOUDS, "now"], help="whose metadata service to ask; now: drain at once")
    parser.add_argument("--every", type=_seconds, default=EVERY_S, help="seconds between two questions (default: 5)")
    parser.add_argument("--seconds", type=_seconds, default=10.0, help="of now: what is left (default: 10)")
    parser.add_argument("--metadata", metavar="URL", help="of the metadata service (default: the cloud's)")
    parser.add_argument(
        "--raylet", type=int, action="append", default=[], metavar="PID", help="drain this one (default: all here)"
    )
    return parser


def _seconds(text: str) -> float:
    with suppress(ValueError):
        if 0 < (seconds := float(text)) < math.inf:
            return seconds
    raise argparse.ArgumentTypeError(f"takes seconds above 0, not {text}")


def _say(line: str) -> None:
    print(time.strftime("%Y-%m-%d %H:%M:%S"), line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
