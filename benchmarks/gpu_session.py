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
| step | 90 | eager, graph, float32, float16, streamed, no augmentation, no clipping, batch 64; a DataLoader loop |
| latency | 100 | idle, as a server, beside 4 trainers that pause and 4 that do not |
| pack | 170 | 1, 2, 4, 8, 14 processes on the card, all training from one word on |

Each row is printed and appended to the file of rows (JSON, one a line, with time and commit); what is in it stays. At
the end there is a table of the goals beside what was found. A section that fails is a row. One begins only with time
for it, or for its first part, and looks at the clock between its parts; what no longer fits is said, and what hangs
is ended half a minute after the time. Sections can be named, for a second look. No setting of the card is changed;
`--mps` starts a daemon of this user and ends it. A card that is lost is not tried: nothing takes one away without
harm.

Neither Ray nor an installation is needed: a checkout on PYTHONPATH and Python 3.11 or newer with torch (2.6 or newer),
numpy, cloudpickle, psutil, safetensors and yaml (PyYAML), and nvidia-ml-py for energy. What such an image often lacks
are pydantic, pydantic-core, annotated-types and typing-inspection. They come as wheels of the machine's Python:

    pip download --only-binary=:all: --python-version 3.12 --dest wheels 'pydantic>=2.9'
    pip install --no-index --no-deps --target site wheels/*.whl        # there, without a network
    PYTHONPATH=site:. python benchmarks/gpu_session.py
"""

import argparse
import os
import shutil
import subprocess
import sys
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

SECTIONS: dict[str, tuple[Callable[[Session], None], float, float]] = {
    "env": (env, 5, 5),
    "fork": (fork, 20, 20),
    "failures": (failures, 70, 35),
    "memory": (memory, 20, 20),
    "energy": (energy, 30, 15),
    "step": (step, 90, 10),
    "latency": (latency, 100, 30),
    "pack": (pack, 170, 20),
}
"""Name -> what runs it, how many seconds it takes, and how many it needs to begin: for its first part, if it looks at
the clock between several."""
LONGEST_S, GRACE_S = 86400.0, 30.0
DAEMON = "nvidia-cuda-mps-control"
MPS_FOLDERS = {"CUDA_MPS_PIPE_DIRECTORY": "pipes", "CUDA_MPS_LOG_DIRECTORY": "log"}


def run(session: Session, names: Sequence[str]) -> None:
    """Runs sections, one after the other; one that fails stops none of the others."""
    for name in names:
        section, _, least_s = SECTIONS[name]
        if session.lacks(least_s, name):
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
    begun = subprocess.run([DAEMON, "-d"], capture_output=True, text=True, check=False)
    if begun.returncode:
        said = " ".join((begun.stderr or begun.stdout).split()) or f"exit status {begun.returncode}"
        print(f"gpu_session.py: error: --mps: the daemon does not start: {said}", file=sys.stderr)
        raise SystemExit(2)
    try:
        yield
    finally:
        end_daemon()


def end_daemon() -> None:
    """Ends the daemon that was started."""
    subprocess.run([DAEMON], input="quit\n", text=True, check=False, timeout=10)


def seconds(text: str) -> float:
    """A time of the command line."""
    number = float(text)
    if not 0 < number <= LONGEST_S:
        raise argparse.ArgumentTypeError(f"takes seconds, more than 0 and at most {LONGEST_S:g}, not {text}")
    return number


def rows(text: str) -> Path:
    """The file of rows, to which can be written."""
    file = Path(text)
    try:
        file.open("a").close()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error.strerror}; give a file in a folder that is there") from None
    return file


def asked() -> argparse.Namespace:
    """The options of the command line, of which none is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; default: all")
    parser.add_argument("--seconds", type=seconds, default=510, help="how long it may take")
    parser.add_argument("--rows", type=rows, default="gpu_rows.jsonl", help="the file of rows, which is appended to")
    parser.add_argument("--mps", action="store_true", help="with an MPS daemon, which this starts and ends")
    parser.add_argument("--dry", action="store_true", help="on a CPU, small; the same as --smoke")
    options = parse(parser, dry=True)
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"there is no section {min(unknown)}; there are {', '.join(SECTIONS)}")
    if options.mps and not shutil.which(DAEMON):
        parser.error(f"--mps: there is no {DAEMON}, which comes with NVIDIA's driver; leave --mps out")
    if not options.dry and not torch.cuda.device_count():
        parser.error("there is no GPU that torch can use; --dry runs what a CPU can")
    return options


if __name__ == "__main__":
    options = asked()
    torch.set_num_threads(1)  # as a worker has it
    benchmark.UNBEATEN_S = 0.1 if options.dry else 1.0  # of a baseline: nobody else is on this machine
    session = Session(options.rows, options.seconds, options.dry)
    backstop = session.end_at_last(GRACE_S, end_daemon if options.mps else lambda: None)
    with multi_process_service(options.mps, options.rows.absolute().parent / "mps"):
        run(session, options.sections or list(SECTIONS))
    backstop.cancel()
    print("dry: the goals are those of a GPU, and these figures mean nothing" if options.dry else "", flush=True)
    print(table(session))
