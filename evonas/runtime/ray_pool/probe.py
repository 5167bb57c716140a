"""What can be told of a Ray cluster without disturbing its users: its head, its nodes, whether a worker fits.

Nothing here takes what another driver needs: probes ask for no CPU and no GPU, and the one actor that asks for the
resources of a worker waits in the queue like any other and is ended at once.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from evonas.config import RuntimeConfig
from evonas.runtime.ray_pool.cluster import connect, last_line, look
from evonas.runtime.ray_pool.device_servers import RAYS_KINDS, RAYS_OWN
from evonas.runtime.ray_pool.nodes import ClusterNode
from evonas.runtime.ray_pool.nvidia_smi import ARGUMENTS, PATIENCE_S, Gpu, parsed
from evonas.runtime.ray_pool.own_ray import OwnRay
from evonas.text import one_line

LOOKS = 3
"""Times that a clock is read: the reading that came back soonest counts."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a node says of itself.

    Attributes:
        node: The node.
        versions: Package -> version, "" where it is missing; None where the node gave no answer.
        gpus: Its GPUs, as nvidia-smi lists them.
        skew_s: Its clock minus ours.
        error_s: The largest error of `skew_s`.
        why: One line, where it gave no answer.
        torch_cuda: The CUDA that its torch is built for, "" for none; None where there is no torch.
        has_mps: Whether processes that share a GPU do so through NVIDIA's MPS.
        devices: How many devices of NVIDIA's driver there are; a container may have them and no nvidia-smi.
        disk_gb: What is free for temporary files, in GB of 10^9 bytes; None where it is not known.
        cores: What a process there may use; None where it has no evonas to count them.
    """

    node: ClusterNode
    versions: Mapping[str, str] | None = None
    gpus: tuple[Gpu, ...] = ()
    skew_s: float = 0.0
    error_s: float = 0.0
    why: str = ""
    torch_cuda: str | None = None
    has_mps: bool = False
    devices: int = 0
    disk_gb: float | None = None
    cores: int | None = None


_started: list[OwnRay] = []
"""What `join` has started and `leave` ends."""


def join(config: RuntimeConfig) -> str:
    """Joins the cluster of a config as a driver, unless the caller has joined one.

    Returns:
        HOST:PORT of its head.

    Raises:
        UserError: There is none.
    """
    if not ray.is_initialized() and (own := connect(config)):
        _started.append(own)
    address: str = ray.get_runtime_context().gcs_address
    return address


def has_joined() -> bool:
    """Whether this process is a driver of a cluster."""
    return bool(ray.is_initialized())


def leave() -> None:
    """Leaves the cluster that was joined, if any, and ends the Ray that was started."""
    while _started:
        _started.pop().close()
    if ray.is_initialized():
        ray.shutdown()


def hosts() -> list[str]:
    """Returns the addresses of the living nodes."""
    listing: list[Mapping[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node["NodeManagerAddress"] for node in listing if node["Alive"]]


def nodes() -> list[ClusterNode]:
    """Returns the living nodes."""
    return look()[0]


def custom(node: ClusterNode) -> list[str]:
    """Returns the names of a node's resources that are not Ray's own."""
    return sorted(name for name in {*node.resources} - RAYS_OWN if not name.startswith(RAYS_KINDS))


def unused(name: str) -> float:
    """Returns how much of a resource nobody holds."""
    free: Mapping[str, float] = ray.available_resources()  # type: ignore[no-untyped-call]
    return free.get(name, 0.0)


def inspect(nodes: Sequence[ClusterNode], packages: Collection[str], seconds: float) -> list[Seen]:
    """Asks each node what it has.

    Args:
        nodes: The nodes.
        packages: The packages whose versions are wanted, "python" for Python's.
        seconds: How long to wait at most, for all of them.

    Returns:
        What each says, in the order of the nodes; `why` tells of those that gave no answer in time.
    """
    probe = _probe_class()
    actors = []
    for node in nodes:
        there = NodeAffinitySchedulingStrategy(node.id, soft=False)
        actors.append(probe.options(scheduling_strategy=there).remote())
    try:
        calls = [actor.look.remote(list(packages), ARGUMENTS, PATIENCE_S) for actor in actors]
        until = time.monotonic() + seconds
        return [_seen(*each, until) for each in zip(nodes, actors, calls, strict=True)]
    finally:
        for actor in actors:
            ray.kill(actor)


def fits(config: RuntimeConfig, seconds: float) -> bool:
    """Whether an actor with the resources of a worker starts in that time."""
    kind: Any = ray.remote(num_cpus=config.cpus_per_worker, num_gpus=config.gpus_at_first, max_restarts=0)(_Placeholder)
    actor = kind.remote()
    try:
        return bool(ray.wait([actor.there.remote()], timeout=seconds)[0])
    finally:
        ray.kill(actor)


class _Placeholder:
    def there(self) -> None: ...


def _seen(node: ClusterNode, actor: Any, call: Any, until: float) -> Seen:
    try:
        found = ray.get(call, timeout=max(0.1, until - time.monotonic()))
        error_s, skew_s = min(_clock(actor, until) for _ in range(LOOKS))
    except GetTimeoutError:
        return Seen(node, why="it gave no answer")
    except RayError as error:
        return Seen(node, why=one_line(last_line(error)))
    return Seen(
        node,
        found["versions"],
        parsed(found["gpus"]),
        skew_s,
        error_s,
        torch_cuda=found["torch_cuda"],
        has_mps=found["has_mps"],
        devices=found["devices"],
        disk_gb=found["disk_gb"],
        cores=found["cores"],
    )


def _clock(actor: Any, until: float) -> tuple[float, float]:
    """Half the time that a reading took, and how far the clock there was from ours in the middle of it."""
    before = time.time()
    there = ray.get(actor.clock.remote(), timeout=max(0.1, until - time.monotonic()))
    after = time.time()
    return (after - before) / 2, there - (before + after) / 2


def _probe_class() -> Any:
    """Made in a function, so that it travels by value: a node may have no evonas, or another one."""

    class Probe:
        def clock(self) -> float:
            import time

            return time.time()

        def look(self, packages: list[str], calls: Sequence[Sequence[str]], patience_s: float) -> dict[str, Any]:
            import glob
            import platform
            import shutil
            import tempfile
            from importlib.metadata import PackageNotFoundError, version

            found = {}
            for name in packages:
                try:
                    found[name] = platform.python_version() if name == "python" else version(name)
                except PackageNotFoundError:
                    found[name] = ""
            return {
                "versions": found,
                "gpus": self.gpus(calls, patience_s),
                "torch_cuda": self.torch_cuda(),
                "has_mps": self.has_mps(),
                "devices": len(glob.glob("/dev/nvidia[0-9]*")),
                "disk_gb": shutil.disk_usage(tempfile.gettempdir()).free / 1e9,
                "cores": self.cores(),
            }

        def cores(self) -> int | None:
            try:
                from evonas.machine import machine_cores
            except ImportError:
                return None
            return machine_cores()

        def gpus(self, calls: Sequence[Sequence[str]], patience_s: float) -> str:
            """nvidia-smi tells of all; Ray hides them from a process that asked for none."""
            import subprocess

            options: dict[str, Any] = {"capture_output": True, "text": True, "timeout": patience_s}
            for arguments in calls:
                try:
                    done = subprocess.run(["nvidia-smi", *arguments], **options)
                except (OSError, subprocess.TimeoutExpired):
                    return ""
                if done.returncode == 0:
                    return str(done.stdout)
            return ""

        def torch_cuda(self) -> str | None:
            """Read and not imported, which takes seconds."""
            import re
            from importlib.util import find_spec
            from pathlib import Path

            try:
                text = Path(find_spec("torch").origin).with_name("version.py").read_text()  # type: ignore[union-attr, arg-type]
            except (AttributeError, TypeError, ImportError, OSError):
                return None
            found = re.search(r"^cuda\b[^=\n]*= *'([\d.]+)'", text, re.MULTILINE)
            return found[1] if found else ""

        def has_mps(self) -> bool:
            """Whether its daemon listens where clients look for it."""
            import os

            return os.path.exists(os.path.join(os.environ.get("CUDA_MPS_PIPE_DIRECTORY", "/tmp/nvidia-mps"), "control"))

    return ray.remote(num_cpus=0, max_restarts=0, max_task_retries=0)(Probe)
