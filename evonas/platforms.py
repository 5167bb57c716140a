"""The systems that evonas cannot run on."""

import sys

from evonas.errors import UserError

WITHOUT_FORKS = ("win32", "emscripten", "wasi")
"""Values of `sys.platform`: nothing there forks a process or locks a file with `flock`."""


def check_platform() -> None:
    """Says what this system lacks, before an import fails for it.

    Raises:
        UserError: evonas cannot run here.
    """
    if sys.platform in WITHOUT_FORKS:
        raise UserError(
            f"evonas cannot run on {sys.platform}: it needs Linux, as a machine, a container, or WSL 2 on Windows"
        )
