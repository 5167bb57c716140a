"""Task kind `digits`: small images that come with scikit-learn."""

from importlib.metadata import PackageNotFoundError, distribution

import numpy as np

from evonas.errors import UserError
from evonas.tasks.constructors import classification
from evonas.tasks.splitting import divided
from evonas.tasks.task import Split, Splits, Task


def digits(
    *,
    valid_fraction: float = 0.2,
    test_fraction: float = 0.2,
    split_seed: int = 0,
    metrics: tuple[str, ...] = ("error",),
) -> Task:
    """1,797 handwritten digits of 8 x 8 pixels in 17 greys, 10 classes; they come with scikit-learn.

    Args:
        valid_fraction: of all examples.
        test_fraction: of all examples.
        split_seed: of the draw of these.
        metrics: computed of the validation examples, the main one first.

    Raises:
        UserError: scikit-learn is missing, or a metric is unknown.
    """
    try:  # the file alone: importing scikit-learn takes 2 s
        path = distribution("scikit-learn").locate_file("sklearn/datasets/data/digits.csv.gz")
    except PackageNotFoundError:
        raise UserError("task digits needs scikit-learn: pip install scikit-learn") from None
    numbers = np.loadtxt(str(path), np.uint8, delimiter=",")
    pool = Split(numbers[:, :-1].reshape(-1, 1, 8, 8), numbers[:, -1].astype(np.int64))
    splits = Splits(*divided(pool, (valid_fraction, test_fraction), split_seed))
    return classification("digits", splits, metrics, [*map(str, range(10))])
