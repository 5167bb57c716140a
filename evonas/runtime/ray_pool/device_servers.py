"""Device servers: nodes of the cluster on which a target is measured, for the workers of all nodes.

An actor holds the custom resource of such a node, and in its process a measuring server runs, to which workers talk
themselves.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from evonas.errors import Halted, UserError
from evonas.records import Endpoint
from evonas.runtime.ray_pool.cluster import last_line
from evonas.runtime.ray_pool.nodes import ClusterNode
from evonas.runtime.runtime import Remotes

RAYS_OWN = {"CPU", "GPU", "memory", "object_store_memory"}
RAYS_KINDS = ("node:", "accelerator_type:")


class _DeviceServerActor:
    def serve(self, serve: Callable[[str], Endpoint]) -> tuple[str, Endpoint]:
        """Starts the server; returns the node's id, and where the server on it is."""
        address: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        return ray.get_runtime_context().get_node_id(), serve(address)

    def stay(self) -> None:
        """Never answers, so that any answer is this actor's end. Signs of life would disturb what is measured."""
        threading.Event().wait()


@dataclass(slots=True)
class _DeviceServer:
    """A device server as the driver sees it.

    call: its answer to come. node, endpoint: "" and None until it serves.
    """

    actor: Any
    call: Any
    node: str = ""
    endpoint: Endpoint | None = None


class DeviceServers:
    """A server for each resource that targets are measured with; one that is lost is replaced as soon as Ray can.

    Args:
        remotes: The targets that are not measured on the worker.
    """

    def __init__(self, remotes: Remotes) -> None:
        self._remotes = remotes
        self._device_servers: dict[str, _DeviceServer] = {}  # by resource
        self._nodes: Sequence[ClusterNode] = ()
        self._were_up: set[str] = set()

    def open(self, nodes: Sequence[ClusterNode]) -> None:
        """Starts the servers.

        Args:
            nodes: The living nodes.

        Raises:
            UserError: None of them has the resource of a target.
        """
        self._nodes = nodes
        for target, resource in self._remotes.resources.items():
            if not self._has_node(resource):
                raise UserError(
                    f"targets.{target}.resource: no node of the Ray cluster has the custom resource {resource!r}; "
                    f"there are: {', '.join(_custom(nodes)) or 'none'}"
                )
        for resource in {*self._remotes.resources.values()}:
            self._start(resource)

    def endpoints(self) -> Mapping[str, Endpoint]:
        """Returns target -> where it is measured, of those that can be reached now, as far as is known."""
        found = {
            target: self._device_servers[resource].endpoint for target, resource in self._remotes.resources.items()
        }
        return {**self._remotes.endpoints, **{target: endpoint for target, endpoint in found.items() if endpoint}}

    @property
    def notes(self) -> Sequence[str]:
        """A line for each target that cannot be measured now."""
        up = self.endpoints()
        away = {target: resource for target, resource in self._remotes.resources.items() if target not in up}
        return [f"target {target} is away ({self._why(resource)})" for target, resource in away.items()]

    def health_check(self, nodes: Sequence[ClusterNode]) -> None:
        """Hears of servers that have started, and replaces those that are lost.

        Args:
            nodes: The living nodes.

        Raises:
            UserError: A server cannot measure.
            Halted: Likewise, where it could before.
        """
        self._nodes, alive = nodes, {node.id for node in nodes}
        for resource, server in self._device_servers.items():
            if server.node and server.node not in alive:
                self._replace(resource)
            elif ray.wait([server.call], timeout=0)[0]:
                self._on_started(resource, server)

    def close(self) -> None:
        """Ends all servers."""
        for server in self._device_servers.values():
            ray.kill(server.actor)

    def _on_started(self, resource: str, server: _DeviceServer) -> None:
        try:
            server.node, server.endpoint = ray.get(server.call)
        except RayTaskError as error:
            kind = Halted if resource in self._were_up else UserError
            raise kind(
                f"runtime: the device server with the resource {resource} cannot measure: {last_line(error)}"
            ) from None
        except RayError:
            self._replace(resource)
        else:
            self._were_up.add(resource)
            server.call = server.actor.stay.remote()

    def _start(self, resource: str) -> None:
        kind: Any = ray.remote(resources={resource: 1}, num_cpus=0, max_restarts=0, max_task_retries=0)(
            _DeviceServerActor
        )
        actor = kind.remote()
        self._device_servers[resource] = _DeviceServer(actor, actor.serve.remote(self._remotes.serve))

    def _replace(self, resource: str) -> None:
        ray.kill(self._device_servers[resource].actor)  # one that cannot be reached may live, and hold the resource
        self._start(resource)

    def _has_node(self, resource: str) -> bool:
        return any(node.resources.get(resource, 0) >= 1 for node in self._nodes)

    def _why(self, resource: str) -> str:
        if self._has_node(resource):
            return f"its device server starts, or the resource {resource} is in use"
        return f"no node has the resource {resource}"


def _custom(nodes: Sequence[ClusterNode]) -> Sequence[str]:
    """The names of the resources that are not Ray's own."""
    names = {name for node in nodes for name in node.resources}
    return sorted(name for name in names - RAYS_OWN if not name.startswith(RAYS_KINDS))
