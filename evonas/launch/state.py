"""What is known of a cluster, in a small file beside its launch files, so that the same line goes on."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from evonas import atomic_files
from evonas.errors import UserError
from evonas.store.folder import NO_LOCKS

NAME = "state.json"
_LOCK = ".state.lock"


@dataclass(frozen=True, slots=True)
class State:
    """How far a cluster is.

    Args:
        given: option -> value, so that later lines need not say it.
        started: whether the launcher has come to its end.
        made: what was made beside the launch files, by a name of its provider's.
        tunnels: process group of a tunnel that is open -> the process that has opened it.
        jobs: run folder -> job of Slurm, NUMBER or NUMBER;CLUSTER.
        owns: the regions, projects or contexts whose cluster was started from this folder.
        address: from where SSH was let in for it.
        agreed: what it costs, as the user has agreed to last.
        runs: CONFIG, a whole path -> its run folder; the last is that of the last `up`.
        prices: of machines, US dollars an hour, as they were given with it.
        server: address of the Kubernetes, whose context may be renamed.
        cloud: of which the cluster is; empty where an older evonas has written it.
    """

    given: Mapping[str, str] = field(default_factory=dict)
    started: bool = False
    made: tuple[str, ...] = ()
    tunnels: Mapping[str, int] = field(default_factory=dict)
    jobs: Mapping[str, str] = field(default_factory=dict)
    owns: tuple[str, ...] = ()
    address: str | None = None
    agreed: tuple[str, ...] = ()
    runs: Mapping[str, str] = field(default_factory=dict)
    prices: Mapping[str, float] = field(default_factory=dict)
    server: str = ""
    cloud: str = ""


def read(folder: Path) -> State:
    """The state in a folder; that of nothing where there is none, or it is damaged, as `checked` says."""
    try:
        return checked(folder)
    except UserError:
        return State()


def checked(folder: Path) -> State:
    """The state in a folder; that of nothing where there is none.

    Raises:
        UserError: The file is damaged, or a folder.
    """
    path = folder / NAME
    try:
        found = json.loads(path.read_text())
        if not all(isinstance(found.get(name, {}), dict) for name in ("given", "jobs", "prices", "runs", "tunnels")):
            raise TypeError
        if not all(isinstance(usd, int | float) for usd in found.get("prices", {}).values()):
            raise TypeError
        if before := found.pop("tunnel", None):  # an older evonas has written one, which is nobody's by now
            found["tunnels"] = {str(int(before)): 0}
        if not all(name.isdecimal() and isinstance(pid, int) for name, pid in found.get("tunnels", {}).items()):
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
    except (ValueError, TypeError, KeyError, AttributeError, IsADirectoryError):
        raise UserError(f"{path} is not as evonas wrote it: remove it, and give all options again") from None


def change(folder: Path, **changes: Any) -> State:
    """Writes a state with these changes; the new one."""
    return alter(folder, lambda state: replace(state, **changes))


def alter(folder: Path, how: Callable[[State], State]) -> State:
    """Writes a state that is made of the old one, which no other line changes meanwhile; the new one."""
    if not (folder / NAME).exists() and how(State()) == State():
        return State()  # there is nothing to know
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        state = how(checked(folder))
        atomic_files.replace(folder / NAME, json.dumps(asdict(state), indent=2).encode() + b"\n")
    return state


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Has others wait who change the state; on a file system without locks they do not."""
    file = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
        yield
    finally:
        os.close(file)
