"""Memory that ran out in training: the candidate gets one more try at half the batch."""

import gc

import torch

from evonas.config import TrainingConfig
from evonas.records import Status


def halved(training: TrainingConfig, batch: int) -> TrainingConfig:
    """The config of the second try: half the batch and, scaled linearly (Goyal et al., 2017), half the learning rate.

    Args:
        training: as the config has it.
        batch: examples in a step of the first try, which may be fewer than the config names.
    """
    half = batch // 2
    rate = training.learning_rate * half / batch
    return training.model_copy(update={"batch_size": half, "learning_rate": rate})


def after_half(status: Status, message: str, batch: int) -> str:
    """What the row says after the second try.

    Args:
        status, message: of the second try.
        batch: of the first.
    """
    half = batch // 2
    if status is Status.FAILED_OOM:
        return f"out of memory at batch sizes {batch} and {half}: {message}"
    if status in (Status.OK, Status.STOPPED):
        return f"out of memory at batch size {batch}; trained at {half}"
    return f"{message} (at batch size {half}, after out of memory at {batch})"


def give_back(device: torch.device) -> None:
    """Free what a failed try held, once nothing refers to its tensors any more."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
