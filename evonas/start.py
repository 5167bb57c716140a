"""From a config to a search that runs: prepare it, execute it. The composition root of the driver."""

import dataclasses
import inspect
import os
import platform
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, nullcontext
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from evonas.code_owner import is_user_module
from evonas.components import Components, assemble, check_endpoints, check_given
from evonas.config import MUTABLE_SECTIONS, Config
from evonas.config.loading import load_config
from evonas.config.options import construct
from evonas.driver.account import check_prices
from evonas.driver.expecting import expecting_of
from evonas.driver.finishing import finish
from evonas.driver.loop import Search, Watch
from evonas.driver.progress import shown
from evonas.driver.waiting import Wait
from evonas.errors import Halted, RuntimeNotStarted, UserError
from evonas.evaluation.learners import LEARNERS
from evonas.measuring import float32
from evonas.measuring.identity import of_rows
from evonas.objectives.metrics import METRICS
from evonas.records import RunKind, TaskSpec
from evonas.reuse import Chosen, Reuse, architectures, chosen, reuse, run_id
from evonas.reuse.architectures import Architectures
from evonas.run_identity import (
    as_begun,
    begun_from,
    check_run,
    create_or_check,
    data_path,
    default_folder,
    recorded_training,
    versions,
)
from evonas.runs.empty_front import why_empty
from evonas.runs.run import Run
from evonas.runtime import OnWait, Runtime, at_any_cost, make_runtime
from evonas.spaces import SPACES
from evonas.spaces.space import Space
from evonas.start_notes import start_notes
from evonas.store import (
    ORIGIN,
    Folder,
    Store,
    evaluations_schema,
    has_own_description,
    import_options,
    is_run,
    open_folder,
    read_measured,
    read_run,
    read_starts,
    recover,
)
from evonas.strategies import STRATEGIES
from evonas.tabular import EvaluatorFactory
from evonas.tasks import TASKS, Task
from evonas.tasks.data_record import in_words
from evonas.tasks.given import is_given
from evonas.tracking import TrackerDispatcher, missing

Source = str | Path | Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class PreparedSearch:
    """A search that can start: its components and its run folder, which may be new.

    modules: the user's own, for workers that cannot import them. notes: what a person should know before it starts.
    data: what each split has, in words; empty where nothing is trained. reuse: what it begins with. founders_from: the
    file or the run that its founders were taken from.
    """

    components: Components
    folder: Folder
    modules: tuple[ModuleType, ...] = ()
    notes: tuple[str, ...] = ()
    data: str = ""
    reuse: Reuse = dataclasses.field(default_factory=Reuse)
    founders_from: str = ""


def search(
    config: Source,
    *,
    space: Space | None = None,
    task: Task | TaskSpec | None = None,
    evaluator: EvaluatorFactory | None = None,
    run: str | Path | None = None,
    from_run: str | Path | None = None,
    founders: Architectures | None = None,
    watch: Watch = lambda search, evaluation: None,
    progress: bool = True,
) -> Run:
    """Run a search to its end, or go on with the one in the run folder. Warns where it ends with an empty front.

    Args:
        config: a YAML file or the same as a mapping.
        space: your own, in the place of the config's section.
        task: your own, in the place of the config's section; with an evaluator, what it says of itself will do.
        evaluator: in the place of measuring and training, e.g. `evonas.tabular.Tabular`.
        run: the folder, or a URL such as s3://bucket/run; default `runs/NAME-FINGERPRINT`.
        from_run: an earlier run of the same space, data and training, whose evaluations are re-used.
        founders: architectures that are evaluated first, as mappings, a JSON, YAML or Parquet file of them, or a run,
            whose front they are then; in the place of the config's.
        watch: called with the search and each evaluated candidate.
        progress: show how far it is, in one line on the standard error or below a notebook's cell, and what fails
            again and again.

    Raises:
        UserError: the config is wrong, the folder holds another search, or nothing of `from_run` can be re-used.
        Halted: the search had to stop; called again, it goes on.
    """
    prepared = prepare(
        config, space=space, task=task, evaluator=evaluator, run=run, from_run=from_run, founders=founders
    )
    for note in prepared.notes:
        warnings.warn(note, stacklevel=2)
    with shown(watch) if progress else nullcontext(watch) as watcher:
        execute(prepared, watch=watcher)
    found = Run(prepared.folder, prepared.components.space)
    if why := why_empty(found.evaluations, found.front(), found.folder):
        warnings.warn(why, stacklevel=2)
    return found


def prepare(
    config: Source,
    *,
    overrides: Sequence[str] = (),
    space: Space | None = None,
    task: Task | TaskSpec | None = None,
    evaluator: EvaluatorFactory | None = None,
    run: str | Path | Folder | None = None,
    modules: Sequence[ModuleType] = (),
    from_run: str | Path | None = None,
    founders: Architectures | None = None,
) -> PreparedSearch:
    """Check everything that can be checked before a worker starts. Writes nothing.

    Args:
        config: a YAML file or the same as a mapping.
        overrides: KEY=VALUE.
        space, task, evaluator, run: as of `search`.
        modules: the user's own; those that define `space`, `task` and so on are found.
        from_run, founders: as of `search`.

    Raises:
        UserError: the config is wrong, the folder holds another search, or nothing of `from_run` can be re-used.
    """
    name = Path(config).stem if isinstance(config, str | Path) else "search"
    check_given(space, task)
    given: dict[str, Any] = {}
    if founders is not None:
        given["founders"] = str(founders) if isinstance(founders, str | Path) else architectures(founders)
    if space:
        names = [kind for kind, part in SPACES.items() if part is type(space)]
        given["space"] = {"kind": names[0] if names else type(space).__name__}
    if task:
        given["task"] = {"kind": (task if isinstance(task, TaskSpec) else task.spec).name}
    taken, folder = _placed(load_config(config, overrides, given), space, name, run, from_run)
    wanted = taken.config
    if is_run(folder):
        wanted = as_begun(wanted, read_run(folder)["config"])
    components = _assembled(wanted, space, task, evaluator, folder)
    if expecting := expecting_of(components.config, components.space, components.objectives):
        expecting.try_out(components.space)
    check_run(folder, components)
    begins_with = reuse(from_run, folder, components)
    if lacking := missing(components.config.tracking):
        raise UserError(lacking)
    found = _modules_of(_own_code(components, evaluator))
    data = components.data
    notes = (*start_notes(wanted, components, folder), *taken.notes, *begins_with.notes)
    words = in_words(data) if data else ""
    every = tuple(dict.fromkeys((*modules, *found)))
    return PreparedSearch(components, folder, every, notes, words, begins_with, taken.source)


def _placed(
    wanted: Config, space: Space | None, name: str, run: str | Path | Folder | None, from_run: str | Path | None
) -> tuple[Chosen, Folder]:
    """The config with its founders as a list, and where the search is recorded."""
    if run is None and from_run is None and isinstance(wanted.founders, str):
        run = begun_from(name, wanted)
    there = None if run is None else open_folder(run)
    taken = Chosen(wanted)
    if isinstance(wanted.founders, str):
        space = construct(SPACES, wanted.space, "space") if space is None else space
        taken = chosen(wanted, space, there) if isinstance(space, Space) else taken
    origin = run_id(open_folder(from_run)) if from_run is not None and run is None else ""
    return taken, there or open_folder(default_folder(name, taken.config, origin))


def _assembled(
    config: Config,
    space: Space | None,
    task: Task | TaskSpec | None,
    evaluator: EvaluatorFactory | None,
    folder: Folder,
) -> Components:
    """The parts of a search; where its data are not found any more, the error says how a run goes on elsewhere."""
    try:
        return assemble(
            config, space, task, evaluator, owner_of(folder), begun(folder, config), recorded_training(folder)
        )
    except UserError as error:
        if not (is_run(folder) and str(error).startswith("task.path: ")):
            raise
        raise UserError(f"{error}; where the data of {folder} have moved, say --set task.path=WHERE") from None


def begun(folder: Folder, config: Config) -> RunKind:
    """What the rows of a run that is to go on have alike: the kind of device of each target, and the precision."""
    if not is_run(folder):
        return RunKind()
    description = read_run(folder)
    rows = recover(folder, description["metrics"], description["targets"], salvage=True).evaluated
    strict = [name for name, target in config.targets.items() if not target.any_device]
    devices = of_rows((row.conditions for row in rows), strict)
    trained = [row.conditions for row in rows if row.curve and "from" not in row.conditions]
    dtypes = (conditions.get("dtype", "") for conditions in trained)
    return RunKind(devices, next(dtypes, ""), float32=float32.of_run(trained))


def prepare_again(
    where: str | Path, *, overrides: Sequence[str] = (), modules: Sequence[ModuleType] = ()
) -> PreparedSearch:
    """The search of a run folder as it was last started; `overrides` may change its budget, runtime and tracking, and
    say where its data are now."""
    folder = open_folder(where)
    config = read_run(folder)["config"]
    for start in read_starts(folder):
        config.update({section: start[section] for section in MUTABLE_SECTIONS if section in start})
        if start.get("data_path"):
            config["task"] = {**config["task"], "path": start["data_path"]}
    if any(override.partition("=")[0].strip() == "budget.time" for override in overrides):
        config["budget"] = {**config["budget"], "hours": None}
    for noun, registry in (("space", SPACES), ("task", TASKS), ("strategy", STRATEGIES), ("learner", LEARNERS)):
        if config[noun]["kind"] not in registry:
            raise UserError(f"the {noun} {config[noun]['kind']!r} of {folder} is not evonas's own: {_imports(folder)}")
    if is_given(config["task"]):
        how = f"evonas.search(CONFIG, run={str(folder)!r}, task=TASK)"
        raise UserError(f"the task of {folder} was given to it in Python: go on from where it is made, by {how}")
    origin = read_run(folder).get(ORIGIN) or {}
    return prepare(config, overrides=overrides, run=folder, modules=modules, from_run=origin.get("run"))


def _imports(folder: Folder) -> str:
    """How to bring the parts of the user's own with which a search was started."""
    given = import_options(folder).strip()
    return f"go on with {given}, as it was started" if given else "give the module that registers it by --import"


def execute(prepared: PreparedSearch, *, watch: Watch, take_over: bool = False) -> str:
    """Go on from what the run folder proves until the search ends; why it ended.

    take_over: also where another search seems to hold the folder, which then cannot record anything any more.

    Raises:
        UserError: another search holds the folder, or no worker could start.
        Halted: the search had to stop.
    """
    if ended := ended_before(prepared):
        note_moved_data(prepared, ended, take_over=take_over)
        return ended
    components, folder = prepared.components, prepared.folder
    if is_run(folder):
        read_measured(folder)  # finds damage now
    metrics, targets = components.objectives.metrics, components.objectives.targets
    store = Store(folder, evaluations_schema(metrics, targets), take_over)
    with ExitStack() as ends:
        ends.callback(store.close)
        check_endpoints(components)
        trackers = TrackerDispatcher(components.config, folder, watch)
        ends.callback(trackers.wait)  # when the workers have gone
        runtime = _first_workers(prepared, ends, store)
        check_prices(components.config.budget.usd, runtime.spent, begun=False)
        ends.callback(store.close)  # before the workers are ended: what is decided is on disk, whatever that takes
        create_or_check(folder, components, prepared.reuse.origin, prepared.reuse.rows, prepared.founders_from)
        store.started(_start(prepared))
        ends.enter_context(trackers)
        founders = prepared.reuse.founders
        loop = Search(components.config, components.space, components.objectives, store, runtime, trackers, founders)
        loop.owner = owner_of(folder)
        loop.restore(recover(folder, metrics, targets, salvage=True))
        loop.run()
        trained = components.spec.metrics.keys() if components.task else None
        finish(loop, folder, store, partial(_workers, prepared, ends), trained)
        store.ended(loop.ended, runtime.late_results, loop.elapsed_s, loop.rest_usd)
    return loop.ended


def _first_workers(prepared: PreparedSearch, ends: ExitStack, store: Store) -> Runtime:
    """The same, when the search starts. A wait for them that was in vain is recorded with what it cost."""
    components, folder = prepared.components, prepared.folder
    objectives = components.objectives
    before = recover(folder, objectives.metrics, objectives.targets, salvage=True) if is_run(folder) else None
    wait = Wait(components.config.budget, before)
    try:
        return _workers(prepared, ends, wait.look)
    except (UserError, Halted, KeyboardInterrupt) as stop:
        blameless = not isinstance(stop, UserError) or isinstance(stop, RuntimeNotStarted)
        if wait.usd and (before or blameless):  # a config that workers refuse must not claim a folder
            create_or_check(folder, components, prepared.reuse.origin, prepared.reuse.rows, prepared.founders_from)
            store.started(_start(prepared))
            store.ended("", 0, before.elapsed_s if before else 0.0, wait.usd)
        raise


def _workers(prepared: PreparedSearch, ends: ExitStack, on_wait: OnWait = at_any_cost) -> Runtime:
    """The workers of a search, for as long as `ends` is open."""
    components = prepared.components
    runtime = make_runtime(components.factory, components.config.runtime, prepared.modules, components.remotes, on_wait)
    ends.callback(runtime.close)
    return runtime


def owner_of(folder: Folder) -> str:
    """How other searches on the machine see this one: by its folder, wherever they were started."""
    where = str(folder)
    return where if "://" in where else os.path.abspath(where)


def ended_before(prepared: PreparedSearch) -> str:
    """Why the search of a run folder ended, where nothing is left to do; else an empty text. Only reads.

    Args:
        prepared: With the budget that the search ended with, and no tracker that would have to be told.
    """
    config, folder = prepared.components.config, prepared.folder
    if config.tracking or not is_run(folder) or not has_own_description(folder):
        return ""
    last = (read_starts(folder) or [{}])[-1]
    if {"usd": None, **last.get("budget", {})} != config.budget.model_dump(mode="json"):  # a key of later
        return ""
    objectives = prepared.components.objectives
    intact = not recover(folder, objectives.metrics, objectives.targets, salvage=True).damage
    return str(last.get("ended", "")) if intact and not Run(folder).unmeasured else ""


def note_moved_data(prepared: PreparedSearch, ended: str, *, take_over: bool = False) -> None:
    """Note in a run in which nothing is left to do where its data are now; nothing is written where they have stayed.

    Args:
        prepared: The search.
        ended: Why it had ended.
        take_over: As of `execute`.
    """
    folder, objectives = prepared.folder, prepared.components.objectives
    if read_starts(folder)[-1].get("data_path") in (None, data_path(prepared.components.config)):
        return
    metrics, targets = objectives.metrics, objectives.targets
    with closing(Store(folder, evaluations_schema(metrics, targets), take_over)) as store:
        store.started(_start(prepared))
        store.ended(ended, 0, recover(folder, metrics, targets, salvage=True).elapsed_s)


def _start(prepared: PreparedSearch) -> dict[str, Any]:
    """What a start notes of itself."""
    who: dict[str, Any] = {"host": platform.node(), "process": os.getpid(), "versions": versions()}
    who["modules"] = [module.__name__ for module in prepared.modules]  # for who goes on with it elsewhere
    who["data_path"] = data_path(prepared.components.config)  # they may have moved since the run began
    return {**prepared.components.config.model_dump(mode="json", include=set(MUTABLE_SECTIONS)), **who}


def _own_code(components: Components, evaluator: EvaluatorFactory | None) -> Iterator[object]:
    """What a user may have given or added to a registry and a worker needs: classes, functions, objects."""
    learner = LEARNERS.get(components.config.learner.kind)
    computed = [METRICS[name].compute for name in components.objectives.network_metrics if name in METRICS]
    parts: list[object] = [components.space, learner, evaluator, *computed]
    if task := components.task:
        parts += [task.prepare, task.loss, task.augment, *task.metrics.values()]
    for part in parts:
        yield from _made_of(part)


def _made_of(part: Any) -> Iterator[object]:
    """A part, its class, and what it was given: of a `partial` or a dataclass, such as `Tabular`."""
    yield from (part, type(part))
    if isinstance(part, partial):
        for given in (part.func, *part.args, *part.keywords.values()):
            yield from _made_of(given)
    elif dataclasses.is_dataclass(part) and not isinstance(part, type):
        for field in dataclasses.fields(part):
            yield from _made_of(getattr(part, field.name))


def _modules_of(parts: Iterable[object]) -> list[ModuleType]:
    """The modules of the user's own parts: a worker may not have them."""
    modules = {module for part in parts if (module := inspect.getmodule(part)) and is_user_module(module)}
    return sorted(modules, key=lambda module: module.__name__)
