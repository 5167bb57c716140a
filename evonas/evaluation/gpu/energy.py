"""What a GPU takes while a network trains on it, by the counter of its board."""

from collections.abc import Iterator
from contextlib import contextmanager

from evonas.evaluation.draft import Draft
from evonas.measuring.nvml import millijoules

MJ_PER_WH = 3.6e6
GPU_WH = "gpu_wh"


@contextmanager
def energy_told(card: str, share: float, draft: Draft) -> Iterator[None]:
    """The block trains a network; a draft gets what its GPU took meanwhile, in Wh, its idle power and pauses included.

    Of a GPU that several share each has its share: which of them a watt is for, the board does not know.

    Args:
        card: UUID of the GPU; "" for none, of which nothing is told.
        share: of the GPU that is this process's own, from 0 to 1.
        draft: whose conditions are filled in, beside what its tries before took.
    """
    before = millijoules(card) if card else None
    try:
        yield
    finally:
        if before is not None and (after := millijoules(card)) is not None:
            known = float(draft.conditions.get(GPU_WH, 0))
            draft.conditions[GPU_WH] = f"{known + share * (after - before) / MJ_PER_WH:.4g}"
