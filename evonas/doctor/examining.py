"""Whether a search could run here: one line for each thing that it needs, and what to do where that is not so.

Each check is a function of the `Context` that yields findings; one that fails stops no other. Nothing stays behind, and
a search that runs on the same cluster loses nothing but the time in which a network is measured beside it.
"""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from evonas.config import RuntimeConfig
from evonas.config.loading import load_config
from evonas.config.messages import validated
from evonas.config.options import check_options, construct
from evonas.doctor.cluster import authentication, clocks, nodes, reach, same_versions
from evonas.doctor.context import Check, Context, Finding, Unknown
from evonas.doctor.cost import cost
from evonas.doctor.gpus import disk, gpus
from evonas.doctor.needs import data, folder, worker
from evonas.doctor.targets import remote_targets
from evonas.doctor.throughput import TRY_MOST_S, TRY_S, speed
from evonas.errors import UserError
from evonas.reuse import chosen
from evonas.run_identity.finding import default_folder
from evonas.runtime.ray_pool import asking, probe
from evonas.spaces import SPACES
from evonas.store import open_folder
from evonas.strategies import STRATEGIES
from evonas.tasks import TASKS
from evonas.text import describe_error

NODES_S = 60.0
LOAD_S = 300.0
START_S = 180.0


def examine(
    config: str | None = None,
    *,
    overrides: Sequence[str] = (),
    address: str | None = None,
    run: str | None = None,
    modules: Sequence[ModuleType] = (),
) -> Iterator[Finding]:
    """What stands in the way of a search, one finding after the other. Without a config: the cluster alone.

    address: HOST:PORT of a cluster's head, auto or local, in the place of the config's. run: its folder or URL.

    Raises:
        UserError: the config or the address is wrong.
    """
    found = load_config(config, overrides) if config else None
    runtime = found.runtime if found else RuntimeConfig()
    if address is not None:
        runtime = validated(
            RuntimeConfig, {**runtime.model_dump(), "address": _address(address), "kind": "ray"}, "runtime"
        )
    if found and config:
        found = found.model_copy(update={"runtime": runtime})
        space = construct(SPACES, found.space, "space")
        found = chosen(found, space, open_folder(run) if run else None).config
        run = run or str(default_folder(Path(config).stem, found))
        check_options(TASKS, found.task, "task")
        check_options(STRATEGIES, found.strategy, "strategy")
    return _examine(Context(found, runtime, run, modules))


def _examine(context: Context) -> Iterator[Finding]:
    try:
        for name, check, seconds, remedy in CHECKS:
            if context.config or check not in FOR_CONFIGS or (check is folder and context.run):
                yield from _within(seconds, name, check, remedy, context)
    finally:
        if context.pool:
            context.pool.close()
        if context.own:
            probe.leave()


def _within(seconds: float, name: str, check: Check, remedy: str, context: Context) -> list[Finding]:
    """What a check finds in that time. What it raises is a cross."""
    found: list[Finding] = []
    wrong: list[BaseException] = []

    def work() -> None:
        try:
            found.extend(check(context))
        except BaseException as error:
            wrong.append(error)

    if check is reach:  # it sets up the handling of signals, which only the main thread can
        work()
    else:
        thread = threading.Thread(target=work, name=f"evonas-doctor-{name}", daemon=True)
        thread.start()
        thread.join(seconds)
        if thread.is_alive():
            return [*found, Finding(name, "error", f"no answer within {seconds:g} s", remedy)]
    if wrong:
        found.append(_failed(name, wrong[0], remedy))
    return found


def _failed(name: str, error: BaseException, remedy: str) -> Finding:
    if isinstance(error, Unknown):
        return Finding(name, "note", f"not looked at: {error}")
    if isinstance(error, UserError):
        return Finding(name, "error", str(error), remedy)
    if not isinstance(error, Exception):
        raise error
    return Finding(name, "error", describe_error(error), remedy)


def _address(text: str) -> str:
    port = text.rpartition(":")[2]
    if text not in ("auto", "local") and not (":" in text and port.isascii() and port.isdigit()):
        raise UserError(f"--address takes HOST:PORT of a cluster's head, auto or local, not {text!r}")
    return text


CHECKS: tuple[tuple[str, Check, float, str], ...] = (
    ("Ray", reach, 0, "correct the address, or start Ray there"),
    ("authentication", authentication, 2 * asking.ASK_S, "see that the cluster's head answers"),
    ("nodes", nodes, NODES_S, "see Ray's logs on the nodes"),
    ("GPUs", gpus, NODES_S, "see Ray's logs on the nodes"),
    ("disk", disk, NODES_S, "see Ray's logs on the nodes"),
    ("versions", same_versions, NODES_S, "install evonas here as its requirements say"),
    ("clocks", clocks, NODES_S, "see Ray's logs on the nodes"),
    ("run folder", folder, LOAD_S, "give another --run"),
    ("data", data, LOAD_S, "put them where the section task says, or correct it"),
    ("targets", remote_targets, LOAD_S, "see the log of the measuring server"),
    ("worker", worker, START_S, "see Ray's logs on the nodes"),
    ("speed", speed, TRY_MOST_S + 2 * TRY_S, "see Ray's logs on the nodes"),
    ("cost", cost, NODES_S, "correct runtime.prices"),
)
"""In order: name on the screen, check, seconds that it may take, what to do where it raises or takes longer."""
FOR_CONFIGS = (folder, data, remote_targets, worker, speed)
