"""Whether the files of a cluster's folder, which its user may have changed by hand, can be read at all."""

from collections.abc import Iterator
from pathlib import Path

from evonas.errors import UserError
from evonas.launch.launch_files.head_file import cure


def check_readable(folder: Path) -> None:
    """Lets go on where all launch files are text.

    Args:
        folder: of the cluster, which need not be there.

    Raises:
        UserError: One is not UTF-8, or cannot be read.
    """
    for path in _launch_files(folder):
        try:
            path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            byte = f"byte 0x{error.object[error.start]:02x} at {error.start}"
            raise UserError(f"{path} is not text in UTF-8 ({byte}): {cure(path)}") from None
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}: {cure(path)}") from None


def _launch_files(folder: Path) -> Iterator[Path]:
    for pattern in ("*.yaml", "*.sbatch", "*-policy.json"):
        yield from sorted(folder.glob(pattern))
