"""The device that networks train on."""

import platform

import torch

from evonas.measuring import devices
from evonas.records import UserError


def available(device: str, what: str) -> torch.device:
    """The device, if this machine has it. what: the key that asks for it.

    Raises:
        UserError: it has not; says what there is.
    """
    found = torch.device(device)
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if found.type == "cuda" and (found.index or 0) >= gpus:
        there = "only cpu" if not gpus else f"cpu, cuda:0 to cuda:{gpus - 1}"
        raise UserError(f"{what}: there is no {device} on {platform.node()}, {there} (torch {torch.__version__})")
    return found


def device_name(device: torch.device) -> str:
    """The model of a GPU or CPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else devices.cpu()


def lock_name(device: torch.device) -> str:
    """Under which name a measurement asks for quiet on it."""
    return f"GPU-{torch.cuda.get_device_properties(device).uuid}" if device.type == "cuda" else "cpu"
