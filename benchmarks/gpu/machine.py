"""The machine: its driver, card and cores; and whether a fork can begin with CUDA, and at what price."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import torch

from evonas.measuring.backends import mps

from .session import Session

ASKED = (
    "name,driver_version,compute_mode,mig.mode.current,persistence_mode,clocks.sm,clocks.max.sm,power.limit,"
    "temperature.gpu,ecc.errors.uncorrected.volatile.total,memory.used,memory.total"
)


def env(session: Session) -> None:
    """What there is."""
    session.tell(
        "env",
        card="none: dry" if session.dry else smi(ASKED),
        python=platform.python_version(),
        torch=str(torch.__version__),
        cuda=str(torch.version.cuda),
        cudnn=torch.backends.cudnn.version(),
        cores=len(os.sched_getaffinity(0)),
        mps=mps.is_running(),
    )


def smi(asked: str) -> str:
    """What nvidia-smi says of the card, in its own units."""
    query = ["nvidia-smi", f"--query-gpu={asked}", "--format=csv,noheader,nounits"]
    return subprocess.run(query, capture_output=True, text=True, timeout=60, check=False).stdout.strip()


def fork(session: Session) -> None:
    """A fork server's preload, a fork, and the first CUDA call in it."""
    if session.dry:
        session.tell("fork", skipped="no GPU", asks="whether a fork can begin with CUDA, and its seconds and memory")
        return
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    script = Path(__file__).with_name("fork_probe.py")
    done = subprocess.run(
        [sys.executable, script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=session.wait_s(90),
        check=False,
    )
    lines = done.stdout.splitlines()
    session.tell("fork", **(json.loads(lines[-1]) if lines else {"error": done.stderr[-300:]}))
