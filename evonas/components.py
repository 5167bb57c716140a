"""What a config stands for: the space, the task, the objectives, where targets are measured, and what a worker does."""

import dataclasses
import os
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from torch import nn

from evonas.config import PLACES, Config
from evonas.config.options import check_options, construct
from evonas.config.recipe import with_recipe
from evonas.errors import TargetUnavailable, UserError
from evonas.evaluation import Evaluator, agreement
from evonas.evaluation.learners import LEARNERS, Cached, Learner
from evonas.evaluation.looking_ahead import check_looks_back
from evonas.evaluation.targets import prepared
from evonas.evaluation.task_inputs import check_inputs
from evonas.evaluation.task_loss import check_loss
from evonas.evaluation.task_metrics import check_metrics
from evonas.evaluation.training import augment
from evonas.evaluation.untrained.costs import resolve
from evonas.latency_tables.table import Table, check_compatible, read
from evonas.measuring.backends.backend import check_device
from evonas.measuring.backends.export import ExportError, takes_file, to_file
from evonas.measuring.benchmark import REFERENCE_INPUT
from evonas.measuring.reference import reference
from evonas.measuring.remote.client import MeasureError, Remote
from evonas.measuring.remote.server import serve_here
from evonas.objectives.objectives import Objectives
from evonas.paths import expanded
from evonas.records import UNKNOWN, Endpoint, Inputs, RunKind, TaskSpec
from evonas.runtime import Factory, Remotes
from evonas.spaces import SPACES
from evonas.spaces.space import Space
from evonas.store.columns import FIXED
from evonas.strategies import STRATEGIES
from evonas.supernet.file import Supernet
from evonas.supernet.file import check_compatible as check_supernet
from evonas.supernet.file import read as read_supernet
from evonas.supernet.inheriting import Inheriting
from evonas.tabular import EvaluatorFactory
from evonas.tasks import TASKS, Task
from evonas.tasks.data_record.describing import data_record
from evonas.tasks.data_record.record import DataRecord
from evonas.tasks.offered import check_listed
from evonas.tasks.shipped import Preparation, Shipped
from evonas.text import one_line


@dataclasses.dataclass(frozen=True, slots=True)
class Components:
    """What a config stands for.

    Args:
        config: the whole config.
        space: the networks.
        spec: of the task.
        objectives: of config and task.
        factory: makes the work of one worker.
        tables: target -> where its latencies come from, of those that are not measured.
        remotes: targets that are not measured on the workers.
        evaluator: name of what evaluates candidates instead of training them; "" where they are trained.
        task: with its data, where networks are trained on them.
        data: what the run folder keeps of the data.
        supernet: whose weights networks inherit at rung 0, where it decides there.
    """

    config: Config
    space: Space
    spec: TaskSpec
    objectives: Objectives
    factory: Factory
    tables: Mapping[str, Table] = dataclasses.field(default_factory=dict)
    remotes: Remotes = dataclasses.field(default_factory=Remotes)
    evaluator: str = ""
    task: Task | None = None
    data: DataRecord | None = None
    supernet: Supernet | None = None


def assemble(
    config: Config,
    space: Space | None = None,
    task: Task | TaskSpec | None = None,
    evaluator: EvaluatorFactory | None = None,
    owner: str = "",
    begun: RunKind = UNKNOWN,
    recorded: Mapping[str, Any] | None = None,
) -> Components:
    """Load the data and make the space, unless they are given.

    Args:
        config: the whole config.
        space, task: in the place of the config's sections. With an evaluator, what the task takes and gives is enough.
        evaluator: what evaluates candidates instead of building and training networks.
        owner: of the search's measurements, for others that wait for the device.
        begun: what the rows of the run so far have alike.
        recorded: `training` of the run that goes on; in it stands what a task recommended when it began.

    Raises:
        UserError: a section names a part that does not exist, or asks it for what it cannot do, or the space does not
            take the task.
    """
    space = construct(SPACES, config.space, "space") if space is None else space
    task = construct(TASKS, config.task, "task") if task is None else task
    check_given(space, task)
    if space is None or task is None:
        noun, kind = ("space", config.space.kind) if space is None else ("task", config.task.kind)
        raise UserError(f"{noun}: {kind} returns None; return a {noun.capitalize()}")
    spec = task if isinstance(task, TaskSpec) else task.spec
    if isinstance(task, Task) and not evaluator:
        config = with_recipe(config, task.recipe, recorded)
    if isinstance(task, Task):
        check_listed(config, task)
    objectives = Objectives(config, spec)
    for name in objectives.targets:
        check_device(name, config.targets[name])
    if taken := [name for name in objectives.metrics if name in FIXED]:
        raise UserError(f"metric {taken[0]}: every row has a column of that name; rename the metric")
    check_options(STRATEGIES, config.strategy, "strategy")
    if evaluator:
        work = partial(evaluator, space, config, objectives)
        return Components(config, space, spec, objectives, work, evaluator=name_of(evaluator))
    if isinstance(task, TaskSpec):
        raise UserError(f"task {spec.name}: networks are trained on data; give a Task, or an evaluator")
    try:
        space.check_task(spec)
    except ValueError as error:
        raise UserError(f"space: {error}") from None
    stored = prepared(config, objectives, task)
    inputs = stored.inputs if stored else None
    if stored:
        _check_convertible(config, objectives, stored)
    tables = {name: _table(name, path, config, space, spec, inputs) for name, path in objectives.tables.items()}
    data = data_record(task)
    supernet = _supernet(config, space, task) if objectives.by_supernet else None
    factory = _training(config, space, task, objectives, tables, owner, begun, data, supernet)
    endpoints = remotes(config, objectives.targets)
    return Components(
        config, space, spec, objectives, factory, tables, endpoints, task=task, data=data, supernet=supernet
    )


def check_given(space: object, task: object) -> None:
    """
    Raises:
        UserError: one of them is a class in the place of an object or something else, or the space has no genes.
    """
    for noun, part, kinds in (("space", space, Space), ("task", task, Task | TaskSpec)):
        if part is not None and not isinstance(part, kinds):
            made = f"{part.__name__} itself; give {part.__name__}()" if isinstance(part, type) else one_line(repr(part))
            raise UserError(f"{noun}: takes a {noun.capitalize()}, not {made}")
    if isinstance(space, Space):
        try:
            _ = space.leaves
        except ValueError as error:
            raise UserError(f"space: {error}") from None


def _training(
    config: Config,
    space: Space,
    task: Task,
    objectives: Objectives,
    tables: Mapping[str, Table],
    owner: str,
    begun: RunKind,
    data: DataRecord,
    supernet: Supernet | None,
) -> Factory:
    """What builds, measures and trains networks. What a user may have registered is resolved here, on the driver."""
    learner = construct(LEARNERS, config.learner, "learner")
    check_inputs(task)
    check_looks_back(space, task)
    check_learner(learner, config, objectives)
    check_metrics(task)
    if learner.trains:
        check_loss(task, config.training.label_smoothing)
    augment.check(config.training.augment, task)
    return partial(
        Evaluator,
        space,
        task,
        config,
        objectives,
        "cuda" if config.runtime.gpus_per_worker else "cpu",
        {name: table.entries for name, table in tables.items()},
        learner=_with_cache(learner, config, objectives, space, data, owner),
        metrics=resolve(objectives.network_metrics),
        inherit=Inheriting(supernet.tensors) if supernet else None,
        expected=agreement(space, task),
        owner=owner,
        begun=begun,
    )


def _with_cache(
    learner: Learner, config: Config, objectives: Objectives, space: Space, data: DataRecord, owner: str
) -> Learner:
    """
    Raises:
        UserError: the folder of the cache cannot be written into, or what is kept there does not suffice.
    """
    if not config.runtime.cache or not learner.trains:
        return learner
    if config.training.rungs and any(objectives.judged.values()):
        raise UserError(
            "runtime.cache: keeps the weights of the end alone, and the error in 8 bits at a rung needs those of then: "
            "leave the cache or training.rungs out"
        )
    folder = expanded(config.runtime.cache, "runtime.cache").absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"runtime.cache: {folder} is no folder to write into: {error.strerror}") from None
    if not os.access(folder, os.W_OK):
        raise UserError(f"runtime.cache: {folder} is no folder to write into; give another")
    recipe = config.model_dump(mode="json", include={"task", "learner", "seed"})
    for key in ("path", *PLACES.get(config.task.kind, ())):
        recipe["task"].pop(key, None)  # what is there is in the record of the data
    beside = {"names_sha256", "text", "tokenizer"}  # how the examples came about, which their SHA-256 stand for
    recipe |= {"space": space.signature(), "data": data.model_dump(mode="json", exclude=beside)}
    return Cached(learner, folder, space, recipe, owner)


def name_of(evaluator: object) -> str:
    """Under which name a run says what evaluated it."""
    while isinstance(evaluator, partial):
        evaluator = evaluator.func
    return str(getattr(evaluator, "__qualname__", type(evaluator).__qualname__))


def check_learner(learner: Learner, config: Config, objectives: Objectives) -> None:
    """
    Raises:
        UserError: it lacks what a learner has, or something is asked for that is known after training alone, and
            nothing is trained.
    """
    name = type(learner).__name__
    if not isinstance(getattr(learner, "trains", None), bool):
        raise UserError(f"learner: {name} does not say whether it trains: give the class trains = True or False")
    if not callable(getattr(learner, "epochs", None)):
        raise UserError(f"learner: {name} has no epochs(network, candidate, setup); see evonas.evaluation.Learner")
    if learner.trains:
        return
    kind = config.learner.kind
    if objectives.needs_training:
        raise UserError(
            f"learner {kind} trains nothing, so {', '.join(objectives.needs_training)} is never known; name costs, "
            "latencies or other metrics of the network as objectives and limits, or train: learner: {kind: scratch}"
        )
    if any(config.training.rungs):
        raise UserError(f"learner {kind} trains nothing, so no rung is reached; leave training.rungs out")


def check_endpoints(components: Components) -> None:
    """Let the servers of targets at addresses measure the reference network as candidates will be.

    Raises:
        UserError: one cannot, or does not answer.
    """
    for name, endpoint in components.remotes.endpoints.items():
        section = components.config.targets[name]
        wanted = [extra for extra in components.objectives.extras[name] if extra != "size_mb"]
        remote = Remote(name, section, wanted)
        try:
            remote.about(endpoint)
            remote.measure(reference(), REFERENCE_INPUT, endpoint)
        except (TargetUnavailable, MeasureError) as error:
            raise UserError(str(error)) from None


def remotes(config: Config, targets: Iterable[str]) -> Remotes:
    """Where those of the targets are measured that are not on the machine that trains."""
    sections = {name: config.targets[name] for name in targets}
    endpoints = {
        name: Endpoint(section.address, os.environ.get(section.token_env, ""))
        for name, section in sections.items()
        if section.address
    }
    resources = {name: section.resource for name, section in sections.items() if section.resource}
    return Remotes(endpoints, resources, serve_here, {name: sections[name].threads for name in resources})


def _check_convertible(config: Config, objectives: Objectives, stored: Preparation) -> None:
    """
    Raises:
        UserError: the task's `prepare` cannot become a file for a target that includes it and takes files.
    """
    for name in objectives.targets:
        section = config.targets[name]
        if section.includes == "network" or name in objectives.tables or not takes_file(section):
            continue
        try:
            plain = section.model_copy(update={"dtype": "float32"}) if section.dtype == "int8" else section
            to_file(Shipped(stored.module, nn.Identity()), stored.inputs, plain)
        except ExportError as error:
            raise UserError(
                f"targets.{name}: the task's `prepare` is included, and {error}; includes: network measures the "
                "network alone"
            ) from None
        except UserError:  # a library that only workers may have
            continue


def _table(name: str, path: str, config: Config, space: Space, spec: TaskSpec, stored: Inputs | None) -> Table:
    table, section = read(expanded(path, "from")), config.targets[name]
    check_compatible(table, section, space, spec, stored if section.includes == "prepare" else None)
    return table


def _supernet(config: Config, space: Space, task: Task) -> Supernet:
    path = expanded(config.training.supernet or "", "training.supernet")
    supernet = read_supernet(path)
    check_supernet(supernet, path, space, task)
    return supernet
