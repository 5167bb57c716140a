"""When trackers are told, and by whom: a thread for each, so that a slow server cannot make a search wait."""

import hashlib
import importlib
import importlib.util
import json
import logging
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

import pandas as pd

from evonas.analysis import genes, leaves
from evonas.config import Config
from evonas.driver.loop import Search, Watch
from evonas.driver.snapshot import ProgressMeter, Snapshot
from evonas.errors import Replaced
from evonas.installing import how_to_install
from evonas.records import Evaluation
from evonas.runs.run import Run
from evonas.store import Folder, read_run, weights_name
from evonas.text import describe_error
from evonas.tracking.tracker import Member, RunInfo, Tracker, plain

EVERY_S = 2.0
FINISHED_S, INTERRUPTED_S = 60.0, 0.5
"""How long a search waits at its end for trackers that have not been told everything."""
SILENT_S = 10.0
"""How long it waits for one that has not answered at all."""
NEWS_S = 2.0  # of that, before a person hears why
log = logging.getLogger("evonas")


class _TrackerEntry(NamedTuple):
    module: str
    name: str
    library: str


TRACKERS = {
    "tensorboard": _TrackerEntry("evonas.tracking.tensorboard", "TensorBoard", "tensorboard"),
    "mlflow": _TrackerEntry("evonas.tracking.mlflow", "MLflow", "mlflow"),
    "wandb": _TrackerEntry("evonas.tracking.wandb", "WandB", "wandb"),
}


_LOCKS: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)
"""Of a tracker and a search: one that was interrupted may still be closing when the same goes on in this process."""


def missing(names: Iterable[str]) -> str:
    """What is to be installed for these trackers, one line; empty where everything is there."""
    specs = {name: importlib.util.find_spec(TRACKERS[name].library) for name in names}
    away = [name for name, spec in specs.items() if not (spec and spec.origin)]  # a folder of that name has none
    if not away:
        return ""
    return f"tracking: {away[0]} needs its library: {how_to_install(*away)}"


class _TrackerQueue:
    """What one tracker is to be told, in order."""

    def __init__(self, name: str, about: RunInfo) -> None:
        self.name = name
        self._answered = threading.Event()
        self._told: queue.SimpleQueue[Callable[[Tracker], None] | None] = queue.SimpleQueue()
        self._silent = time.monotonic()
        self._thread = threading.Thread(target=self._work, args=(about,), name=f"evonas-{name}", daemon=True)
        self._thread.start()

    def tell(self, what: Callable[[Tracker], None]) -> None:
        self._told.put(what)

    def end(self) -> None:
        """Nothing more will be told."""
        self._silent = time.monotonic() + SILENT_S
        self._told.put(None)

    def done(self, until: float) -> bool:
        """Whether everything is told; waits for that. until: by the monotonic clock."""
        self._thread.join(max(0.0, min(until, self._silent) - time.monotonic()))
        if self._answered.is_set():
            self._thread.join(max(0.0, until - time.monotonic()))
        return not self._thread.is_alive()

    def _work(self, about: RunInfo) -> None:
        with _LOCKS[self.name, about.key]:
            try:
                kind = TRACKERS[self.name]
                tracker: Tracker = getattr(importlib.import_module(kind.module), kind.name)(about)
            except Exception as error:  # whatever a library or a server does: the search matters more
                return self._give_up(error)
            self._answered.set()
            try:
                while what := self._told.get():
                    what(tracker)
            except Exception as error:
                self._give_up(error)
                with suppress(Exception):
                    tracker.close(False)
        return None

    def _give_up(self, error: Exception) -> None:
        log.warning("%s is told nothing more: %s", self.name, describe_error(error))


class TrackerDispatcher:
    """A watcher that calls `watch`, and tells the config's trackers and the cluster every few seconds what it sees.

    A context manager, for when the run folder is the search's own: trackers hear of the front when the search has
    ended or halted; one that is interrupted ends without. `wait` comes after that.
    """

    def __init__(self, config: Config, folder: Folder, watch: Watch) -> None:
        self._config, self._folder, self._watch = config, folder, watch
        self._meter = ProgressMeter()
        self._posts: list[_TrackerQueue] = []
        self._search: Search | None = None
        self._next = self._patience_s = 0.0

    def __call__(self, search: Search, evaluation: Evaluation | None) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY_S
            self._search = search
            search.runtime.publish(_place(self._folder), self._log(search).numbers())
        self._watch(search, evaluation)

    def __enter__(self) -> Self:
        if self._config.tracking:
            about = _about(self._config, self._folder)
            self._posts = [_TrackerQueue(name, about) for name in self._config.tracking]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if not self._posts:
            return
        interrupted = kind is not None and not issubclass(kind, Exception)
        self._patience_s = INTERRUPTED_S if interrupted else FINISHED_S
        if not isinstance(error, Replaced):  # whose search goes on, and is told of by another driver
            if self._search and kind is None:
                self._log(self._search)
            if not interrupted:
                self._tell(lambda tracker: tracker.front(list(_members(self._folder))))
            self._tell(lambda tracker: tracker.close(kind is None))
        for post in self._posts:
            post.end()

    def wait(self) -> None:
        """Until the trackers have been told everything, or for so long as is right. Ctrl-C ends it."""
        until = time.monotonic() + self._patience_s
        try:
            for post in self._posts:
                if not post.done(min(until, time.monotonic() + NEWS_S)) and self._patience_s > NEWS_S:
                    log.warning("%s is still being told; ctrl-C goes on without", post.name)
                if not post.done(until):
                    log.warning("%s has not been told everything: it takes too long to answer", post.name)
        except KeyboardInterrupt as stop:
            if type(stop) is not KeyboardInterrupt:  # SIGTERM wants the process to end
                raise

    def _log(self, search: Search) -> Snapshot:
        reading = self._meter.read(search)
        values = {**reading.numbers(), "elapsed_s": search.elapsed_s, **_best(search)}
        self._tell(lambda tracker: tracker.log(reading.evaluated, values))
        return reading

    def _tell(self, what: Callable[[Tracker], None]) -> None:
        for post in self._posts:
            post.tell(what)


def _about(config: Config, folder: Folder) -> RunInfo:
    where = _place(folder)
    key = read_run(folder).get("id") or hashlib.sha256(f"{where} {config.fingerprint}".encode()).hexdigest()  # of older
    name = where.rstrip("/").rpartition("/")[2]
    return RunInfo(key[:16], name, where, dict(leaves(config.model_dump(mode="json"))))


def _place(folder: Folder) -> str:
    """Its full path, or its URL."""
    return str(folder) if "://" in str(folder) else str(Path(str(folder)).resolve())


def _best(search: Search) -> dict[str, float]:
    """The best of each objective on the front."""
    front = search.breeder.buffer.front
    if not front:
        return {}
    return {
        f"best/{plain(objective.key)}": objective.sign * min(fitness.values[i] for fitness in front)
        for i, objective in enumerate(search.objectives.objectives)
    }


def _members(folder: Folder) -> Iterator[Member]:
    run = Run(folder)
    front = run.front()
    metrics = [name for name in run.description["metrics"] if name in front]
    for row, own in zip(_rows(front), _rows(genes(front)), strict=True):
        epochs = list(row["curve"])
        yield Member(
            candidate=int(row["candidate"]),
            architecture=json.loads(row["arch"]),
            genes=own,
            metrics={name: float(row[name]) for name in metrics if name in row},
            curve={name: [point[name] for point in epochs] for name in epochs[0] if name != "epoch"} if epochs else {},
            weights=f"{_place(folder)}/{weights_name(int(row['candidate']))}",
        )


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Each row, without what is missing in it."""
    return [
        {str(key): value for key, value in row.items() if not (pd.api.types.is_scalar(value) and pd.isna(value))}
        for row in frame.to_dict("records")
    ]
