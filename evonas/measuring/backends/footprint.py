"""Memory of a pass outside of torch is seen from outside: a process of its own loads the file and runs it once."""

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from evonas.config import TargetConfig
from evonas.errors import UserError
from evonas.inputs import from_plain, to_plain
from evonas.ipc.boot import command
from evonas.measuring.backends.backend import BACKENDS
from evonas.records import Inputs
from evonas.text import one_line

PROCESS = Path("/proc/self")
RESET_PEAK = "5"


def footprint_mb(network: bytes, inputs: Inputs, config: TargetConfig) -> float:
    """See how much a fresh process grows at most while it loads the network and runs one pass: resident memory of the
    CPU, the some 10 to 40 MB included that a runtime takes at first use, but not the loading of its library.

    Args:
        network: a file as `export.to_file` makes it.
        inputs: what the network takes in.
        config: the target's.

    Returns:
        MB of 10^6 bytes; the number repeats within some hundred kB.

    Raises:
        UserError: that cannot be seen here, or not on this device.
    """
    if config.device != "cpu":
        raise UserError(f"memory_mb with {config.backend} can be seen on a cpu only, not on {config.device}")
    if not (PROCESS / "clear_refs").exists():
        raise UserError(
            f"memory_mb with {config.backend} is read from /proc/self/clear_refs, which this system has not"
        )
    arguments = config.model_dump_json(), json.dumps(to_plain(inputs))
    done = subprocess.run(command(__name__, *arguments), input=network, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"the process that was to see its memory failed: {one_line(done.stderr.decode()[-400:])}")
    return float(done.stdout.split()[-1]) / 1000


def main(config: str, inputs: str) -> None:
    """Print kB of 1000 bytes; the network comes by standard input.

    Args:
        config, inputs: as JSON.
    """
    target = TargetConfig.model_validate_json(config)
    network = sys.stdin.buffer.read()
    backend = BACKENDS[target.backend]("memory", target)
    (PROCESS / "clear_refs").write_text(RESET_PEAK)
    before = _kb("VmRSS")
    backend.load(network, from_plain(json.loads(inputs))).passes(1)
    print((_kb("VmHWM") - before) * 1.024)


def _kb(field: str) -> int:
    """A field of this process's status, in kB of 1024 bytes."""
    with suppress(StopIteration):
        lines = (PROCESS / "status").read_text().splitlines()
        return int(next(text for text in lines if text.startswith(field)).split()[1])
    raise UserError(f"/proc/self/status has no {field}")
