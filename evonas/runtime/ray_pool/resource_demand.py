"""Resources that no node of the cluster has yet, as an autoscaler sees that they are wanted."""

from collections.abc import Collection
from typing import Any

import ray
from ray.exceptions import RayError


class _Waiting:
    """An actor that needs the resource and does nothing with it."""

    def start(self) -> None:
        """Answers once a node has the resource, or when the actor is lost."""


class ResourceDemand:
    """Asks for one node with each resource that is missing; what is no longer asked for goes with this process."""

    def __init__(self) -> None:
        self._asked: dict[str, Any] = {}  # resource -> an actor that waits for it
        self._calls: dict[str, Any] = {}

    def ask(self, resources: Collection[str]) -> None:
        """Takes what is missing now; what was asked for before and is not among it is asked for no more.

        Args:
            resources: The names of custom resources that no node has.
        """
        for resource in [name for name in self._asked if name not in resources or self._lost(name)]:
            ray.kill(self._asked.pop(resource))  # it may hold the resource by now
        for resource in resources:
            if resource not in self._asked:
                kind: Any = ray.remote(resources={resource: 1}, num_cpus=0, max_restarts=0, max_task_retries=0)(
                    _Waiting
                )
                self._asked[resource] = kind.remote()
                self._calls[resource] = self._asked[resource].start.remote()

    def _lost(self, resource: str) -> bool:
        """Whether the actor has come to a node that is gone again."""
        if not ray.wait([self._calls[resource]], timeout=0)[0]:
            return False
        try:
            ray.get(self._calls[resource])
        except RayError:
            return True
        return False
