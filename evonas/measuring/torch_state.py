"""The random states and torch's number of CPU threads are changed for a while, and then put back."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

NUMPY_SEEDS = 2**32
"""numpy's global generator takes seeds below it."""
ACCELERATORS = ("cuda", "hip", "xpu")
CPU_ONLY = not any(getattr(torch.version, kind, None) for kind in ACCELERATORS) and not torch.backends.mps.is_built()
"""Whether this torch is for the processor alone. `torch.manual_seed` writes down the stack of each call, for devices
that there will be none of; from deep in a program that takes five times as long as all else here."""


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """The global random states of torch, numpy and Python start from `seed` in the block, then are put back.

    Args:
        seed: of the generators.
        device: a GPU whose state is meant too.
    """
    gpus = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
        (torch.default_generator if CPU_ONLY else torch).manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % NUMPY_SEEDS)  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Operators use `count` threads. Without a limit, two workers on two cores are slower than one."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
