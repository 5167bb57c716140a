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
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from evonas.analysis import genes, leaves
from evonas.config import Config
from evonas.gauges import Gauges, Reading
from evonas.lines import line_of
from evonas.loop import Search, Watch
from evonas.records import Evaluation
from evonas.run import Run
from evonas.store import Folder, weights_name
from evonas.tracking.tracker import About, Member, Tracker, plain

EVERY_S = 2.0
FINISHED_S, INTERRUPTED_S = 60.0, 0.5
"""How long a search waits at its end for trackers that have not been told everything."""
log = logging.getLogger("evonas")


class _Kind(NamedTuple):
    module: str
    name: str
    library: str


TRACKERS = {
    "tensorboard": _Kind("evonas.tracking.tensorboard", "TensorBoard", "tensorboard"),
    "mlflow": _Kind("evonas.tracking.mlflow", "MLflow", "mlflow"),
    "wandb": _Kind("evonas.tracking.wandb", "WandB", "wandb"),
}


_OPEN: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)
"""Of a tracker and a search: one that was interrupted may still be closing when the same goes on in this process."""


def missing(names: Iterable[str]) -> str:
    """What is to be installed for these trackers, one line; empty where everything is there."""
    away = [name for name in names if not importlib.util.find_spec(TRACKERS[name].library)]
    if not away:
        return ""
    return f"tracking: {away[0]} needs its library: pip install 'evonas[{','.join(away)}]'"


class _Post:
    """What one tracker is to be told, in order."""

    def __init__(self, name: str, about: About) -> None:
        self._name = name
        self._told: queue.SimpleQueue[Callable[[Tracker], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, args=(about,), name=f"evonas-{name}", daemon=True)
        self._thread.start()

    def tell(self, what: Callable[[Tracker], None]) -> None:
        self._told.put(what)

    def end(self, until: float) -> None:
        """until: by the monotonic clock."""
        self._told.put(None)
        self._thread.join(max(0.0, until - time.monotonic()))
        if self._thread.is_alive():
            log.warning("%s has not been told everything: it takes too long to answer", self._name)

    def _work(self, about: About) -> None:
        kind = TRACKERS[self._name]
        try:
            with _OPEN[self._name, about.key]:
                tracker: Tracker = getattr(importlib.import_module(kind.module), kind.name)(about)
                while what := self._told.get():
                    what(tracker)
        except Exception as error:  # whatever a library or a server does: the search matters more
            log.warning("%s is told nothing more: %s", self._name, line_of(error))


class _Telling:
    """Watches a search, and passes on every few seconds what it is at."""

    def __init__(self, config: Config, folder: Folder, watch: Watch) -> None:
        self._config, self._folder, self._watch = config, folder, watch
        self._about = _about(config, folder)
        self._gauges = Gauges()
        self._posts: list[_Post] = []
        self.search: Search | None = None
        self._next = 0.0

    def __call__(self, search: Search, evaluation: Evaluation | None) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY_S
            self.search = search
            search.runtime.publish(self._about.folder, self._log(search).numbers())
        self._watch(search, evaluation)

    def end(self, finished: bool, front: bool, seconds: float) -> None:
        if self.search:
            self._log(self.search)
        if front:
            self._tell(lambda tracker: tracker.front(list(_members(Run(self._folder), self._about.folder))))
        self._tell(lambda tracker: tracker.close(finished))
        until = time.monotonic() + seconds
        for post in self._posts:
            post.end(until)

    def _log(self, search: Search) -> Reading:
        reading = self._gauges.read(search)
        values = {**reading.numbers(), "elapsed_s": search.elapsed_s, **_best(search)}
        self._tell(lambda tracker: tracker.log(reading.decided, values))
        return reading

    def _tell(self, what: Callable[[Tracker], None]) -> None:
        if not self._posts:  # the first time is not before the run folder is this search's own
            self._posts = [_Post(name, self._about) for name in self._config.tracking]
        for post in self._posts:
            post.tell(what)


@contextmanager
def told(config: Config, folder: Folder, watch: Watch) -> Iterator[Watch]:
    """A watcher for the time of a search, which calls `watch` and tells the config's trackers and the cluster.

    Trackers hear of the front when the search has ended or halted; one that is interrupted ends without.
    """
    telling = _Telling(config, folder, watch)
    try:
        yield telling
    except BaseException as reason:
        if telling.search:
            halted = isinstance(reason, Exception)
            telling.end(finished=False, front=halted, seconds=FINISHED_S if halted else INTERRUPTED_S)
        raise
    if config.tracking:
        telling.end(finished=True, front=True, seconds=FINISHED_S)


def _about(config: Config, folder: Folder) -> About:
    where = str(folder) if "://" in str(folder) else str(Path(str(folder)).resolve())
    key = hashlib.sha256(f"{where} {config.fingerprint}".encode()).hexdigest()[:16]
    return About(key, where.rstrip("/").rpartition("/")[2], where, dict(leaves(config.model_dump(mode="json"))))


def _best(search: Search) -> dict[str, float]:
    """The best of each objective on the front."""
    front = search.breeder.ledger.front
    if not front:
        return {}
    return {
        f"best/{plain(objective.key)}": objective.sign * min(standing.values[i] for standing in front)
        for i, objective in enumerate(search.objectives.objectives)
    }


def _members(run: Run, where: str) -> Iterator[Member]:
    front = run.front()
    metrics = [name for name in run.description["metrics"] if name in front]
    for row, own in zip(_row(front), _row(genes(front)), strict=True):
        epochs = list(row["curve"])
        yield Member(
            candidate=int(row["candidate"]),
            architecture=json.loads(row["arch"]),
            genes=own,
            metrics={name: float(row[name]) for name in metrics if pd.notna(row[name])},
            curve={name: [point[name] for point in epochs] for name in epochs[0] if name != "epoch"} if epochs else {},
            weights=f"{where}/{weights_name(int(row['candidate']))}",
        )


def _row(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Each row, without what is missing in it."""
    return [
        {str(key): value for key, value in row.items() if not (pd.api.types.is_scalar(value) and pd.isna(value))}
        for row in frame.to_dict("records")
    ]
