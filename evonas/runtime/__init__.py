"""Where jobs run. Knows nothing of what a job means.

To add one: a file here and a line in RUNTIMES.
"""

from collections.abc import Callable

from evonas.runtime.pool import Factory, Message, Runtime, Work
from evonas.runtime.ray import RayPool
from evonas.runtime.serial import Serial

RUNTIMES: dict[str, Callable[..., Runtime]] = {"serial": Serial, "ray": RayPool}

__all__ = ["RUNTIMES", "Factory", "Message", "RayPool", "Runtime", "Serial", "Work"]
