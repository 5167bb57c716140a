"""A training that stands still, as safetensors: all that it goes on from."""

import json
from collections.abc import Mapping
from typing import Any

import safetensors.torch
import torch
from safetensors.torch import save
from torch import Tensor


def to_bytes(parts: Mapping[str, Any], epoch: int, batch: int) -> bytes:
    """The state of a training.

    Args:
        parts: what has a `state_dict`, by name.
        epoch: how many are trained.
        batch: examples in a step.
    """
    tensors = {f"{part}.{name}": own for part, of in parts.items() for name, own in of.state_dict().items()}
    return save(copied(tensors), {"epoch": str(epoch), "batch": str(batch)})


def load_parts(parts: Mapping[str, Any], state: bytes) -> None:
    """Bring each part to where it stood.

    Raises:
        ValueError: the state is of another network.
    """
    tensors = safetensors.torch.load(state)
    try:
        for part, own in parts.items():
            own.load_state_dict(_below(f"{part}.", tensors))
    except (RuntimeError, ValueError, KeyError) as error:
        raise ValueError(f"the state is of another network: {str(error).splitlines()[0]}") from None


def epoch_of(state: bytes) -> int:
    """Epochs trained by then."""
    return int(_about(state)["epoch"])


def batch_of(state: bytes) -> int:
    """Examples in a step of the training that a `Trainer.state` is of."""
    return int(_about(state)["batch"])


def copied(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """As safetensors takes them: on the CPU, contiguous, each with memory of its own."""
    return {name: t.detach().cpu().clone(memory_format=torch.contiguous_format) for name, t in tensors.items()}


def _about(state: bytes) -> dict[str, str]:
    """What a state says of itself."""
    head = int.from_bytes(state[:8], "little")
    found: dict[str, str] = json.loads(state[8 : 8 + head])["__metadata__"]
    return found


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
