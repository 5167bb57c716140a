"""Which examples lie on the device, and which are streamed to it, by what it has room for."""

import torch

from evonas.tasks.task import Split

SHARE = 0.3
"""Of a GPU's memory, for examples; the rest is for what training needs beside them."""


def room(device: torch.device) -> float:
    """Bytes for examples: without an end on a CPU, where they are not copied."""
    if device.type != "cuda":
        return float("inf")
    share = torch.cuda.get_per_process_memory_fraction(device)
    return SHARE * share * torch.cuda.get_device_properties(device).total_memory


def resident(train: Split, valid: Split, device: torch.device) -> tuple[bool, bool]:
    """Whether training and validation examples lie on the device. What is streamed comes from memory or from files.

    Args:
        train, valid: the examples.
        device: where networks train. Smaller validation examples have the first place, being the fewer.
    """
    left = room(device)
    valid_fits = valid.nbytes <= left
    return train.nbytes <= left - (valid.nbytes if valid_fits else 0), valid_fits


def placed(train: Split, valid: Split, device: torch.device) -> str:
    """In words, where some of the examples are not on the GPU for want of room; else empty."""
    if all(resident(train, valid, device)):
        return ""
    total = torch.cuda.get_device_properties(device).total_memory
    return f"streamed: {(train.nbytes + valid.nbytes) / 1e9:.3g} GB, the GPU has {total / 1e9:.3g} GB"
