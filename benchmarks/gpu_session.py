"""Does all that evonas does on a GPU work there, and is it as fast as it should be? One command, at most nine minutes.

    PYTHONPATH=. python benchmarks/gpu_session.py [--seconds 510] [--rows gpu_rows.jsonl] [--mps] [SECTION ...]

Made for one H100 or H200 with 16 cores. It has not run on a GPU yet; `--dry` runs what a CPU can, small, in seconds.

| section | seconds | what |
|---|---|---|
| env | 5 | driver, compute mode, MIG, clocks, cores, MPS |
| fork | 20 | a fork server's preload, a fork, its first CUDA call: seconds, memory |
| failures | 70 | each kind of failure through a worker's processes, and the next candidate after it |
| memory | 20 | training memory three times, a validation pass, a fence that holds |
| energy | 30 | five measurements of two networks |
| step | 90 | eager, graph, float32, without augmentation or clipping, batch 64; a DataLoader loop of 12 workers |
| latency | 100 | idle, as a server, beside 4 trainers that pause and 4 that do not |
| pack | 170 | 1, 2, 4, 8, 14 processes on the card, all training from one word on |

Each row is printed and appended to the file of rows (JSON, one a line); at the end there is a table of the goals beside
what was found. A section that fails is a row; what no longer fits into the time is said. Sections can be named, for a
second look. No setting of the card is changed; `--mps` starts a daemon of this user and ends it.

Neither Ray nor an installation is needed: a checkout on PYTHONPATH and Python 3.11 or newer with torch (2.6 or newer),
numpy, cloudpickle, psutil, safetensors and yaml (PyYAML), and nvidia-ml-py for energy. What such an image often lacks
are pydantic, pydantic-core, annotated-types and typing-inspection. They come as wheels of the machine's Python:

    pip download --only-binary=:all: --python-version 3.12 --dest wheels 'pydantic>=2.9'
    pip install --no-index --no-deps --target site wheels/*.whl        # there, without a network
    PYTHONPATH=site:. python benchmarks/gpu_session.py
"""

import argparse
import os
import subprocess
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from _common import parse
from gpu.failures import failures
from gpu.goals import table
from gpu.latencies import latency
from gpu.machine import env, fork
from gpu.memory import energy, memory
from gpu.packing import pack
from gpu.session import Session
from gpu.steps import step

from evonas.measuring import benchmark

SECTIONS: dict[str, tuple[Callable[[Session], None], float]] = {
    "env": (env, 5),
    "fork": (fork, 20),
    "failures": (failures, 70),
    "memory": (memory, 20),
    "energy": (energy, 30),
    "step": (step, 90),
    "latency": (latency, 100),
    "pack": (pack, 170),
}
"""Name -> what runs it, and how many seconds it takes."""
MPS_FOLDERS = {"CUDA_MPS_PIPE_DIRECTORY": "pipes", "CUDA_MPS_LOG_DIRECTORY": "log"}


def run(session: Session, names: Sequence[str]) -> None:
    """Runs sections, one after the other; one that fails stops none of the others."""
    for name in names:
        section, seconds = SECTIONS[name]
        if session.left_s < min(seconds, 40):
            session.tell(name, skipped=f"{session.left_s:.0f} s left")
            continue
        begun = time.monotonic()
        try:
            section(session)
        except Exception as error:
            where = traceback.format_exc().strip().splitlines()[-3:]
            session.tell(name, error=f"{type(error).__name__}: {error}"[:300], at=where)
        session.tell(name, took_s=time.monotonic() - begun)


@contextmanager
def multi_process_service(wanted: bool, folder: Path) -> Iterator[None]:
    """A daemon of this user, around the block."""
    if not wanted:
        yield
        return
    for variable, name in MPS_FOLDERS.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        os.environ[variable] = str(folder / name)
    subprocess.run(["nvidia-cuda-mps-control", "-d"], check=True)
    try:
        yield
    finally:
        subprocess.run(["nvidia-cuda-mps-control"], input="quit\n", text=True, check=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; default: all")
    parser.add_argument("--seconds", type=float, default=510, help="how long it may take")
    parser.add_argument("--rows", type=Path, default=Path("gpu_rows.jsonl"), help="the file of rows")
    parser.add_argument("--mps", action="store_true", help="with an MPS daemon, which this starts and ends")
    parser.add_argument("--dry", action="store_true", help="on a CPU, small; the same as --smoke")
    options = parse(parser, dry=True)
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"there is no section {min(unknown)}; there are {', '.join(SECTIONS)}")
    if not options.dry and not torch.cuda.device_count():
        parser.error("there is no GPU that torch can use; --dry runs what a CPU can")
    torch.set_num_threads(1)  # as a worker has it
    benchmark.UNBEATEN_S = 0.1 if options.dry else 1.0  # of a baseline: nobody else is on this machine
    session = Session(options.rows, options.seconds, options.dry)
    with multi_process_service(options.mps, options.rows.absolute().parent / "mps"):
        run(session, options.sections or list(SECTIONS))
    print("dry: the goals are those of a GPU, and these figures mean nothing" if options.dry else "", flush=True)
    print(table(session))
