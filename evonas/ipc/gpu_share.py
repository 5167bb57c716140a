"""The share of a GPU that a worker has, on its way from who hands it out to the process that uses it."""

import os
from collections.abc import Mapping

SHARE = "EVONAS_GPU_SHARE"
"""The variable that a worker finds it in, where others have the rest of its GPU."""
ALLOCATOR = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")
"""What torch's allocator is steered by, and was until torch 2.9."""
CONTEXT_MB = 600
"""Memory of a CUDA process besides its tensors (300 to 600 MB: torch's kernels and libraries)."""


def variables(share: float) -> Mapping[str, str]:
    """Returns the variables that a worker needs besides those of this process.

    Args:
        share: Its part of a GPU; nothing where that is none, or a whole one.
    """
    if not 0 < share < 1:
        return {}
    steered = any(name in os.environ for name in ALLOCATOR)
    # Segments that grow: what a large candidate took can be given back whole, though a small one lies in it.
    return {SHARE: f"{share:g}"} | ({} if steered else dict.fromkeys(ALLOCATOR, "expandable_segments:True"))


def own_share() -> float:
    """Returns the part of its GPU that this process has; 1 where nobody else is said to be there."""
    return float(os.environ.get(SHARE, 1.0))
