"""From a config to a search that can start: everything is checked that can be, and nothing is written."""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from evonas.components import Components, assemble, check_given
from evonas.config import MUTABLE_SECTIONS, Config
from evonas.config.loading import load_config
from evonas.config.options import construct
from evonas.driver.expecting import expecting_of
from evonas.errors import UserError
from evonas.evaluation.learners import LEARNERS
from evonas.measuring import float32
from evonas.measuring.identity import of_rows
from evonas.records import RunKind, TaskSpec
from evonas.reuse import Chosen, architectures, chosen, reuse, run_id
from evonas.reuse.architectures import Architectures
from evonas.run_identity.as_begun import as_begun
from evonas.run_identity.checking import check_run, recorded_training
from evonas.run_identity.finding import begun_from, default_folder
from evonas.spaces import SPACES
from evonas.spaces.space import Space
from evonas.start.own_modules import own_modules
from evonas.start.prepared import PreparedSearch, Source, owner_of
from evonas.start_notes import start_notes
from evonas.store import (
    ORIGIN,
    Folder,
    as_last_started,
    import_options,
    is_run,
    open_folder,
    read_run,
    read_starts,
    recover,
)
from evonas.strategies import STRATEGIES
from evonas.supernet.file import MAKES_ONE
from evonas.tabular import EvaluatorFactory
from evonas.tasks import TASKS, Task
from evonas.tasks.data_record.words import in_words
from evonas.tasks.given import is_given
from evonas.tracking import missing


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
    found = own_modules(components, evaluator)
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
    """The parts of a search; where its data or its supernet are not found any more, the error says how a run goes on
    elsewhere."""
    try:
        return assemble(
            config, space, task, evaluator, owner_of(folder), begun(folder, config), recorded_training(folder)
        )
    except UserError as error:
        if is_run(folder) and str(error).startswith("no supernet "):
            lost = str(error).removesuffix(MAKES_ONE)
            raise UserError(f"{lost}; where that of {folder} has moved, say --set training.supernet=WHERE") from None
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
    say where its data and its supernet are now."""
    folder = open_folder(where)
    starts = read_starts(folder)
    config = as_last_started(read_run(folder)["config"], starts)
    for start in starts:
        config.update({section: start[section] for section in MUTABLE_SECTIONS if section in start})
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
