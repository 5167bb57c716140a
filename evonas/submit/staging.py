"""What a submission sends to a cluster: config, evonas and the user's modules, and nothing else.

It is collected file by file from what a search needs, and not by leaving things out of a folder: no .env, no data and
no run folder can be among it.
"""

import hashlib
import io
import posixpath
import re
import shlex
import shutil
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import yaml

from evonas.code_owner import OURS, is_installed, paths_of
from evonas.config import Config
from evonas.config.loading import load_config
from evonas.config.options import check_options, construct
from evonas.errors import UserError
from evonas.reuse import chosen
from evonas.spaces import SPACES
from evonas.spaces.space import Space
from evonas.strategies import STRATEGIES
from evonas.tasks import TASKS

CODE = {".py", ".pyi", ".c", ".cc", ".cpp", ".cu", ".cuh", ".h", ".hpp"}
"""What is sent of a user's package: C++ and CUDA because PyTorch compiles them where they are used."""
MOST_MB = 50
SCHEMES = ("s3", "gs")


@dataclass(frozen=True, slots=True)
class Submission:
    """title: for people, in the job's name. search: the same for the same search into the same folder. files: by their
    place in the job's folder. modules: to --import there. budget: JSON. notes: what a person should know."""

    title: str
    search: str
    run: str
    files: Mapping[str, bytes]
    modules: tuple[str, ...]
    budget: str
    notes: tuple[str, ...]

    @property
    def content(self) -> str:
        """Digest of all that is sent: the search itself, and its budget, runtime and code."""
        digest = hashlib.sha256()
        for name, data in sorted(self.files.items()):
            digest.update(f"{name}\0{len(data)}\0".encode() + data)
        return digest.hexdigest()

    def packed(self) -> bytes:
        """As a zip file. The same bytes for the same files: the time in it is that of `ZipInfo`, 1980."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, data in sorted(self.files.items()):
                archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
        return packed.getvalue()

    @property
    def entrypoint(self) -> str:
        """Anybody who may ask the cluster can read it: it says where things are, and no --set."""
        words = ["python", "-m", "evonas", "search", "config.yaml", "--run", self.run]
        words += [word for module in self.modules for word in ("--import", module)]
        columns = max(80, shutil.get_terminal_size((120, 24)).columns)  # a job has no terminal: its tables are for ours
        return f"COLUMNS={columns} {shlex.join(words)}"


def stage(config: str, run: str, overrides: Sequence[str] = (), modules: Sequence[ModuleType] = ()) -> Submission:
    """Check all that can be checked without the data, and collect what is to be sent.

    Raises:
        UserError: the config is wrong, the folder would not outlive the job, or there is too much code.
    """
    wanted = load_config(config, overrides)
    taken = chosen(wanted, check(wanted))  # where they are from is here, and not there
    wanted = taken.config
    folder = _folder(run)
    files = {"config.yaml": _resolved(wanted), **_tables(wanted), **own_code()}
    for module in _with_imported([module for module in modules if not is_installed(module)]):
        files.update(_code(module))
    if (size := sum(map(len, files.values())) / 1e6) > MOST_MB:
        largest = max(files, key=lambda name: len(files[name]))
        raise UserError(f"--import: {size:,.0f} MB of code, more than {MOST_MB} MB; the largest is {largest}")
    search = hashlib.sha256(f"{wanted.fingerprint}\0{folder}".encode()).hexdigest()[:10]
    title = re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(config).stem)[:40]
    names = tuple(module.__name__ for module in modules)
    return Submission(
        title, search, folder, files, names, wanted.budget.model_dump_json(), (*taken.notes, *_notes(wanted, folder))
    )


def check(config: Config) -> Space:
    """Its space. Raises UserError where a kind does not exist or has not these options; the data is not loaded."""
    if config.runtime.kind == "serial":
        raise UserError(
            "runtime.kind is serial, one candidate after the other on the head; give --set runtime.kind=ray"
        )
    space: Space = construct(SPACES, config.space, "space")
    check_options(TASKS, config.task, "task")
    check_options(STRATEGIES, config.strategy, "strategy")
    return space


def _folder(run: str) -> str:
    """The run folder in one spelling."""
    scheme, mark, place = run.partition("://")
    if not run.isprintable() or (mark and scheme not in SCHEMES):
        raise UserError(f"--run {run!r}: known are absolute paths, s3:// and gs://")
    if not mark and not run.startswith("/"):
        raise UserError(
            f"--run {run}: it would be removed with the job's own folder; give an absolute path or s3://..."
        )
    if mark and not re.fullmatch(r"[^/]+/.*[^/].*", place):
        raise UserError(f"--run {run}: give a bucket and a place in it, e.g. {scheme}://bucket/run")
    return run.rstrip("/") if mark else posixpath.normpath(run)


def _resolved(config: Config) -> bytes:
    """With every --set and every default in it, for the cluster that it runs on."""
    runtime = config.runtime
    if runtime.address == "local":
        runtime = runtime.model_copy(update={"address": "auto"})
    data = config.model_copy(update={"runtime": runtime}).model_dump(mode="json")
    return yaml.safe_dump(data, sort_keys=False).encode()


def _notes(config: Config, folder: str) -> Iterator[str]:
    if folder.startswith("/"):
        yield f"{folder} is a folder of the cluster's head and lost with it, if it is not mounted there; s3:// stays"
    for key, value in config.task.options.items():
        if isinstance(value, str) and not Path(value).is_absolute() and Path(value).exists():
            yield f"task.{key}: data is not sent along, and the job does not find {value} by a relative path"
    for name in config.tracking:
        if name != "tensorboard":
            yield f"tracking: {name} is told by the cluster's head, which must have its library and its variables"
        elif "://" in folder:
            yield f"tracking: tensorboard writes beside the job on the head, not into {folder}, and is lost with it"


def _tables(config: Config) -> dict[str, bytes]:
    """The latency tables and the supernet that the config names by a path below this folder; others must be on the
    cluster."""
    named = {objective.table for objective in config.objectives} | {limit.table for limit in config.limits}
    named |= {config.training.supernet}
    inside = [name for name in named if name and not Path(name).is_absolute()]
    for name in inside:
        if ".." in Path(name).parts:
            raise UserError(f"{name}: only files below the current folder are sent along; else give an absolute path")
    try:
        return {posixpath.normpath(name): Path(name).read_bytes() for name in inside}
    except OSError as error:
        raise UserError(f"no file {error.filename}: {error.strerror}") from None


def own_code() -> dict[str, bytes]:
    """This evonas, which may not be the one that the cluster has, if it has one; with the version that it reports."""
    number = version("evonas")
    about = f"Metadata-Version: 2.1\nName: evonas\nVersion: {number}\n".encode()
    return {f"evonas-{number}.dist-info/METADATA": about, **_sources(Path(OURS), "evonas", all_files=True)}


def _with_imported(modules: Sequence[ModuleType]) -> list[ModuleType]:
    """The user's modules and those beside them that they have imported, each by its outermost package."""
    tops = {top.__name__: top for module in modules if (top := sys.modules[module.__name__.partition(".")[0]])}
    roots = {place.parent for top in tops.values() for place in paths_of(top)}
    for name, module in list(sys.modules.items()):
        if "." not in name and name not in {"evonas", "__main__", "__mp_main__"}:
            places = paths_of(module)
            if places and all(place.parent in roots for place in places) and not is_installed(module):
                tops.setdefault(name, module)
    return list(tops.values())


def _code(module: ModuleType) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for place in paths_of(module):
        if place.is_dir():
            files.update(_sources(place, module.__name__))
        elif place.suffix == ".py":
            files[place.name] = place.read_bytes()
        else:
            raise UserError(f"--import {module.__name__}: {place} is not Python source; install it on the cluster")
    return files


def _sources(folder: Path, name: str, all_files: bool = False) -> dict[str, bytes]:
    """Its code, by place; hidden files and folders, environments and links to folders are no part of it.

    all_files: also what is no code, as the table of prices that a search reads.
    """
    found: dict[str, bytes] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name == "__pycache__":
            continue
        if path.is_dir() and not path.is_symlink() and not (path / "pyvenv.cfg").exists():
            found.update(_sources(path, f"{name}/{path.name}", all_files))
        elif path.is_file() and (all_files or (path.suffix in CODE and path.resolve().suffix in CODE)):
            found[f"{name}/{path.name}"] = path.read_bytes()
    return found
