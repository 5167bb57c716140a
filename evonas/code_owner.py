"""Whose code a module or a file is: evonas's own, an installed library's, or the user's. Needs no torch."""

import os
import re
import sysconfig
import traceback
from pathlib import Path
from types import ModuleType

OURS = f"{Path(__file__).parent}{os.sep}"
SITE = tuple(f"{sysconfig.get_path(name)}{os.sep}" for name in ("purelib", "platlib"))
INSTALLED = re.compile(r"[\\/](site|dist)-packages[\\/]")
"""In the path of what is installed, whichever environment has it: one may build on another, or on the user's own."""
TORCH = re.compile(rf"{INSTALLED.pattern}torch[\\/]")
STANDARD = f"{sysconfig.get_path('stdlib')}{os.sep}"


def paths_of(module: ModuleType) -> list[Path]:
    """The folders of a package, or the file of a module; none of a built-in one."""
    folders = list(getattr(module, "__path__", ()))
    file = getattr(module, "__file__", None)
    return [Path(path).absolute() for path in folders or ([file] if file else [])]


def is_installed(module: ModuleType) -> bool:
    """Whether the module is part of an environment, which another machine has or has not: it is not sent."""
    paths = paths_of(module)
    return not paths or any(_in_site(str(path)) or str(path).startswith(STANDARD) for path in paths)


def is_user_module(module: ModuleType) -> bool:
    """Whether the module is neither installed nor evonas's own, so that a worker may not have it."""
    return module.__name__.split(".")[0] not in {"__main__", "evonas"} and not is_installed(module)


def distance(file: str) -> int:
    """Of the file of a stack's frame from what the user wrote: 0 own code, 1 libraries they use, 2 evonas, 3 torch and
    the standard library."""
    if file.startswith(OURS):
        return 2
    installed = _in_site(file)
    if TORCH.search(file) or (file.startswith(STANDARD) and not installed):
        return 3
    return int(installed)


def _in_site(path: str) -> bool:
    """Of a file or a folder, such as that of a package; the folders themselves may have any name in an environment."""
    return bool(INSTALLED.search(path)) or path.startswith(SITE)


def place_of(error: BaseException) -> str:
    """The innermost line of the user's own that an error came through, as ` (file.py:3)`; empty where there is none, or
    where the error's text names it."""
    line = "" if isinstance(error, SyntaxError) else line_of(error)
    return f" ({line})" if line else ""


def line_of(error: BaseException, libraries: bool = False) -> str:
    """file:line of the innermost frame of the user's own that an error came through; empty where there is none.

    Args:
        error: with its traceback.
        libraries: where there is none, the innermost frame of a library that they use.
    """
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")]
    for how_far in range(1 + libraries):
        if own := [frame for frame in frames if distance(frame.filename) == how_far]:
            return f"{Path(own[-1].filename).name}:{own[-1].lineno}"
    return ""
