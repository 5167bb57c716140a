"""The type of numbers in which a network trains."""

import platform

import torch

from evonas.config import TrainingConfig
from evonas.errors import UserError
from evonas.measuring.identity import lacks_bfloat16
from evonas.records import RunKind


def precision(config: TrainingConfig, device: torch.device) -> str:
    """ "float32", "float16" where the config says so, or "bfloat16", which needs no loss scaling: its exponent is
    float32's."""
    if config.precision != "auto":
        return config.precision
    able = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bfloat16" if able else "float32"


def begun_with(config: TrainingConfig, begun: RunKind, device: torch.device) -> TrainingConfig:
    """A config of training whose `precision: auto` is what it was when the run began.

    Raises:
        UserError: the GPU has no bfloat16, in which the run trains.
    """
    if config.precision != "auto" or not begun.precision:
        return config
    if device.type == "cuda" and begun.precision == "bfloat16" != precision(config, device):
        raise UserError(lacks_bfloat16(platform.node()))
    return config.model_copy(update={"precision": begun.precision})
