"""Which search a run folder holds: what run.json says of it, and whether another one may go on with it."""

import hashlib
import platform
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from evonas.components import Components
from evonas.config import (
    BEFORE,
    ENDPOINT_KEYS,
    LATER_TRAINING_KEYS,
    MUTABLE_SECTIONS,
    PLACES,
    Config,
    TargetConfig,
    TrainingConfig,
)
from evonas.config.options import with_defaults
from evonas.errors import UserError
from evonas.evaluation.learners import LEARNERS
from evonas.inputs import to_plain
from evonas.neighbours import block_of
from evonas.records import TaskSpec
from evonas.spaces import SPACES
from evonas.store import (
    NAMES,
    ORIGIN,
    TOKENIZER,
    Folder,
    create_run,
    evaluations_schema,
    is_new,
    is_run,
    mend_run,
    open_folder,
    read_run,
    strategy_before,
    write_reused,
    write_vouched,
)
from evonas.strategies import STRATEGIES
from evonas.tasks import TASKS, Task
from evonas.tasks.data_record.difference import data_difference
from evonas.tasks.data_record.record import DataRecord
from evonas.tasks.data_record.run_json import in_run_json, names_file, recorded_data
from evonas.tasks.metrics import reduction

PARTS: dict[str, Mapping[str, Callable[..., Any]]] = {
    "space": SPACES,
    "task": TASKS,
    "strategy": STRATEGIES,
    "learner": LEARNERS,
}
FOUNDERS_FROM = "founders_from"
"""The key of run.json which says where the founders of a search were taken from."""


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


def as_begun(config: Config, recorded: Mapping[str, Any]) -> Config:
    """A config as the run meant it that it goes on with: before targets had `includes`, their latency was that of the
    network alone; before they had `screen`, each network was measured to the end at once; before they had `any_device`,
    devices were mixed; GPUs ran eager; no window grew, and NSGA-II had other defaults; at rung 0 costs counted by their
    logarithms.

    Args:
        config: which may leave these keys out.
        recorded: the run's config.

    Returns:
        The config; targets, the schedule, the strategy and rung 0 have the run's keys where they leave them out.
    """
    targets = {
        name: _target_as_begun(target, recorded["targets"][name]) if name in recorded["targets"] else target
        for name, target in config.targets.items()
    }
    training = _training_as_begun(config.training, recorded["training"].get("before"))
    config = config.model_copy(update={"targets": targets, "training": training})
    then = strategy_before(recorded["strategy"])
    if recorded["schedule"]["grows"] or any(recorded["strategy"].get(key) is None for key in then):
        return config
    schedule, strategy = config.schedule, config.strategy
    if "grows" not in schedule.model_fields_set:
        schedule = schedule.model_copy(update={"grows": False})
    if strategy.kind == recorded["strategy"]["kind"]:
        options = {key: recorded["strategy"][key] for key in then} | strategy.options
        strategy = type(strategy)(kind=strategy.kind, **options)
    return config.model_copy(update={"schedule": schedule, "strategy": strategy})


def recorded_training(folder: Folder) -> Mapping[str, Any] | None:
    """The section `training` of the run in a folder; None where there is none."""
    training: Mapping[str, Any] | None = read_run(folder)["config"].get("training") if is_run(folder) else None
    return training


def _target_as_begun(target: TargetConfig, recorded: Mapping[str, Any]) -> TargetConfig:
    then = {key: value for key, value in {**BEFORE, "graph": False}.items() if recorded.get(key) == value}
    then["any_device"] = recorded.get("any_device", True)
    return target.model_copy(update={key: value for key, value in then.items() if key not in target.model_fields_set})


def _training_as_begun(training: TrainingConfig, recorded: Mapping[str, Any] | None) -> TrainingConfig:
    before = training.before
    if not (before and recorded) or "costs" in before.model_fields_set:
        return training
    return training.model_copy(update={"before": before.model_copy(update={"costs": recorded["costs"]})})


def _holds(path: Path, config: Config) -> bool:
    """Whether the folder is a run of this config."""
    try:
        recorded = read_run(open_folder(path))["config"]
    except (UserError, OSError):
        return False
    config = as_begun(config, recorded)
    return not different_key(resolved(recorded), resolved(config.model_dump(mode="json")))


def check_run(folder: Folder, components: Components) -> None:
    """Make sure that this search may use the folder: it is new, or holds this search.

    Raises:
        UserError: it holds another search (names the first difference), one with other data, or something else.
    """
    if not is_run(folder):
        if not is_new(folder):
            raise UserError(f"{folder} is neither empty nor a run folder; give another --run")
        return
    recorded, description = read_run(folder), describe(components)
    config, path = recorded["config"], data_path(components.config)
    there = {**config, "task": {**config["task"], "path": path}} if path and config["task"].get("path") else config
    difference = different_key(resolved(there), resolved(description["config"]))
    if moved_data(folder, recorded, components):
        description["task"]["name"] = recorded["task"]["name"]  # which may be that of the file
    elif not difference:
        difference = different_key(resolved(config), resolved(description["config"]))
    then = recorded_data(recorded, folder)
    if not difference and then and components.data and (changed := data_difference(then, components.data)):
        raise UserError(f"{folder} was searched with other data: {changed}; give the data of then, or another --run")
    for key in ("space", "task", "tables", "evaluator"):
        if not difference and recorded[key] not in (None, description[key]):
            difference = f"{key} is {recorded[key]} there, {description[key]} here"
    if not difference and recorded.get("supernet") != description.get("supernet"):
        difference = f"supernet is {recorded.get('supernet')} there, {description.get('supernet')} here (SHA-256)"
    if difference:
        raise UserError(f"{folder} holds another search: {difference}; give another --run, or the config of that run")


def data_path(config: Config) -> str | None:
    """`task.path`, where the task has one."""
    path = config.model_dump(mode="json")["task"].get("path")
    return path if isinstance(path, str) else None


def moved_data(folder: Folder, recorded: Mapping[str, Any], components: Components) -> str:
    """Where the data of a run were when it began, if they are elsewhere now and still the same; else an empty text.

    Args:
        folder: Of the run.
        recorded: Its run.json.
        components: Of the search that is to go on with it.

    Raises:
        UserError: The run.json says something else of the data than evonas writes.
    """
    path, before = data_path(components.config), recorded["config"]["task"].get("path")
    then = recorded_data(recorded, folder)
    if not (path and before and then and components.data) or path == before:
        return ""
    return "" if data_difference(then, components.data) else str(before)


def create_or_check(
    folder: Folder,
    components: Components,
    origin: Mapping[str, Any],
    reused: Sequence[Mapping[str, Any]],
    founders_from: str = "",
) -> None:
    """Describe a new run in its run.json; what is there by now must be this search. For the holder of the lock.

    Args:
        folder: of the run.
        components: of the search.
        origin: the run that it re-uses, as run.json says it; empty: none.
        reused: rows of that run.
        founders_from: the file or the run of its founders; empty: the config has listed them.
    """
    check_run(folder, components)
    if not is_run(folder):
        description = {"id": uuid.uuid4().hex, **describe(components)}
        if founders_from:
            description[FOUNDERS_FROM] = founders_from
        if origin:
            schema = evaluations_schema(components.objectives.metrics, components.objectives.targets)
            description[ORIGIN] = {**origin, "rows": len(reused), "sha256": write_reused(folder, reused, schema)}
        for name, data in _vouched(components.data).items():
            write_vouched(folder, name, data)
        create_run(folder, description)
    mend_run(folder)


def _vouched(data: DataRecord | None) -> dict[str, bytes]:
    """Files of what is too much for a run.json."""
    found = {NAMES: names_file(data.names), TOKENIZER: data.tokenizer.encode()} if data else {}
    return {name: content for name, content in found.items() if content}


def describe(components: Components) -> dict[str, Any]:
    """What run.json says, as plain data: enough to read the run without the user's code."""
    return {
        "fingerprint": components.config.fingerprint,
        "config": components.config.model_dump(mode="json"),
        "space": components.space.signature(),
        "task": describe_task(components.spec),
        "evaluator": components.evaluator,
        "objectives": [{"column": o.key, "unit": o.unit, "sign": o.sign} for o in components.objectives.objectives],
        "metrics": list(components.objectives.metrics),
        "targets": list(components.objectives.targets),
        "validation": _validation(components.task),
        "tables": {name: table.sha256 for name, table in components.tables.items()},
        "data": in_run_json(components.data).model_dump(mode="json") if components.data else None,
        **({"supernet": components.supernet.sha256} if components.supernet else {}),
    }


def _validation(task: Task | None) -> dict[str, Any] | None:
    """How many examples the metrics are of, which of these are shares of them, which follow how from one number an
    example, and how many neighbours are drawn together, where they overlap."""
    if task is None:
        return None
    shares = [name for name, metric in task.metrics.items() if metric.share]
    reductions = {name: how for name, metric in task.metrics.items() if (how := reduction(metric))}
    blocks = {"block": block} if (block := block_of(task.overlap, len(task.splits.valid))) > 1 else {}
    return {"examples": len(task.splits.valid), "shares": shares, "reductions": reductions, **blocks}


def describe_task(spec: TaskSpec) -> dict[str, Any]:
    """A task's spec as plain data."""
    shape, metrics = list(spec.output_shape), dict(spec.metrics)
    units = {"units": [list(each) for each in spec.units]} if spec.units else {}
    starts = {"starts": list(spec.starts)} if spec.starts else {}
    return {
        "name": spec.name,
        "input": to_plain(spec.input),
        "output_shape": shape,
        "metrics": metrics,
        **units,
        **starts,
    }


_version = cache(version)
"""Which reads a file of metadata whole each time."""


def versions() -> dict[str, str]:
    names = ("evonas", "torch", "ray", "pymoo", "moocore", "numpy", "pyarrow")
    return {"python": platform.python_version(), **{name: _version(name) for name in names}}


def resolved(config: Mapping[str, Any]) -> dict[str, Any]:
    """With the options that its parts have by default, whether they are given or not, and keys of `training` that are
    younger than the config; without the place of the supernet, whose content is compared."""
    default = TrainingConfig()
    keys = (*LATER_TRAINING_KEYS, *default.unused)
    later = {key: getattr(default, key) for key in keys if key not in ("augment", "supernet")}
    parts = {name: with_defaults(PARTS[name], own) if name in PARTS else own for name, own in config.items()}
    if "task" in parts:
        kept_out = PLACES.get(parts["task"].get("kind", ""), ())
        parts["task"] = {key: value for key, value in parts["task"].items() if key not in kept_out}
    if "training" not in config:
        return parts
    augment = {**default.augment.model_dump(mode="json"), **config["training"].get("augment", {})}
    own = {key: value for key, value in config["training"].items() if key != "supernet"}
    return {**parts, "training": {**later, **own, "augment": augment}}


def different_key(recorded: Mapping[str, Any], wanted: Mapping[str, Any], path: str = "") -> str:
    """The first key that has another value; MUTABLE_SECTIONS and the places of targets may."""
    for key in dict.fromkeys((*recorded, *wanted)):
        have, want = recorded.get(key), wanted.get(key)
        if have == want or path + key in MUTABLE_SECTIONS or (path.startswith("targets.") and key in ENDPOINT_KEYS):
            continue
        if not (isinstance(have, Mapping) and isinstance(want, Mapping)):
            return f"{path}{key} is {have} there, {want} here"
        if difference := different_key(have, want, f"{path}{key}."):
            return difference
    return ""
