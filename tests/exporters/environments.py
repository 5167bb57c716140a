"""Environments that have a runtime and what it needs, and nothing else: not evonas, no network."""

import re
import subprocess
import sys
import venv
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

EXTRA = re.compile(r"extra\s*==")


def environment(folder: Path, *names: str) -> Path:
    """Make an environment of some of the packages that are installed here.

    Args:
        folder: of the environment.
        names: of distributions, whose requirements come along.

    Returns:
        Its Python.
    """
    venv.create(folder, symlinks=True)
    [packages] = folder.glob("lib/python*/site-packages")
    for name in _needed(names):
        for part in {file.parts[0] for file in distribution(name).files or () if file.parts[0] != ".."}:
            if not (packages / part).exists():
                (packages / part).symlink_to(Path(str(distribution(name).locate_file(part))))
    return folder / "bin" / "python"


def run(python: Path, script: str, *arguments: str) -> str:
    """What a script prints there, in isolated mode."""
    done = subprocess.run([str(python), "-I", "-c", script, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _needed(names: tuple[str, ...]) -> Iterator[str]:
    """Each distribution once, with what it needs whatever extras are asked for."""
    waiting, seen = list(names), set[str]()
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError:  # for another platform
            continue
        if name not in seen:
            seen.add(name)
            yield name
            waiting += [re.split(r"[^\w.-]", need, maxsplit=1)[0] for need in needs if not EXTRA.search(need)]


if __name__ == "__main__":
    print(environment(Path(sys.argv[1]), *sys.argv[2:]))
