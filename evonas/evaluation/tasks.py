"""The tasks that a config can name, and how to add one.

A task of your own is a function that returns a `Task`: load arrays, make `Splits`, call `classification` or
`regression`. All images are stored as (n, channels, height, width), in uint8 where they come so.
"""

from collections.abc import Callable

import numpy as np

from evonas.evaluation.data import Split, Splits, Task, classification, divided
from evonas.evaluation.huggingface import huggingface
from evonas.evaluation.image_folder import image_folder
from evonas.evaluation.npz import npz
from evonas.records import UserError


def digits(*, valid_fraction: float = 0.2, test_fraction: float = 0.2, split_seed: int = 0) -> Task:
    """1,797 handwritten digits of 8 x 8 pixels in 17 greys, 10 classes; they come with scikit-learn."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise UserError("task digits needs scikit-learn: pip install scikit-learn") from None
    bunch = load_digits()
    pool = Split(bunch.images[:, None].astype(np.uint8), bunch.target.astype(np.int64))
    return classification("digits", Splits(*divided(pool, (valid_fraction, test_fraction), split_seed)))


TASKS: dict[str, Callable[..., Task]] = {
    "digits": digits,
    "npz": npz,
    "image_folder": image_folder,
    "huggingface": huggingface,
}
"""Kind -> function of the keyword options of a config's `task` section."""
