"""What all workers of a run have alike, and in what a worker is another kind than the run."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict

from evonas.measuring.identity import difference, lacks_bfloat16, multiplies_otherwise
from evonas.records import RunKind

NO_BFLOAT16 = {"K80", "M60", "P4", "P40", "P100", "T4", "V100", "V100-16G"}
"""GPUs that Ray finds and that came before Ampere: with these in a cluster `precision: auto` is float32 for all."""
ACCELERATOR = "accelerator_type:"
"""Before the model of a node's GPUs among its resources."""


def packed(work: object) -> bytes:
    """A work's `kind` as a worker process sends it; works that measure and train nothing have none, but may have a
    `card`."""
    found = getattr(work, "kind", None)
    known = found if isinstance(found, RunKind) else RunKind(card=str(getattr(work, "card", "")))
    return json.dumps(asdict(known)).encode()


def unpacked(text: bytes) -> RunKind:
    """What `packed` made bytes of."""
    return RunKind(**json.loads(text or b"{}"))


def has_bfloat16(resources: Mapping[str, float]) -> bool:
    """Whether none of a node's GPUs is known to be without it."""
    return not NO_BFLOAT16 & {name.removeprefix(ACCELERATOR) for name in resources if name.startswith(ACCELERATOR)}


class Agreed:
    """The kind of a run, which its first worker fixes.

    Attributes:
        precision: What `training.precision: auto` is for all workers, the least of those that were there; "" until
            then.
    """

    def __init__(self) -> None:
        self.precision = ""
        self._devices: dict[str, Mapping[str, str]] = {}
        self._float32: dict[str, str] = {}

    def take(self, worker: RunKind, host: str, nodes: Iterable[Mapping[str, float]]) -> str:
        """Hear of a worker that is ready.

        Args:
            worker: Its kind.
            host: Where it is.
            nodes: The resources of all nodes.

        Returns:
            In what it is another kind than the run, in one line; empty where it may work.
        """
        known = [(target, own) for target, own in worker.devices.items() if target in self._devices]
        differing = (difference(target, self._devices[target], own, host) for target, own in known)
        if why := next(filter(None, differing), ""):
            return why
        if why := multiplies_otherwise(host, self._float32, worker.float32):
            return why
        if self.precision == "bfloat16" and worker.precision == "float32":
            return lacks_bfloat16(host)
        if worker.precision and not self.precision:
            able = worker.precision == "bfloat16" and all(map(has_bfloat16, nodes))
            self.precision = "bfloat16" if able else "float32"
        self._devices = {**worker.devices, **self._devices}
        self._float32 = {**worker.float32, **self._float32}
        return ""
