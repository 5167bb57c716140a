"""A Ray for final trainings: the one that is there or one of its own, with what all trainings need in it."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import ModuleType
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from evonas.config import RuntimeConfig
from evonas.errors import UserError
from evonas.final.work import FinalWork
from evonas.runtime.ray_pool.cluster import connect, look
from evonas.runtime.ray_pool.sending import send
from evonas.runtime.sandbox.packing import pack
from evonas.store import Folder
from evonas.store.final import FinalRecorder


class RemoteRecorder:
    """The recorder of a training in another process: its calls go to the actor that has the run folder.

    Args:
        actor: Ray's handle of it.
    """

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def result(self, name: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = ray.get(self._actor.result.remote(name))
        return found

    def state(self, name: str) -> bytes | None:
        found: bytes | None = ray.get(self._actor.state.remote(name))
        return found

    def keep(self, name: str, epoch: int, state: bytes) -> None:
        ray.get(self._actor.keep.remote(name, epoch, state))

    def finish(self, name: str, result: Mapping[str, Any], weights: bytes = b"") -> None:
        ray.get(self._actor.finish.remote(name, dict(result), weights))


class RaySession:
    """Ray, the packed work in its object store, and the recorder on this machine, which has the run folder.

    Args:
        work: what a training is.
        folder: of the run.
        runtime: which Ray.
        modules: the user's own, which travel by value.

    Raises:
        UserError: there is no such cluster, or what a training needs cannot be sent.
        RuntimeNotStarted: Ray does not start on this machine.
    """

    def __init__(self, work: FinalWork, folder: Folder, runtime: RuntimeConfig, modules: Sequence[ModuleType]) -> None:
        if runtime.address.startswith("ray://"):
            raise UserError("runtime.address: ray:// is for searches; final trainings start on a node of the cluster")
        packed = pack(work, modules)
        self.digest, self.recorder = packed.digest, FinalRecorder(folder)
        self._joined = ray.is_initialized()
        self._own = None if self._joined else connect(runtime)
        self.payload: Any = send(packed, look()[0])
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        actor: Any = ray.remote(num_cpus=0)(FinalRecorder)
        self.actor: Any = actor.options(scheduling_strategy=here).remote(folder)

    def close(self) -> None:
        """End what was started."""
        with suppress(Exception):
            ray.kill(self.actor)
        if self._own:
            self._own.close()
        elif not self._joined:
            ray.shutdown()
