"""What a search needs of it: a place for its record, its data, a worker."""

import contextlib
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from evonas.components import assemble
from evonas.config.options import construct
from evonas.doctor.context import ROOM_S, Context, Finding, need_ray, parts_of, shape
from evonas.doctor.throughput import for_trials, rooms
from evonas.errors import UserError
from evonas.evaluation.batches.device_memory import placed
from evonas.machine import machine_cores
from evonas.run_identity.checking import check_run, recorded_training
from evonas.runtime import make_runtime
from evonas.runtime.ray_pool import probe
from evonas.store import Folder, is_run, open_folder
from evonas.tasks import TASKS


def folder(context: Context) -> Iterator[Finding]:
    """Everything that a record asks of its place is tried, in a folder of its own beside or inside it."""
    run = context.run or ""
    remote = "://" in run
    here = open_folder(run)
    try:
        try_beside(run) if remote else try_inside(Path(run).absolute())
    except OSError as error:
        text = f"{here} cannot be written: {error.strerror or error}"
        yield Finding("run folder", "error", text, "give another --run, or see to its permissions and room")
        return
    if here.is_locked():
        yield Finding("run folder", "note", f"{here} is held by a search that writes to it now")
        return
    state = "holds a run" if is_run(here) else "new"
    lost = "" if remote or len(context.nodes) < 2 else "; it is on this machine's file system alone, shared or not"
    yield Finding("run folder", "ok", f"{here} can be written and locked ({state}){lost}")


def try_beside(url: str) -> None:
    """A prefix beside it: inside, a search that starts would take it for somebody else's."""
    try_writing(open_folder(f"{url.rstrip('/')}.doctor-{uuid.uuid4().hex}"))


def try_inside(root: Path) -> None:
    """A hidden folder, which no reader of runs looks at, in what there is of the path."""
    nearest = next(path for path in (root, *root.parents) if path.exists())
    scratch = tempfile.mkdtemp(prefix=".evonas-doctor-", dir=nearest)
    try:
        try_writing(open_folder(Path(scratch)))
    finally:
        shutil.rmtree(scratch)


def try_writing(place: Folder) -> None:
    """Raises UserError or OSError where it cannot be a run folder."""
    name = "probe.json"
    lock = place.lock(take_over=False)
    try:
        place.create(name, b"1")
        with contextlib.suppress(FileExistsError):
            place.create(name, b"2")
        if place.read(name) != b"1":
            raise UserError(f"{place}: a second writer replaced a file of the first; give --run on another file system")
    finally:
        place.remove(name)
        lock.close()


def data(context: Context) -> Iterator[Finding]:
    """Loaded here, by the driver; that it comes to a worker is shown by a worker that starts."""
    config = context.config
    assert config
    try:
        task = construct(TASKS, config.task, "task")
    except UserError as error:
        yield Finding("data", "error", str(error), "put it there, or correct the section task; the driver reads it")
        return
    recorded = recorded_training(open_folder(context.run)) if context.run else None
    whole = assemble(config, task=task, recorded=recorded)
    context.components = assemble(for_trials(config), task=task)
    splits = task.splits
    size = (splits.train.nbytes + splits.valid.nbytes) / 1e6
    examples = f"{len(splits.train):,} examples to train, {len(splits.valid):,} to validate, {size:,.1f} MB"
    yield Finding("data", "ok", f"{task.spec.name}: {examples}")
    if torch.cuda.is_available() and (streamed := placed(splits.train, splits.valid, torch.device("cuda"))):
        yield Finding("data", "note", f"{streamed}; batches go there by way of memory, which costs time")
    try:
        check_run(open_folder(context.run or "."), whole)
    except UserError as error:
        yield Finding("run folder", "error", str(error), "give another --run")


def _cores(context: Context) -> int:
    """The cores of the largest machine that trains. A Ray of this run's own counts CPUs as workers ask for them."""
    if context.runtime.kind == "serial" or context.runtime.address == "local":
        return machine_cores()
    return int(max(node.resources.get("CPU", 0) for node in context.nodes))


def worker(context: Context) -> Iterator[Finding]:
    """A worker of the search itself: its process, with the data, on the device, and the targets that are there."""
    components, runtime = parts_of(context), context.runtime
    if runtime.kind == "ray":
        need_ray(context)
        if not sum(rooms(runtime, context.nodes)):
            shapes = "; ".join(dict.fromkeys(map(shape, context.nodes))) or "no node"
            text = f"no node has room for a worker of {context.needs}; the cluster has {shapes}"
            yield Finding("worker", "error", text, "lower runtime.cpus_per_worker or gpus_per_worker, or add a node")
            return
        if not probe.fits(runtime, ROOM_S):
            free = f"{probe.unused('CPU'):g} CPUs and {probe.unused('GPU'):g} GPUs"
            text = f"no worker of {context.needs} found room in {ROOM_S:g} s; free are {free}"
            yield Finding("worker", "error", text, "wait until others have ended, or add a node")
            return
    resources = {target: name for target, name in components.remotes.resources.items() if target not in context.away}
    begun = time.monotonic()
    remotes = replace(components.remotes, resources=resources)
    try:
        context.pool = make_runtime(components.factory, components.config.runtime, context.modules, remotes)
    except UserError as error:
        yield Finding(
            "worker", "error", str(error), "install or correct what it names; workers have what their node has"
        )
        return
    yield Finding(
        "worker", "ok", f"one of {context.needs} has the data and was ready in {time.monotonic() - begun:.1f} s"
    )
    if (threads := components.config.training.threads) > (cores := _cores(context)):
        text = f"training.threads: {threads} are more than the {cores} CPUs of the largest node: they take turns"
        yield Finding("worker", "note", text)
    for name in components.objectives.targets:
        section = components.config.targets[name]
        if name in components.tables:
            yield Finding(
                f"target {name}", "ok", f"added up from a table of {len(components.tables[name].rows):,} blocks"
            )
        elif not section.remote:
            yield Finding(f"target {name}", "ok", f"{section.backend} on {section.device} is there on a worker")
