"""From a config to a search that runs: the parts, the run folder, the runtime."""

import dataclasses
import inspect
import os
import platform
import sysconfig
import uuid
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from evonas.breeding import Breeder
from evonas.checking import check
from evonas.config import PLACE, RUNNING, Config, construct, load_config
from evonas.evaluation import TASKS, Evaluator, Task, agreement
from evonas.loop import Search, Watch
from evonas.measuring.bench import REFERENCE_SHAPE
from evonas.measuring.client import MeasureError, Remote
from evonas.measuring.reference import reference
from evonas.measuring.server import serve_here
from evonas.objectives import Objectives
from evonas.records import Place, TargetAway, TaskSpec, UserError
from evonas.run import Run
from evonas.runtime import RUNTIMES, Factory, Remotes
from evonas.spaces import SPACES
from evonas.spaces.space import Space
from evonas.store import (
    Folder,
    Store,
    create_run,
    evaluations_schema,
    is_new,
    is_run,
    open_folder,
    read_measured,
    read_run,
    read_starts,
    recover,
)
from evonas.table import Table, fits, read
from evonas.tracking import Telling, missing

Source = str | Path | Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """What a config stands for. factory: makes the work of one worker. tables: target -> where its latencies come from,
    of those that are not measured. remotes: targets that are not measured on the workers."""

    config: Config
    space: Space
    spec: TaskSpec
    objectives: Objectives
    factory: Factory
    tables: Mapping[str, Table] = dataclasses.field(default_factory=dict)
    remotes: Remotes = dataclasses.field(default_factory=Remotes)


def assemble(config: Config, space: Space | None = None, task: Task | None = None) -> Parts:
    """Load the data and make the space, unless they are given.

    Raises:
        UserError: a section names a part that does not exist, or asks it for what it cannot do.
    """
    space = space or construct(SPACES, config.space, "space")
    task = task or construct(TASKS, config.task, "task")
    objectives = Objectives(config, task.spec)
    Breeder(config, space, objectives)  # finds fault with the strategy's options now rather than later
    tables = {name: _table(name, path, config, space, task.spec) for name, path in objectives.tables.items()}
    device = "cuda" if config.runtime.gpus_per_worker else "cpu"
    entries = {name: table.entries for name, table in tables.items()}
    factory = partial(Evaluator, space, task, config, objectives, device, entries, agreement(space, task))
    return Parts(config, space, task.spec, objectives, factory, tables, remotes(config, objectives.targets))


@dataclasses.dataclass(frozen=True, slots=True)
class Prepared:
    """A search that can start: its parts and its run folder, which may be new.

    modules: the user's own, for workers that cannot import them. notes: what a person should know before it starts.
    """

    parts: Parts
    folder: Folder
    modules: tuple[ModuleType, ...] = ()
    notes: tuple[str, ...] = ()


def search(
    config: Source,
    *,
    space: Space | None = None,
    task: Task | None = None,
    run: str | Path | None = None,
    watch: Watch = lambda search, evaluation: None,
) -> Run:
    """Run a search to its end, or go on with the one in the run folder.

    config: a YAML file or the same as a mapping. space, task: your own, in the place of the config's sections.
    run: the folder, or a URL such as s3://bucket/run; default `runs/NAME-FINGERPRINT`. watch: called with each decided
    candidate. What is damaged in the folder is set aside with a warning.

    Raises:
        UserError: the config is wrong, or the folder holds another search.
        Halted: the search had to stop; called again, it goes on.
    """
    prepared = prepare(config, space=space, task=task, run=run)
    for note in prepared.notes:
        warnings.warn(note, stacklevel=2)
    execute(prepared, watch=watch)
    return Run(prepared.folder, prepared.parts.space)


def prepare(
    config: Source,
    *,
    overrides: Sequence[str] = (),
    space: Space | None = None,
    task: Task | None = None,
    run: str | Path | Folder | None = None,
    modules: Sequence[ModuleType] = (),
) -> Prepared:
    """Check everything that can be checked before a worker starts. Writes nothing.

    overrides: KEY=VALUE. modules: the user's own; those that define `space` and `task` are found.
    """
    name = Path(config).stem if isinstance(config, str | Path) else "search"
    given = {}
    if space:
        names = [kind for kind, part in SPACES.items() if part is type(space)]
        given["space"] = {"kind": names[0] if names else type(space).__name__}
    if task:
        given["task"] = {"kind": task.spec.name}
    parts = assemble(load_config(config, overrides, given), space, task)
    folder = open_folder(run if run is not None else default_folder(name, parts.config))
    check_run(folder, parts)
    if lacking := missing(parts.config.tracking):
        raise UserError(lacking)
    found = _modules_of(*_own_code(space, task))
    return Prepared(parts, folder, (*modules, *found), tuple(_notes(folder, parts)))


def prepare_again(where: str | Path, *, overrides: Sequence[str] = (), modules: Sequence[ModuleType] = ()) -> Prepared:
    """The search of a run folder as it was last started; `overrides` may change its budget, runtime and tracking."""
    folder = open_folder(where)
    config = read_run(folder)["config"]
    for start in read_starts(folder):
        config.update({section: start[section] for section in RUNNING if section in start})
    return prepare(config, overrides=overrides, run=folder, modules=modules)


def execute(prepared: Prepared, *, watch: Watch, take_over: bool = False) -> str:
    """Go on from what the run folder proves until the search ends; why it ended.

    take_over: also where another search seems to hold the folder, which then cannot record anything any more.

    Raises:
        UserError: another search holds the folder, or no worker could start.
        Halted: the search had to stop.
    """
    parts, folder = prepared.parts, prepared.folder
    metrics, targets = parts.objectives.metrics, parts.objectives.targets
    store = Store(folder, evaluations_schema(metrics, targets), take_over)
    with ExitStack() as ends:
        ends.callback(store.close)
        check_places(parts)
        telling = Telling(parts.config, folder, watch)
        ends.callback(telling.wait)  # when the workers have gone
        runtime = RUNTIMES[parts.config.runtime.kind](
            parts.factory, parts.config.runtime, prepared.modules, parts.remotes
        )
        ends.callback(runtime.close)
        ends.callback(store.close)  # before the workers are ended: what is decided is on disk, whatever that takes
        claim(folder, parts)
        store.started(_start(parts))
        ends.enter_context(telling)
        loop = Search(parts.config, parts.space, parts.objectives, store, runtime, telling)
        loop.restore(recover(folder, metrics, targets, salvage=True))
        loop.run()
        if parts.tables:
            known = {row["candidate"] for row in read_measured(folder) if not row["message"]}
            unchecked = sorted(loop.front() - known)
            store.measured(check([*map(loop.breeder.check, unchecked)], runtime, lambda: telling(loop, None)))
        store.ended(loop.ended, runtime.late)
    return loop.ended


def default_folder(name: str, config: Config) -> Path:
    return Path("runs") / f"{name}-{config.fingerprint[:8]}"


def check_run(folder: Folder, parts: Parts) -> None:
    """Make sure that this search may use the folder: it is new, or holds this search.

    Raises:
        UserError: it holds another search (names the first difference), or something else.
    """
    if not is_run(folder):
        if not is_new(folder):
            raise UserError(f"{folder} is neither empty nor a run folder; give another --run")
        return
    recorded, description = read_run(folder), describe(parts)
    difference = _difference(recorded["config"], description["config"])
    for key in ("space", "task", "tables"):
        if not difference and recorded[key] != description[key]:
            difference = f"{key} is {recorded[key]} there, {description[key]} here"
    if difference:
        raise UserError(f"{folder} holds another search: {difference}; give another --run, or the config of that run")


def claim(folder: Folder, parts: Parts) -> None:
    """Describe a new run in its run.json; what is there by now must be this search. For the holder of the lock."""
    check_run(folder, parts)
    if not is_run(folder):
        create_run(folder, {"id": uuid.uuid4().hex, **describe(parts)})


def describe(parts: Parts) -> dict[str, Any]:
    """What run.json says, as plain data: enough to read the run without the user's code."""
    return {
        "fingerprint": parts.config.fingerprint,
        "config": parts.config.model_dump(mode="json"),
        "space": parts.space.signature(),
        "task": {**dataclasses.asdict(parts.spec), "input_shape": list(parts.spec.input_shape)},
        "objectives": [{"column": o.key, "unit": o.unit, "sign": o.sign} for o in parts.objectives.objectives],
        "metrics": list(parts.objectives.metrics),
        "targets": list(parts.objectives.targets),
        "tables": {name: table.sha256 for name, table in parts.tables.items()},
    }


def check_places(parts: Parts) -> None:
    """Let the servers of targets at addresses measure the reference network as candidates will be.

    Raises:
        UserError: one cannot, or does not answer.
    """
    for name, place in parts.remotes.places.items():
        section = parts.config.targets[name]
        wanted = [extra for extra in parts.objectives.extras[name] if extra != "size_mb"]
        remote = Remote(name, section, wanted)
        try:
            remote.about(place)
            remote.measure(reference(), REFERENCE_SHAPE, place)
        except (TargetAway, MeasureError) as error:
            raise UserError(str(error)) from None


def remotes(config: Config, targets: Iterable[str]) -> Remotes:
    """Where those of the targets are measured that are not on the machine that trains."""
    sections = {name: config.targets[name] for name in targets}
    places = {
        name: Place(section.address, os.environ.get(section.token_env, ""))
        for name, section in sections.items()
        if section.address
    }
    resources = {name: section.resource for name, section in sections.items() if section.resource}
    return Remotes(places, resources, serve_here)


def _table(name: str, path: str, config: Config, space: Space, spec: TaskSpec) -> Table:
    table = read(path)
    fits(table, config.targets[name], space, spec)
    return table


def _start(parts: Parts) -> dict[str, Any]:
    """What a start notes of itself."""
    who = {"host": platform.node(), "process": os.getpid(), "versions": versions()}
    return {**parts.config.model_dump(mode="json", include=set(RUNNING)), **who}


def _notes(folder: Folder, parts: Parts) -> Iterator[str]:
    """What is wrong with the record of a run that is to go on."""
    if not is_run(folder):
        return
    record = recover(folder, parts.objectives.metrics, parts.objectives.targets, salvage=True)
    if record.damage:
        yield (
            f"{folder}/{record.damage.name} {record.damage.what}; going on from generation {record.generations} and "
            f"{len(record.rows)} candidates after it; copies of what does not count are kept in {folder}/damaged"
        )
    elif record.torn:
        yield f"the journal of {folder} ends in half a line, as a crash leaves it; the rest is intact"


def versions() -> dict[str, str]:
    names = ("evonas", "torch", "ray", "pymoo", "moocore", "numpy", "pyarrow")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def _own_code(space: Space | None, task: Task | None) -> list[object]:
    """The classes and functions that given parts are made of."""
    return [*([type(space)] if space else []), *([task.loss, task.score, type(task.prepare)] if task else [])]


def _modules_of(*parts: object) -> Iterator[ModuleType]:
    """The modules of the user's own parts, which are in no place of installed packages: a worker may not have them."""
    modules = {module for part in parts if (module := inspect.getmodule(part))}
    places = [sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")]
    for module in sorted(modules, key=lambda module: module.__name__):
        file = vars(module).get("__file__")
        installed = not file or any(Path(file).is_relative_to(place) for place in places)
        if not installed and module.__name__.split(".")[0] not in {"__main__", "evonas"}:
            yield module


def _difference(recorded: Mapping[str, Any], wanted: Mapping[str, Any], path: str = "") -> str:
    """The first key that has another value; RUNNING and the places of targets may."""
    for key in dict.fromkeys((*recorded, *wanted)):
        have, want = recorded.get(key), wanted.get(key)
        if have == want or path + key in RUNNING or (path.startswith("targets.") and key in PLACE):
            continue
        if not (isinstance(have, Mapping) and isinstance(want, Mapping)):
            return f"{path}{key} is {have} there, {want} here"
        if difference := _difference(have, want, f"{path}{key}."):
            return difference
    return ""
