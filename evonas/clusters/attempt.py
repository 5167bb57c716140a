"""One of several tries of a command that something else repeats: `python -m evonas.clusters.attempt search CONFIG ...`.

KubeRay tries a job again whatever it ended with, with a new cluster each time. What only the user can mend, as a config
with a mistake, ends here as if it had succeeded, so that no further cluster is paid for.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence

USER_ERROR = 2
WAIT_S = 60.0
"""Before the one more try that a mistake gets: where another driver still holds the run folder, that looks the same."""


def attempt(line: Sequence[str], wait_s: float = WAIT_S) -> int:
    """Runs a command; signals that ask it to stop are handed on.

    Args:
        line: The command.
        wait_s: Seconds until it is run once more after a mistake.

    Returns:
        Its exit status, but 0 where it said twice that its user has to mend something.
    """
    status = _run(line)
    if status == USER_ERROR:
        time.sleep(wait_s)
        status = _run(line)
    if status != USER_ERROR:
        return status if status >= 0 else 128 - status
    print("not tried again: what is said above has to be mended first; it is no success", file=sys.stderr, flush=True)
    return 0


def _run(line: Sequence[str]) -> int:
    running: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def hand_on(number: int, frame: object) -> None:
        if running:
            running[0].send_signal(number)
        else:
            early.append(number)

    before = {number: signal.signal(number, hand_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with subprocess.Popen(line) as process:
            running.append(process)
            for number in early:
                process.send_signal(number)
            return process.wait()
    finally:  # between two tries they end this process
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(attempt([sys.executable, "-m", "evonas", *sys.argv[1:]]))
