"""Runs the blocks of a tutorial in their order, in the current folder: python tests/tutorial.py PAGE

A block with a title is a file, and is written. A python block runs in this process, all of a page in one namespace; a
sh block runs in bash, and what it exports is there for the next. Other blocks are shown to readers and not run.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
SHELL = "[ ! -f {state} ] || . {state}\n{code}\ndeclare -px > {state}\n"


class Block(NamedTuple):
    """A fenced block; file: the name in its title, else empty."""

    kind: str
    file: str
    code: str


def blocks(page: str) -> list[Block]:
    return [Block(*parts) for parts in FENCE.findall(page)]


def main(page: Path) -> None:
    sys.path.insert(0, "")
    state = page.with_suffix(".environment")
    names: dict[str, object] = {"__name__": "__main__"}
    for number, block in enumerate(blocks(page.read_text())):
        if block.file:
            Path(block.file).write_text(block.code)
        elif block.kind == "python":
            exec(compile(block.code, f"{page}:block {number}", "exec"), names)
        elif block.kind == "sh":
            print(f"$ {block.code}", flush=True)
            subprocess.run(["bash", "-euo", "pipefail", "-c", SHELL.format(state=state, code=block.code)], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
