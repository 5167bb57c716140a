"""NVIDIA's Multi-Process Service (MPS): through it, the processes that share a GPU run side by side and not in turns.

It is a daemon that whoever runs the machine starts (`nvidia-cuda-mps-control -d`), and never evonas: a fault of one of
its clients ends all of them.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path

PIPES = "/tmp/nvidia-mps"
"""Where the daemon has its pipes if nobody says otherwise (CUDA_MPS_PIPE_DIRECTORY)."""


def is_running() -> bool:
    """Whether a daemon's control pipe is where CUDA of this process looks for it, so that it goes through MPS."""
    control = Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY") or PIPES) / "control"
    with suppress(OSError):
        mode = control.stat().st_mode
        return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
    return False
