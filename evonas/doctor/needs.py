"""What a search needs of it: a place for its record, its data, its targets, a worker."""

import contextlib
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from evonas.components import assemble, check_places
from evonas.doctor.throughput import for_trials, rooms
from evonas.doctor.visit import ROOM_S, Finding, Visit, need_ray, parts_of, shape
from evonas.errors import UserError
from evonas.loading import construct
from evonas.run_identity import check_run
from evonas.runtime import RUNTIMES, Remotes
from evonas.runtime.ray_pool import probe
from evonas.store import Folder, is_run, open_folder
from evonas.tasks import TASKS


def folder(visit: Visit) -> Iterator[Finding]:
    """Everything that a record asks of its place is tried, in a folder of its own beside or inside it."""
    run = visit.run or ""
    remote = "://" in run
    here = open_folder(run)
    try:
        try_beside(run) if remote else try_inside(Path(run).absolute())
    except OSError as error:
        text = f"{here} cannot be written: {error.strerror or error}"
        yield Finding("run folder", "cross", text, "give another --run, or see to its permissions and room")
        return
    if here.is_locked():
        yield Finding("run folder", "note", f"{here} is held by a search that writes to it now")
        return
    state = "holds a run" if is_run(here) else "new"
    lost = "" if remote or len(visit.nodes) < 2 else "; it is on this machine's file system alone, shared or not"
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


def data(visit: Visit) -> Iterator[Finding]:
    """Loaded here, by the driver; that it comes to a worker is shown by a worker that starts."""
    config = visit.config
    assert config
    try:
        task = construct(TASKS, config.task, "task")
    except UserError as error:
        yield Finding("data", "cross", str(error), "put it there, or correct the section task; the driver reads it")
        return
    whole = assemble(config, task=task)
    visit.parts = assemble(for_trials(config), task=task)
    splits = task.splits
    size = sum(part.nbytes for split in (splits.train, splits.valid) for part in (split.x, split.y)) / 1e6
    examples = f"{len(splits.train.x):,} examples to train, {len(splits.valid.x):,} to validate, {size:,.1f} MB"
    yield Finding("data", "ok", f"{task.spec.name}: {examples}")
    try:
        check_run(open_folder(visit.run or "."), whole)
    except UserError as error:
        yield Finding("run folder", "cross", str(error), "give another --run")


def remote_targets(visit: Visit) -> Iterator[Finding]:
    parts = parts_of(visit)
    for target, place in parts.remotes.places.items():
        try:
            check_places(replace(parts, remotes=Remotes({target: place})))
        except UserError as error:
            visit.away.add(target)
            remedy = (
                f"start `evonas measure-server` there; its token is to be in ${parts.config.targets[target].token_env}"
            )
            yield Finding(f"target {target}", "cross", str(error), remedy)
        else:
            yield Finding(f"target {target}", "ok", f"{place.url} measured the reference network")
    for target, resource in parts.remotes.resources.items():
        yield _resource(visit, target, resource)


def _resource(visit: Visit, target: str, resource: str) -> Finding:
    name = f"target {target}"
    having = [node.host for node in visit.nodes if node.resources.get(resource, 0) >= 1]
    if not visit.joined or not having:
        visit.away.add(target)
        there = ", ".join(sorted({each for node in visit.nodes for each in probe.custom(node)})) or "none"
        remedy = (
            f"""start Ray on the board with --resources '{{"{resource}": 1}}', or correct targets.{target}.resource"""
        )
        return Finding(name, "cross", f"no node has the custom resource {resource}; there are: {there}", remedy)
    if probe.unused(resource) < 1:
        visit.away.add(target)
        return Finding(name, "note", f"{', '.join(having)} has the resource {resource}; somebody measures there now")
    return Finding(name, "ok", f"{', '.join(having)} has the resource {resource}")


def worker(visit: Visit) -> Iterator[Finding]:
    """A worker of the search itself: its process, with the data, on the device, and the targets that are there."""
    parts, runtime = parts_of(visit), visit.runtime
    if runtime.kind == "ray":
        need_ray(visit)
        if not sum(rooms(runtime, visit.nodes)):
            shapes = "; ".join(dict.fromkeys(map(shape, visit.nodes))) or "no node"
            text = f"no node has room for a worker of {visit.needs}; the cluster has {shapes}"
            yield Finding("worker", "cross", text, "lower runtime.cpus_per_worker or gpus_per_worker, or add a node")
            return
        if not probe.fits(runtime, ROOM_S):
            free = f"{probe.unused('CPU'):g} CPUs and {probe.unused('GPU'):g} GPUs"
            text = f"no worker of {visit.needs} found room in {ROOM_S:g} s; free are {free}"
            yield Finding("worker", "cross", text, "wait until others have ended, or add a node")
            return
    resources = {target: name for target, name in parts.remotes.resources.items() if target not in visit.away}
    begun = time.monotonic()
    remotes = replace(parts.remotes, resources=resources)
    try:
        visit.pool = RUNTIMES[runtime.kind](parts.factory, parts.config.runtime, visit.modules, remotes)
    except UserError as error:
        yield Finding(
            "worker", "cross", str(error), "install or correct what it names; workers have what their node has"
        )
        return
    yield Finding(
        "worker", "ok", f"one of {visit.needs} has the data and was ready in {time.monotonic() - begun:.1f} s"
    )
    for name in parts.objectives.targets:
        section = parts.config.targets[name]
        if name in parts.tables:
            yield Finding(f"target {name}", "ok", f"added up from a table of {len(parts.tables[name].rows):,} blocks")
        elif not section.remote:
            yield Finding(f"target {name}", "ok", f"{section.backend} on {section.device} is there on a worker")
