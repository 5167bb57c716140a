"""Memory that ran out in training: the candidate gets one more try alone on its GPU where it shares that, and one at
half the batch."""

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


def after_alone(status: Status, message: str) -> str:
    """What the row says after the try alone on the GPU.

    Args:
        status, message: of that try.
    """
    told = "out of memory in its share of the GPU"
    return f"{told}; trained alone on it" if status in (Status.OK, Status.STOPPED) else f"{message} (alone; {told})"


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
