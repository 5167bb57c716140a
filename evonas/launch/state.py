"""What is known of a cluster, in a small file beside its launch files, so that the same line goes on."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from evonas import atomic_files
from evonas.errors import UserError

NAME = "state.json"


@dataclass(frozen=True, slots=True)
class State:
    """How far a cluster is.

    Args:
        given: option -> value, so that later lines need not say it.
        started: whether the launcher has come to its end.
        made: what was made beside the launch files, by a name of its provider's.
        tunnel: process group of a tunnel that is open, None if there is none.
        jobs: run folder -> job of Slurm.
        owns: the regions, projects or contexts whose cluster was started from this folder.
        address: from where SSH was let in for it.
        agreed: what it costs, as the user has agreed to last.
        runs: CONFIG, a whole path -> its run folder; the last is that of the last `up`.
        cloud: of which the cluster is; empty where an older evonas has written it.
    """

    given: Mapping[str, str] = field(default_factory=dict)
    started: bool = False
    made: tuple[str, ...] = ()
    tunnel: int | None = None
    jobs: Mapping[str, str] = field(default_factory=dict)
    owns: tuple[str, ...] = ()
    address: str | None = None
    agreed: tuple[str, ...] = ()
    runs: Mapping[str, str] = field(default_factory=dict)
    cloud: str = ""


def read(folder: Path) -> State:
    """The state in a folder; that of nothing where there is none.

    Raises:
        UserError: The file is damaged.
    """
    path = folder / NAME
    try:
        found = json.loads(path.read_text())
        if not all(isinstance(found.get(name, {}), dict) for name in ("given", "jobs", "runs")):
            raise TypeError
        if not isinstance(found.get("tunnel"), int | None):
            raise TypeError
        return State(
            **{
                **found,
                "made": tuple(found["made"]),
                "owns": tuple(found.get("owns", ())),
                "agreed": tuple(found.get("agreed", ())),
            }
        )
    except FileNotFoundError:
        return State()
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UserError(f"{path} is not as evonas wrote it: remove it, and give all options again") from None


def change(folder: Path, **changes: Any) -> State:
    """Writes a state with these changes; the new one."""
    state = replace(read(folder), **changes)
    if state == State() and not (folder / NAME).exists():
        return state  # there is nothing to know
    folder.mkdir(parents=True, exist_ok=True)
    atomic_files.replace(folder / NAME, json.dumps(asdict(state), indent=2).encode() + b"\n")
    return state
