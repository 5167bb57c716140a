"""Runtimes: where jobs run. A runtime knows nothing of what a job means.

To add one: a file here and a line in RUNTIMES. Ray is imported when it is used: a worker's processes do without it.
"""

import inspect
import logging
import warnings
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from evonas.config import RuntimeConfig
from evonas.errors import UserError
from evonas.runtime.runtime import NO_REMOTES, Factory, Message, OnWait, Remotes, Runtime, Work, at_any_cost
from evonas.runtime.serial import Serial

if TYPE_CHECKING:
    from evonas.runtime.ray_pool.pool import RayPool


def _ray(
    factory: Factory,
    config: RuntimeConfig,
    modules: Sequence[ModuleType] = (),
    remotes: Remotes = NO_REMOTES,
    on_wait: OnWait = at_any_cost,
) -> Runtime:
    """A pool of persistent Ray actors, on this machine or a cluster."""
    with warnings.catch_warnings():  # in a notebook without ipywidgets, Ray and its tqdm would say so at length
        warnings.filterwarnings("ignore", message="IProgress not found")
        logging.getLogger("ray.widgets.util").setLevel(logging.WARNING)
        from evonas.runtime.ray_pool.pool import RayPool

    return RayPool(factory, config, modules, remotes, on_wait)


RUNTIMES: dict[str, Callable[..., Runtime]] = {"serial": Serial, "ray": _ray}


def make_runtime(
    factory: Factory,
    config: RuntimeConfig,
    modules: Sequence[ModuleType] = (),
    remotes: Remotes = NO_REMOTES,
    on_wait: OnWait = at_any_cost,
) -> Runtime:
    """The runtime of a config.

    Args:
        factory: Makes the `Work` of a worker.
        config: The section `runtime`; its `kind` is a name in `RUNTIMES`.
        modules: The user's own, which workers import.
        remotes: The targets that are not measured on the worker.
        on_wait: Is told what the wait for the first worker costs. A runtime that takes no fifth argument, as they were
            before there was this one, tells nobody: its wait counts when the search has begun, and ends by nothing.

    Raises:
        UserError: No worker can be started with this config, or a runtime of the user's own takes other arguments.
    """
    make = RUNTIMES[config.kind]
    arguments = (factory, config, modules, remotes, on_wait)
    for count in (5, 4):
        if _takes(make, arguments[:count]):
            return make(*arguments[:count])
    raise UserError(
        f"runtime.kind: {config.kind} takes {inspect.signature(make)}, and a runtime is made with factory, config, "
        f"modules, remotes and on_wait"
    )


def _takes(make: Callable[..., Runtime], arguments: Sequence[object]) -> bool:
    try:
        inspect.signature(make).bind(*arguments)
    except TypeError:
        return False
    except ValueError:  # of a builtin, which does not say what it takes
        pass
    return True


__all__ = [
    "RUNTIMES",
    "Factory",
    "Message",
    "OnWait",
    "RayPool",
    "Remotes",
    "Runtime",
    "Serial",
    "Work",
    "at_any_cost",
    "make_runtime",
]


def __getattr__(name: str) -> Any:
    if name != "RayPool":
        raise AttributeError(f"module 'evonas.runtime' has no attribute {name!r}")
    from evonas.runtime.ray_pool.pool import RayPool

    return RayPool
