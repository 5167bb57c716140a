"""Known architectures as founders: given as data, of a file, or of the front of a run."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from evonas.errors import UserError
from evonas.runs.run import Run
from evonas.spaces import Arch
from evonas.store import is_run, open_folder

Architectures = str | Path | Sequence[Mapping[str, Any] | Arch]
RIGHT = "a list of architectures, each as in the column arch"


def architectures(source: Architectures) -> list[dict[str, Any]]:
    """Architectures as plain data, which no space has looked at yet.

    Args:
        source: a list of them; a JSON or YAML file of one, as `evonas front RUN --format json` writes it; or a run,
            whose front it is then.

    Raises:
        UserError: there is no such file, or it holds something else.
    """
    if not isinstance(source, str | Path):
        return [_plain(part, "founders", place) for place, part in enumerate(source)]
    if (isinstance(source, str) and "://" in source) or Path(source).is_dir():
        if not is_run(open_folder(source)):
            raise UserError(f"founders: {source} is no run; give a run, or a file with {RIGHT}")
        return [json.loads(arch) for arch in Run(source).front()["arch"]]
    found = _read(Path(source))
    if not isinstance(found, list):
        raise UserError(f"founders: {source} holds {type(found).__name__}, not {RIGHT}")
    return [_plain(part, f"founders: {source}", place) for place, part in enumerate(found)]


def _read(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))  # JSON is YAML
    except FileNotFoundError:
        raise UserError(f"founders: there is no file or run {path}") from None
    except OSError as error:
        raise UserError(f"founders: {path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        raise UserError(f"founders: {path} is neither JSON nor YAML") from None


def _plain(part: Any, where: str, place: int) -> dict[str, Any]:
    """One architecture; rows of a front have it as `arch`, those of a table as text."""
    if isinstance(part, Mapping) and {"candidate", "arch"} <= part.keys():
        part = part["arch"]
        part = json.loads(part) if isinstance(part, str) else part
    if isinstance(part, Arch):
        return part.to_dict()
    if not isinstance(part, Mapping):
        raise UserError(f"{where}: entry {place} is {part!r:.60}, not a section of genes")
    return dict(part)
