"""Runtimes: where jobs run. A runtime knows nothing of what a job means.

To add one: a file here and a line in RUNTIMES. Ray is imported when it is used: a worker's processes do without it.
"""

import logging
import warnings
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from evonas.config import RuntimeConfig
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

__all__ = ["RUNTIMES", "Factory", "Message", "OnWait", "RayPool", "Remotes", "Runtime", "Serial", "Work", "at_any_cost"]


def __getattr__(name: str) -> Any:
    if name != "RayPool":
        raise AttributeError(f"module 'evonas.runtime' has no attribute {name!r}")
    from evonas.runtime.ray_pool.pool import RayPool

    return RayPool
