"""A driver that is killed, or interrupted, at each change of the file system that it makes before its first candidate
is evaluated: python -m tests.killing_starts FOLDER.

Every start is a fork of this process, which has everything imported. After each, every command must understand
what is there, and the search must be the same in the end.
"""

import contextlib
import io
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import evonas
from evonas.cli import main
from evonas.driver.loop import Search
from evonas.records import Evaluation
from evonas.spaces import SPACES
from evonas.start import PreparedSearch, execute, preparing
from evonas.store import is_new, open_folder
from evonas.tasks import TASKS
from tests.synthetic import SPEC, Toy, Work, config, prepared
from tests.test_loop import content, quiet

CHANGES = {"os.mkdir", "os.link", "os.remove", "os.rename", "os.rmdir", "open"}
"""What Python tells an audit hook of, before it does it."""
KILLED = 9
PARTS: dict[str, Any] = {"space": Toy(), "task": SPEC, "evaluator": Work}
SETTINGS = config(budget={"evaluations": 4}, schedule={"generation": 2})


def search(folder: Path) -> PreparedSearch:
    return prepared(folder, SETTINGS)


def die() -> NoReturn:
    os._exit(KILLED)


def interrupt() -> NoReturn:
    raise KeyboardInterrupt


def ended_at(change: int, folder: Path, end: Callable[[], NoReturn]) -> bool:
    """Whether the driver was ended before this change; else it came to its first candidate."""
    child = os.fork()
    if not child:
        left = change

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal left
            if event in CHANGES and str(folder) in str(arguments[0]):
                reads = event == "open" and not arguments[2] & (os.O_CREAT | os.O_APPEND)
                left -= not reads
                if left == 0 and not reads:
                    end()

        def watch(loop: Search, evaluation: Evaluation | None) -> None:
            os._exit(0)

        try:
            found = search(folder)
            sys.addaudithook(hook)
            execute(found, watch=watch)
        except KeyboardInterrupt:
            os._exit(KILLED)
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, KILLED), f"a driver ended with status {status}"
    return status == KILLED


def check(folder: Path, whole: str) -> bool:
    """Whether there is a run, which then goes on to the same end; else there is nothing."""
    there = (folder / "run.json").exists()
    assert there or is_new(open_folder(folder)), sorted(map(str, folder.rglob("*")))
    execute(search(folder), watch=quiet)
    assert content(evonas.load(folder, Toy())) == whole
    assert not list(folder.rglob("*.tmp")), "what an end left half done goes with the next start"
    return there


def check_commands(folder: Path, whole: str) -> None:
    """Raises an error where a command does not understand what is there."""
    if not (folder / "run.json").exists():
        status, _, err = said("status", str(folder))
        assert (status, err.count("\n")) == (2, 1), err
        return
    for words in (["status"], ["front"], ["verify"], ["log"]):
        status, out, err = said(*words, str(folder))
        assert (status, err) == (0, ""), (words, status, out, err)
    copy = Path(shutil.copytree(folder, folder.with_name(f"{folder.name}-resumed")))
    status, out, err = said("resume", str(copy))
    assert (status, err) == (0, ""), (status, out, err)
    assert content(evonas.load(copy, Toy())) == whole


def said(*words: str) -> tuple[int, str, str]:
    """Of a command in this process: exit status, output, errors."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([*words])
    return status, out.getvalue(), err.getvalue()


def resumable() -> None:
    """Lets `evonas resume` find what this search is made of."""
    prepare = preparing.prepare
    preparing.prepare = lambda *given, **named: prepare(*given, **{**named, **PARTS})
    SPACES.setdefault("Toy", Toy)
    TASKS.setdefault("synthetic", lambda: SPEC)  # type: ignore[arg-type,return-value]


def end_at_each_change(home: Path) -> None:
    execute(search(home / "whole"), watch=quiet)
    whole = content(evonas.load(home / "whole", Toy()))
    resumable()
    for end, step in ((die, 1), (interrupt, 4)):
        found: list[bool] = []
        while ended_at(1 + step * len(found), folder := home / f"{end.__name__}-{len(found)}", end):
            if end is die:
                check_commands(folder, whole)
            found.append(check(folder, whole))
        print(f"{end.__name__}: {found.count(False)} left nothing, {found.count(True)} a run")


if __name__ == "__main__":
    end_at_each_change(Path(sys.argv[1]))
