"""This machine says what its devices are, without a heavy library. What cannot be read is left out."""

import ctypes
import platform
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from evonas.config import TargetConfig
from evonas.errors import UserError

SYSTEM = Path("/sys/devices/system/cpu")


def described(config: TargetConfig, device: str) -> dict[str, str]:
    """The conditions that all backends have.

    Args:
        config: the target's.
        device: its model.
    """
    return {
        "backend": config.backend,
        "device": device,
        "dtype": config.dtype,
        "threads": str(config.threads),
        "batch": str(config.batch),
    }


def index(config: TargetConfig) -> int:
    """The position of a GPU: cuda and cuda:0 are the first."""
    return int(config.device.partition(":")[2] or 0)


def cpu() -> str:
    """The model of the processor, or of the board that it is on."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    with suppress(OSError):
        return Path("/proc/device-tree/model").read_text().strip("\0\n ")
    return platform.processor() or platform.machine()


def cpu_state() -> Mapping[str, str]:
    """The state of the processor: `cpu_mhz` is the clock of the fastest core, `temperature_c` that of the hottest
    sensor."""
    found = {}
    with suppress(OSError, ValueError):
        found["cpu_mhz"] = f"{max(_clocks()):.0f}"
    with suppress(OSError, ValueError):
        sensors = Path("/sys/class/thermal").glob("thermal_zone*/temp")
        found["temperature_c"] = f"{max(int(sensor.read_text()) for sensor in sensors) / 1000:.0f}"
    return found


def _clocks() -> Iterator[float]:
    """The clock of each core in MHz."""
    files = list(SYSTEM.glob("cpu*/cpufreq/scaling_cur_freq"))
    for file in files:
        yield int(file.read_text()) / 1000
    if not files:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        yield from (float(line.partition(":")[2]) for line in lines if line.startswith("cpu MHz"))


def driver() -> dict[str, str]:
    """The version of NVIDIA's kernel driver."""
    with suppress(OSError):
        return {"driver": Path("/sys/module/nvidia/version").read_text().strip()}
    return {}


def gpu(position: int) -> tuple[str, str]:
    """Find an NVIDIA GPU, as the driver counts them for this process (CUDA_VISIBLE_DEVICES).

    Args:
        position: from 0.

    Returns:
        Its model and its UUID.

    Raises:
        UserError: there is none.
    """
    handle, name, identity = ctypes.c_int(), ctypes.create_string_buffer(100), (ctypes.c_ubyte * 16)()
    with suppress(OSError, AttributeError):  # no driver, or one too old
        cuda = ctypes.CDLL("libcuda.so.1")
        failed = (
            cuda.cuInit(0)
            or cuda.cuDeviceGet(ctypes.byref(handle), position)
            or cuda.cuDeviceGetName(name, len(name), handle)
            or cuda.cuDeviceGetUuid_v2(identity, handle)
        )
        if not failed:
            return name.value.decode(), f"GPU-{uuid.UUID(bytes=bytes(identity))}"
    raise UserError(f"there is no GPU {position} on {platform.node()} that the driver knows")
