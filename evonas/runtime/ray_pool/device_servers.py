"""Device servers: nodes of the cluster on which a target is measured, for the workers of all nodes.

An actor holds the custom resource of such a node, and in its process a measuring server runs, to which workers talk
themselves.
"""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from evonas.errors import Halted, UserError
from evonas.machine import check_threads
from evonas.measuring.identity import of_row
from evonas.records import Endpoint
from evonas.runtime.ray_pool.cluster import last_line
from evonas.runtime.ray_pool.nodes import ClusterNode
from evonas.runtime.ray_pool.resource_demand import ResourceDemand
from evonas.runtime.runtime import Remotes

RAYS_OWN = {"CPU", "GPU", "memory", "object_store_memory"}
RAYS_KINDS = ("node:", "accelerator_type:")


class _DeviceServerActor:
    def serve(self, serve: Callable[[str], Endpoint], threads: Mapping[str, int]) -> Endpoint:
        """Starts the server, where each target has a core for each of its threads; returns where it is."""
        for target, own in threads.items():
            check_threads(target, own)
        address: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        return serve(address)

    def stay(self) -> None:
        """Never answers, so that any answer is this actor's end. Signs of life would disturb what is measured."""
        threading.Event().wait()


@dataclass(slots=True)
class _DeviceServer:
    """A device server as the driver sees it.

    call: its answer to come. endpoint: None until it serves. fault: why it cannot measure, while others can.
    """

    actor: Any
    call: Any
    endpoint: Endpoint | None = None
    fault: str = ""


class DeviceServers:
    """On each node with a resource that targets are measured with a server; those of a resource are used in turn.

    One that is lost is replaced as soon as Ray can.

    Args:
        remotes: The targets that are not measured on the worker.
        hires: Asks the cluster for a node with a resource that none has, at first and whenever the last one is lost, as
            an autoscaler sees; else such a resource is refused.
    """

    def __init__(self, remotes: Remotes, hires: bool = False) -> None:
        self._remotes, self._hires = remotes, hires
        self._demand = ResourceDemand()
        self._servers: dict[str, dict[str, _DeviceServer]] = {name: {} for name in remotes.resources.values()}
        """resource -> id of a node -> its server."""
        self._nodes: Sequence[ClusterNode] = ()
        self._were_up: set[str] = set()
        self._turns = count()
        self._kinds: dict[str, Mapping[str, str]] = {}  # of targets, once one of them was measured

    def open(self, nodes: Sequence[ClusterNode]) -> None:
        """Starts the servers.

        Args:
            nodes: The living nodes.

        Raises:
            UserError: None of them has the resource of a target, and none is asked for.
        """
        self._nodes = nodes
        if self.missing and not self._hires:
            raise UserError(self.missing[0])
        self._start_missing()

    @property
    def missing(self) -> Sequence[str]:
        """A line for each target whose resource no node has now."""
        return [self._lacks(target) for target in self._lacking()]

    @property
    def starting(self) -> bool:
        """Whether a server has not said yet whether it can measure."""
        servers = (server for servers in self._servers.values() for server in servers.values())
        return any(not server.endpoint and not server.fault for server in servers)

    def check(self, startable: Collection[str] | None) -> None:
        """Makes sure that what is missing can come.

        Args:
            startable: The names of the resources of machines that can be started; None where that is not known.

        Raises:
            UserError: A resource is missing, and of no such machine.
        """
        for target in self._lacking():
            if startable is not None and self._remotes.resources[target] not in startable:
                known = ", ".join(sorted(_customs(startable))) or "none"
                raise UserError(
                    f"{self._lacks(target)}; of the machines that the cluster can start, some have: {known}"
                )

    def endpoints(self) -> Mapping[str, Endpoint]:
        """Returns target -> where it is measured, of those that can be reached now, as far as is known.

        Of several servers each call names the next, once it is known what kind of device the run measures on: until
        then all are measured by one.
        """
        turn, found = next(self._turns), dict(self._remotes.endpoints)
        for target, resource in self._remotes.resources.items():
            if up := self._up(resource):
                kind = self._kinds.get(target, {})
                found[target] = replace(up[turn % len(up) if kind else 0], kind=kind)
        return found

    def heard(self, conditions: Mapping[str, str]) -> None:
        """Learns from the conditions of an evaluation what kind of device a target is."""
        for target in self._remotes.resources:
            if target not in self._kinds and (kind := of_row(conditions, target)):
                self._kinds[target] = kind

    def unlike(self, url: str, why: str) -> None:
        """Hears that a server has another kind of device than the run has measured on: it gets no more networks."""
        for servers in self._servers.values():
            for server in servers.values():
                if server.endpoint and server.endpoint.url == url:
                    server.fault = why

    @property
    def notes(self) -> Sequence[str]:
        """A line for each target that cannot be measured now, and for each server that cannot measure."""
        away = [(name, resource) for name, resource in self._remotes.resources.items() if not self._up(resource)]
        faults = [server.fault for servers in self._servers.values() for server in servers.values() if server.fault]
        return [*(f"target {target} is away ({self._why(resource)})" for target, resource in away), *faults]

    def health_check(self, nodes: Sequence[ClusterNode]) -> None:
        """Hears of servers that have started, and replaces those that are lost.

        Args:
            nodes: The living nodes.

        Raises:
            UserError: No server of a resource can measure.
            Halted: Likewise, where one could before.
        """
        self._nodes, alive = nodes, {node.id for node in nodes}
        for resource, servers in self._servers.items():
            for node, server in list(servers.items()):
                if node not in alive:
                    self._end(resource, node)
                elif not server.fault and ray.wait([server.call], timeout=0)[0]:
                    self._on_started(resource, node, server)
        self._start_missing()

    def close(self) -> None:
        """Ends all servers, and asks for no more."""
        if self._hires:
            self._demand.ask(())
        for resource, servers in self._servers.items():
            for node in list(servers):
                self._end(resource, node)

    def _on_started(self, resource: str, node: str, server: _DeviceServer) -> None:
        try:
            server.endpoint = ray.get(server.call)
        except RayTaskError as error:
            why = f"the device server with the resource {resource} cannot measure: {last_line(error)}"
            server.fault = why
            if all(other.fault for other in self._servers[resource].values()):
                raise (Halted if resource in self._were_up else UserError)(f"runtime: {why}") from None
        except RayError:
            self._end(resource, node)
        else:
            self._were_up.add(resource)
            server.call = server.actor.stay.remote()

    def _start_missing(self) -> None:
        """On each node that has a resource one server, which waits there until the resource is free."""
        if self._hires:
            self._demand.ask([resource for resource in self._servers if not self._having(resource)])
        for resource, servers in self._servers.items():
            for node in self._having(resource):
                if node.id not in servers:
                    kind: Any = ray.remote(resources={resource: 1}, num_cpus=0, max_restarts=0, max_task_retries=0)(
                        _DeviceServerActor
                    )
                    there = NodeAffinitySchedulingStrategy(node.id, soft=False)
                    actor = kind.options(scheduling_strategy=there).remote()
                    call = actor.serve.remote(self._remotes.serve, self._threads(resource))
                    servers[node.id] = _DeviceServer(actor, call)

    def _end(self, resource: str, node: str) -> None:
        ray.kill(self._servers[resource].pop(node).actor)  # one that cannot be reached may live, and hold the resource

    def _threads(self, resource: str) -> dict[str, int]:
        """Of the targets that are measured with a resource."""
        threads, resources = self._remotes.threads, self._remotes.resources
        return {target: own for target, own in threads.items() if resources.get(target) == resource}

    def _up(self, resource: str) -> list[Endpoint]:
        """Where the servers of a resource are that can be reached, as far as is known."""
        return [server.endpoint for server in self._servers[resource].values() if server.endpoint and not server.fault]

    def _lacking(self) -> list[str]:
        return [target for target, resource in self._remotes.resources.items() if not self._having(resource)]

    def _lacks(self, target: str) -> str:
        resource, there = self._remotes.resources[target], ", ".join(sorted(_custom(self._nodes))) or "none"
        said = f"no node of the Ray cluster has the custom resource {resource!r}; there are: {there}"
        return f"targets.{target}.resource: {said}{too_little(resource, self._nodes)}"

    def _having(self, resource: str) -> list[ClusterNode]:
        return [node for node in self._nodes if node.resources.get(resource, 0) >= 1]

    def _why(self, resource: str) -> str:
        if faults := [server.fault for server in self._servers[resource].values() if server.fault]:
            return faults[0]
        if self._having(resource):
            return f"its device server starts, or the resource {resource} is in use"
        return f"no node has the resource {resource}"


def too_little(resource: str, nodes: Sequence[ClusterNode]) -> str:
    """What is said of nodes that have less of a resource than a server takes; empty where none has."""
    parts = [f"{node.host} has {part:g}" for node in nodes if 0 < (part := node.resources.get(resource, 0)) < 1]
    return f" ({', '.join(parts)}; a server takes 1)" if parts else ""


def _custom(nodes: Sequence[ClusterNode]) -> set[str]:
    return _customs({name for node in nodes for name in node.resources})


def _customs(resources: Collection[str]) -> set[str]:
    """Those that are not Ray's own."""
    return {name for name in resources if name not in RAYS_OWN and not name.startswith(RAYS_KINDS)}
