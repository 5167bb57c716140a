"""The run folder of a search that names none."""

import hashlib
from pathlib import Path

from evonas.config import Config
from evonas.errors import UserError
from evonas.run_identity.as_begun import as_begun
from evonas.run_identity.comparing import different_key, resolved
from evonas.run_identity.describing import FOUNDERS_FROM
from evonas.store import open_folder, read_run


def default_folder(name: str, config: Config, origin: str = "") -> Path:
    """Where a search is recorded that names no folder.

    Args:
        name: of the config.
        config: whose fingerprint is in the folder's name.
        origin: the id of a run that it re-uses; in the fingerprint of the name.

    Returns:
        runs/NAME-FINGERPRINT; or the folder that an earlier evonas began for the same search, whose fingerprint
        was another one.
    """
    print_ = hashlib.sha256((config.fingerprint + origin).encode()).hexdigest() if origin else config.fingerprint
    own = Path("runs") / f"{name}-{print_[:8]}"
    if own.exists() or origin:
        return own
    return next((folder for folder in sorted(Path("runs").glob(f"{name}-????????")) if _holds(folder, config)), own)


def begun_from(name: str, config: Config) -> Path | None:
    """The run of a search that names no folder and takes its founders from a file or a run, which may be gone by now
    or hold others than then.

    Args:
        name: of the config.
        config: whose `founders` are a source.

    Returns:
        The folder that this search has begun in; None where it has not begun.
    """
    for path in sorted(Path("runs").glob(f"{name}-????????")):
        try:
            description = read_run(open_folder(path))
        except (UserError, OSError):
            continue
        then = tuple(description["config"].get("founders", ()))
        if description.get(FOUNDERS_FROM) == config.founders and _holds(
            path, config.model_copy(update={"founders": then})
        ):
            return path
    return None


def _holds(path: Path, config: Config) -> bool:
    """Whether the folder is a run of this config."""
    try:
        recorded = read_run(open_folder(path))["config"]
    except (UserError, OSError):
        return False
    config = as_begun(config, recorded)
    return not different_key(resolved(recorded), resolved(config.model_dump(mode="json")))
