"""On which node of memory (NUMA) a GPU is. A core of another node reaches it through the link between processors, so
that each launch takes longer, and by how much depends on what else goes through there."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from evonas.measuring import nvml

SYSTEM = Path("/sys")


@dataclass(frozen=True, slots=True)
class Nearby:
    """The cores that are near a GPU.

    Args:
        cores: their numbers; none where that cannot be known.
        what: the node, or why there is none, in words.
    """

    cores: frozenset[int]
    what: str

    def told(self, had: Collection[int]) -> Mapping[str, str]:
        """Whether cores that were had are near it, as a condition."""
        far = bool(self.cores) and not self.cores.issuperset(had)
        return {"numa": f"not on {self.what}, where the GPU is" if far else self.what}


@lru_cache
def near(device: str) -> Nearby | None:
    """The cores near a device, by the name that its lock has; None for what is no GPU of NVIDIA's."""
    if not device.startswith("GPU-"):
        return None
    bus = nvml.bus(device)
    return near_bus(bus) if bus else Nearby(frozenset(), "not known: NVIDIA's library (evonas[gpu]) does not say")


def near_bus(bus: str, system: Path = SYSTEM) -> Nearby:
    """The cores near a device on the PCI bus, as Linux has it (Documentation/ABI/testing/sysfs-bus-pci).

    Args:
        bus: its place there as NVIDIA's library writes it, `00000000:81:00.0`, or as Linux does, `0000:81:00.0`.
        system: where Linux tells of devices.
    """
    domain, _, place = bus.lower().partition(":")
    try:
        node = int((system / "bus/pci/devices" / f"{domain[-4:]}:{place}" / "numa_node").read_text())
        if node < 0:
            return Nearby(frozenset(), "not known: the system names no node of the GPU")
        cores = _listed((system / f"devices/system/node/node{node}/cpulist").read_text())
    except (OSError, ValueError):
        return Nearby(frozenset(), "not known: the system does not say")
    return Nearby(cores, f"node {node}")


def _listed(text: str) -> frozenset[int]:
    """The numbers of a list as Linux writes them, `0-3,8`; empty of a node that is memory alone."""
    found: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)
