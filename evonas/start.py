"""From a config to a search that runs: the parts, the run folder, the runtime."""

import dataclasses
import inspect
import platform
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from evonas.breeding import Breeder
from evonas.config import Config, construct, load_config
from evonas.evaluation import TASKS, Evaluator, Task
from evonas.loop import Search, Watch
from evonas.objectives import Objectives
from evonas.records import TaskSpec, UserError
from evonas.run import Run
from evonas.runtime import RUNTIMES, Factory
from evonas.spaces import SPACES
from evonas.spaces.space import Space
from evonas.store import Store, create_run, evaluations_schema, is_locked, is_new, read_run, read_starts, recover

RUNNING = ("budget", "runtime")
"""The sections that may change from one start of a search to the next."""
Source = str | Path | Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """What a config stands for. factory: makes the work of one worker."""

    config: Config
    space: Space
    spec: TaskSpec
    objectives: Objectives
    factory: Factory


def assemble(config: Config, space: Space | None = None, task: Task | None = None) -> Parts:
    """Load the data and make the space, unless they are given.

    Raises:
        UserError: a section names a part that does not exist, or asks it for what it cannot do.
    """
    space = space or construct(SPACES, config.space, "space")
    task = task or construct(TASKS, config.task, "task")
    objectives = Objectives(config, task.spec)
    Breeder(config, space, objectives)  # finds fault with the strategy's options now rather than later
    device = "cuda" if config.runtime.gpus_per_worker else "cpu"
    factory = partial(Evaluator, space, task, config, objectives, device)
    return Parts(config, space, task.spec, objectives, factory)


@dataclasses.dataclass(frozen=True, slots=True)
class Prepared:
    """A search that can start: its parts and its run folder, which may be new.

    modules: the user's own, for workers that cannot import them.
    """

    parts: Parts
    folder: Path
    modules: tuple[ModuleType, ...] = ()


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
    run: the folder; default `runs/NAME-FINGERPRINT`. watch: called with each decided candidate.

    Raises:
        UserError: the config is wrong, or the folder holds another search or is damaged.
    """
    prepared = prepare(config, space=space, task=task, run=run)
    execute(prepared, watch=watch)
    return Run(prepared.folder, prepared.parts.space)


def prepare(
    config: Source,
    *,
    overrides: Sequence[str] = (),
    space: Space | None = None,
    task: Task | None = None,
    run: str | Path | None = None,
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
    folder = Path(run) if run is not None else default_folder(name, parts.config)
    check_run(folder, parts)
    if is_locked(folder):
        raise UserError(f"another search is writing to {folder}; wait for it or give another --run")
    if (folder / "run.json").exists():
        recover(folder, parts.objectives.metrics)  # finds damage before any worker starts
    found = _modules_of(*_own_code(space, task))
    return Prepared(parts, folder, (*modules, *found))


def prepare_again(folder: str | Path, *, overrides: Sequence[str] = (), modules: Sequence[ModuleType] = ()) -> Prepared:
    """The search of a run folder as it was last started; `overrides` may change its budget and runtime."""
    config = read_run(Path(folder))["config"]
    for start in read_starts(Path(folder)):
        config.update({section: start[section] for section in RUNNING})
    return prepare(config, overrides=overrides, run=folder, modules=modules)


def execute(prepared: Prepared, *, watch: Watch) -> str:
    """Go on from what the run folder proves until the search ends; why it ended."""
    parts, folder = prepared.parts, prepared.folder
    schema = evaluations_schema(parts.objectives.metrics, parts.objectives.targets)
    runtime = RUNTIMES[parts.config.runtime.kind](parts.factory, parts.config.runtime, prepared.modules)
    with closing(runtime), closing(Store(folder, schema)) as store:
        claim(folder, parts)
        store.started({**parts.config.model_dump(mode="json", include=set(RUNNING)), "versions": versions()})
        loop = Search(parts.config, parts.space, parts.objectives, store, runtime, watch)
        loop.restore(recover(folder, parts.objectives.metrics))
        loop.run()
        store.ended(loop.ended)
    return loop.ended


def default_folder(name: str, config: Config) -> Path:
    return Path("runs") / f"{name}-{config.fingerprint[:8]}"


def check_run(folder: Path, parts: Parts) -> None:
    """Make sure that this search may use the folder: it is new, or holds this search.

    Raises:
        UserError: it holds another search (names the first difference), or something else.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; a run takes a folder")
    if not (folder / "run.json").exists():
        if not is_new(folder):
            raise UserError(f"{folder} is neither empty nor a run folder; give another --run")
        return
    recorded, description = read_run(folder), describe(parts)
    difference = _difference(recorded["config"], description["config"])
    for key in ("space", "task"):
        if not difference and recorded[key] != description[key]:
            difference = f"{key} is {recorded[key]} there, {description[key]} here"
    if difference:
        raise UserError(f"{folder} holds another search: {difference}; give another --run, or the config of that run")


def claim(folder: Path, parts: Parts) -> None:
    """Describe a new run in its run.json; what is there by now must be this search. For the holder of the lock."""
    check_run(folder, parts)
    if not (folder / "run.json").exists():
        create_run(folder, describe(parts))


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
    }


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
    """The first key, budget and runtime aside, that has another value."""
    for key in dict.fromkeys((*recorded, *wanted)):
        have, want = recorded.get(key), wanted.get(key)
        if have == want or path + key in RUNNING:
            continue
        if isinstance(have, Mapping) and isinstance(want, Mapping):
            return _difference(have, want, f"{path}{key}.")
        return f"{path}{key} is {have} there, {want} here"
    return ""
