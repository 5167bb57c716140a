"""What NVIDIA's management library says of a GPU: its energy, clock, temperature, and why it is slowed down.

Its package, nvidia-ml-py, is imported when a GPU is asked for. A GPU is named by its UUID: the library counts GPUs in
another order than CUDA does, and all of them, whatever CUDA_VISIBLE_DEVICES says.
"""

from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from types import ModuleType
from typing import Any

SLOWED = {
    0x4: "power cap",
    0x8: "hardware",
    0x10: "sync boost",
    0x20: "heat (software)",
    0x40: "heat (hardware)",
    0x80: "power brake",
}
"""Bits of `nvmlDeviceGetCurrentClocksEventReasons` (nvml.h); others are the user's own settings, or an idle GPU."""


class SliceOfGpu(LookupError):
    """The GPU is an instance of MIG, of which this is not known."""


@lru_cache(1)
def library() -> ModuleType:
    """Import and initialise it.

    Raises:
        ImportError: nvidia-ml-py is not installed.
        Exception: there is no driver.
    """
    import pynvml

    pynvml.nvmlInit()
    return pynvml  # type: ignore[no-any-return]


class NvmlGpu:
    """One GPU.

    Args:
        uuid: of it, `GPU-...`, as CUDA has it.

    Raises:
        ImportError: nvidia-ml-py is not installed.
        Exception: there is no driver, or no such GPU.
    """

    def __init__(self, uuid: str) -> None:
        self._nvml: Any = library()
        self.is_slice = False
        try:
            self._handle = self._nvml.nvmlDeviceGetHandleByUUID(uuid)
        except self._nvml.NVMLError:
            self._handle = self._nvml.nvmlDeviceGetHandleByUUID(uuid.replace("GPU-", "MIG-"))
            self.is_slice = True

    def millijoules(self) -> float:
        """The energy since the driver was loaded.

        Raises:
            SliceOfGpu: of a slice it is not counted.
            Exception: this GPU has no such counter.
        """
        if self.is_slice:
            raise SliceOfGpu("it is a slice of a GPU (MIG), and the energy of the whole GPU is counted")
        return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle))

    def bus(self) -> str:
        """Its place on the PCI bus, `00000000:81:00.0`; that of a slice is its GPU's.

        Raises:
            Exception: the driver does not say.
        """
        whole = self._nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle if self.is_slice else lambda handle: handle
        found = self._nvml.nvmlDeviceGetPciInfo(whole(self._handle)).busId
        return found.decode() if isinstance(found, bytes) else str(found)

    def state(self) -> Mapping[str, str]:
        """Clock, temperature and what slows it down, as far as they can be read, as text."""
        nvml, found = self._nvml, dict[str, str]()
        with suppress(Exception):
            found["gpu_mhz"] = str(nvml.nvmlDeviceGetClockInfo(self._handle, nvml.NVML_CLOCK_SM))
        with suppress(Exception):
            found["gpu_temperature_c"] = str(nvml.nvmlDeviceGetTemperature(self._handle, nvml.NVML_TEMPERATURE_GPU))
        with suppress(Exception):
            bits = nvml.nvmlDeviceGetCurrentClocksEventReasons(self._handle)
            found["gpu_slowed_by"] = ", ".join(why for bit, why in SLOWED.items() if bits & bit) or "nothing"
        return found


def state(uuid: str) -> Mapping[str, str]:
    """The state of a GPU; empty where it cannot be read."""
    with suppress(Exception):
        return _known(uuid).state()
    return {}


def bus(uuid: str) -> str:
    """Where a GPU is on the PCI bus; empty where that cannot be read."""
    with suppress(Exception):
        return _known(uuid).bus()
    return ""


def millijoules(uuid: str) -> float | None:
    """The energy of a GPU since its driver was loaded; None where it cannot be read."""
    with suppress(Exception):
        return _known(uuid).millijoules()
    return None


@lru_cache
def _known(uuid: str) -> NvmlGpu:
    return NvmlGpu(uuid)
