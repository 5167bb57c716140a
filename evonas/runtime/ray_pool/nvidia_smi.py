"""What nvidia-smi says of the GPUs of a machine, as it answers `ARGUMENTS`."""

import csv
from dataclasses import dataclass

FIELDS = (
    "name",
    "memory.total",
    "memory.free",
    "uuid",
    "driver_version",
    "compute_mode",
    "mig.mode.current",
    "persistence_mode",
    "ecc.errors.uncorrected.volatile.total",
)
FEW = FIELDS[:2]
"""Those that every version knows: one that is asked for another field gives none at all."""
FORM = "--format=csv,noheader,nounits"
ARGUMENTS = tuple((f"--query-gpu={','.join(fields)}", FORM) for fields in (FIELDS, FEW))
"""Of the calls, of which the first that answers counts."""
PATIENCE_S = 30
"""Eight GPUs without persistence mode take longer than ten seconds to wake."""
MIB_OF_GIB = 1024


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU, as far as its driver tells; "" and None where it does not.

    Attributes:
        name: Its model.
        memory_mib: All of its memory.
        free_mib: What of it nobody uses.
        uuid: `GPU-...`.
        driver: The version of the driver.
        compute_mode: `Default`, `Exclusive_Process` or `Prohibited`.
        mig: `Enabled` where it is cut into slices.
        persistence: `Disabled` where the driver lets go of it when nobody uses it.
        memory_errors: Errors of its memory since the driver was loaded that could not be corrected.
    """

    name: str
    memory_mib: int
    free_mib: int | None = None
    uuid: str = ""
    driver: str = ""
    compute_mode: str = ""
    mig: str = ""
    persistence: str = ""
    memory_errors: int | None = None

    @property
    def text(self) -> str:
        """Model and memory."""
        return f"{self.name} {self.memory_mib / MIB_OF_GIB:.0f} GiB"


def parsed(answer: str) -> tuple[Gpu, ...]:
    """Read the answer of nvidia-smi to one of the calls; a line that is no GPU, but a warning, is left out.

    Args:
        answer: What it printed.
    """
    rows = [[field.strip() for field in row] for row in csv.reader(answer.splitlines())]
    return tuple(_gpu(row) for row in rows if len(row) in (len(FIELDS), len(FEW)) and row[1].isdigit())


def _gpu(row: list[str]) -> Gpu:
    name, total, *rest = row
    known = dict(zip(FIELDS[2:], map(_known, rest), strict=False))
    return Gpu(
        name,
        int(total),
        _number(known.get("memory.free", "")),
        known.get("uuid", ""),
        known.get("driver_version", ""),
        known.get("compute_mode", ""),
        known.get("mig.mode.current", ""),
        known.get("persistence_mode", ""),
        _number(known.get("ecc.errors.uncorrected.volatile.total", "")),
    )


def _known(field: str) -> str:
    """What a GPU does not have is [N/A], or [Not Supported]."""
    return "" if field.strip("[]") in ("N/A", "Not Supported", "Unknown Error") else field


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None
