"""A prepared search goes on from what its run folder proves until it ends: the composition root of the driver."""

import os
import platform
from contextlib import ExitStack, closing
from functools import partial
from typing import Any

from evonas.components import check_endpoints
from evonas.config import MUTABLE_SECTIONS, Config
from evonas.driver.account import check_prices
from evonas.driver.finishing import finish
from evonas.driver.loop import Search, Watch
from evonas.driver.waiting import Wait
from evonas.errors import Halted, RuntimeNotStarted, UserError
from evonas.run_identity.checking import data_path
from evonas.run_identity.creating import create_or_check
from evonas.run_identity.describing import versions
from evonas.runs.going_on import ended
from evonas.runtime import OnWait, Runtime, at_any_cost, make_runtime
from evonas.start.prepared import PreparedSearch, owner_of
from evonas.store import Store, evaluations_schema, is_run, read_measured, read_starts, recover
from evonas.tracking import TrackerDispatcher


def execute(prepared: PreparedSearch, *, watch: Watch, take_over: bool = False) -> str:
    """Go on from what the run folder proves until the search ends; why it ended.

    take_over: also where another search seems to hold the folder, which then cannot record anything any more.

    Raises:
        UserError: another search holds the folder, or no worker could start.
        Halted: the search had to stop.
    """
    if reason := ended_before(prepared):
        note_moved_data(prepared, reason, take_over=take_over)
        return reason
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
        store.start.begin(_start(prepared))
        ends.enter_context(trackers)
        founders = prepared.reuse.founders
        loop = Search(components.config, components.space, components.objectives, store, runtime, trackers, founders)
        loop.owner = owner_of(folder)
        loop.restore(recover(folder, metrics, targets, salvage=True))
        loop.run()
        trained = components.spec.metrics.keys() if components.task else None
        finish(loop, folder, store, partial(_workers, prepared, ends), trained)
        store.start.end(loop.ended, runtime.late_results, loop.elapsed_s, loop.rest_usd)
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
            store.start.begin(_start(prepared))
            store.start.end("", 0, before.elapsed_s if before else 0.0, wait.usd)
        raise


def _workers(prepared: PreparedSearch, ends: ExitStack, on_wait: OnWait = at_any_cost) -> Runtime:
    """The workers of a search, for as long as `ends` is open."""
    components = prepared.components
    runtime = make_runtime(components.factory, components.config.runtime, prepared.modules, components.remotes, on_wait)
    ends.callback(runtime.close)
    return runtime


def ended_before(prepared: PreparedSearch) -> str:
    """Why the search of a run folder ended, where nothing is left to do; else an empty text. Only reads.

    Args:
        prepared: With the budget that the search ended with, and no tracker that would have to be told.
    """
    config = prepared.components.config
    return "" if config.tracking else ended(prepared.folder, config.budget)


def note_moved_data(prepared: PreparedSearch, ended: str, *, take_over: bool = False) -> None:
    """Note in a run in which nothing is left to do where its data and its supernet are now; nothing is written where
    they have stayed.

    Args:
        prepared: The search.
        ended: Why it had ended.
        take_over: As of `execute`.
    """
    folder, objectives = prepared.folder, prepared.components.objectives
    last = read_starts(folder)[-1]
    if all(last.get(key) in (None, place) for key, place in _places(prepared.components.config).items()):
        return
    metrics, targets = objectives.metrics, objectives.targets
    with closing(Store(folder, evaluations_schema(metrics, targets), take_over)) as store:
        store.start.begin(_start(prepared))
        store.start.end(ended, 0, recover(folder, metrics, targets, salvage=True).elapsed_s)


def _places(config: Config) -> dict[str, Any]:
    """Of the data, and of the supernet: they may have moved since the run began."""
    supernet = {"supernet_path": config.training.supernet} if config.training.supernet else {}
    return {"data_path": data_path(config), **supernet}


def _start(prepared: PreparedSearch) -> dict[str, Any]:
    """What a start notes of itself."""
    who: dict[str, Any] = {"host": platform.node(), "process": os.getpid(), "versions": versions()}
    who["modules"] = [module.__name__ for module in prepared.modules]  # for who goes on with it elsewhere
    who |= _places(prepared.components.config)
    return {**prepared.components.config.model_dump(mode="json", include=set(MUTABLE_SECTIONS)), **who}
