"""A driver that is killed again and again: python -m tests.killing FOLDER MODE KILLS SEED.

Every start is a fork of this process, which has everything imported, so that a hundred kills take seconds. After each
it checks that what was evaluated still is, as it was, and that no job ran again but the one in work.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

from evonas.records import Evaluation
from evonas.start import execute
from evonas.store import open_folder, recover
from tests.synthetic import config, prepared

LONGEST_S = 0.45


def kill_again_and_again(home: Path, mode: str, kills: int, seed: int) -> None:
    rng = random.Random(seed)
    done = runs = 0
    while done < kills:
        runs += 1
        folder = home / f"{mode}-{runs}"
        done += _one_run(folder, mode, kills - done, rng)
    print(f"{done} kills in {runs} runs")


def _one_run(folder: Path, mode: str, most: int, rng: random.Random) -> int:
    """Until the search has ended; how often it was killed."""
    known: dict[int, Evaluation] = {}
    log = folder.with_suffix(".log")
    for killed in range(most + 1):
        last = killed == most
        status = _start_and_kill(folder, mode, str(log), None if last else rng.uniform(0.0, LONGEST_S))
        assert status in (0, signal.SIGKILL), f"a driver ended with wait status {status}"
        begun = len(log.read_text().split()) if log.exists() else 0
        known = _check(folder, known, begun - killed)
        if status == 0:
            return killed
    raise AssertionError("the last driver was not to be killed")


def _start_and_kill(folder: Path, mode: str, log: str, seconds: float | None) -> int:
    child = os.fork()
    if not child:
        try:
            settings = config(schedule={"mode": mode})
            execute(prepared(folder, settings, delay=0.002, log=log, weights_kb=0.1, failing=(5, 11)), watch=_quiet)
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(1)
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def _check(folder: Path, known: dict[int, Evaluation], unrepeated: int) -> dict[int, Evaluation]:
    if not (folder / "run.json").exists():
        return known
    record = recover(open_folder(folder), ("error", "params", "macs", "train_memory_mb"), ())
    evaluated = {evaluation.candidate.index: evaluation for evaluation in record.evaluated}
    assert len(evaluated) == len(record.evaluated), "a candidate is recorded twice"
    for index, evaluation in known.items():
        assert evaluated[index] == evaluation, f"candidate {index} was evaluated and is not as it was"
    births = len(evaluated) + len(record.pending)
    assert unrepeated <= births, f"{unrepeated} jobs ran, those in work at a kill aside, for {births} candidates"
    return evaluated


def _quiet(*_: Any) -> None: ...


if __name__ == "__main__":
    home, mode, kills, seed = sys.argv[1:]
    kill_again_and_again(Path(home), mode, int(kills), int(seed))
