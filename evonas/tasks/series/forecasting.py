"""How good a forecast is, in the units of the data, and the seasonal naive one that it has to beat.

Networks give standardised values (n, columns x steps), and the targets are such: `Units` has what makes them those of
the data. A metric is the mean over columns, steps and windows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from evonas.errors import UserError
from evonas.tasks.metrics import TaskMetric, root_mean
from evonas.tasks.series.table import Series
from evonas.tasks.series.windows import Place
from evonas.tasks.task import Array


@dataclass(frozen=True, slots=True)
class Units:
    """What the columns that are forecast are standardised by, and what their errors are measured by.

    Args:
        mean: (columns,) of the training rows.
        deviation: as many.
        naive: as many: mean absolute error of the seasonal naive forecast one step ahead on the training rows
            (Hyndman & Koehler 2006), in the units of the data.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    naive: tuple[float, ...]


def _by_column(values: Tensor, columns: Sequence[float]) -> tuple[Tensor, Tensor]:
    """(n, columns, steps) and a number a column that multiplies them."""
    return values.reshape(len(values), len(columns), -1), values.new_tensor(columns)[:, None]


def absolute(output: Tensor, target: Tensor, factors: tuple[float, ...]) -> Tensor:
    """(n,) absolute error, mean over columns and steps; each column times its factor."""
    errors, by = _by_column(output - target, factors)
    return (errors.abs() * by).flatten(1).mean(1)


def squared(output: Tensor, target: Tensor, factors: tuple[float, ...]) -> Tensor:
    """(n,) the square of the error, mean over columns and steps; each column's error times its factor."""
    errors, by = _by_column(output - target, factors)
    return (errors * by).square().flatten(1).mean(1)


def symmetric(output: Tensor, target: Tensor, units: Units) -> Tensor:
    """(n,) 200 |F - A| / (|F| + |A|) in percent (Makridakis et al. 2020, the M4 competition), 0 where both are 0."""
    (forecast, by), (actual, _) = _by_column(output, units.deviation), _by_column(target, units.deviation)
    middle = output.new_tensor(units.mean)[:, None]
    forecast, actual = forecast * by + middle, actual * by + middle
    whole = forecast.abs() + actual.abs()
    return (200 * (forecast - actual).abs() / whole.clamp_min(1e-12)).flatten(1).mean(1)


def _mase(units: Units) -> TaskMetric:
    if not all(units.naive):
        raise UserError(
            "task.metrics: mase divides by the error of the seasonal naive forecast on the training rows, which is 0: "
            "the series repeats itself exactly; leave mase out"
        )
    return TaskMetric(partial(absolute, factors=tuple(map(_ratio, units.deviation, units.naive))))


def _ratio(a: float, b: float) -> float:
    return a / b


METRICS: dict[str, Callable[[Units], TaskMetric]] = {
    "mae": lambda units: TaskMetric(partial(absolute, factors=units.deviation)),
    "mase": _mase,
    "smape": lambda units: TaskMetric(partial(symmetric, units=units)),
    "rmse": lambda units: TaskMetric(partial(squared, factors=units.deviation), root_mean),
}
"""Name -> the metric of a forecast."""


def absolute_loss(output: Tensor, target: Tensor, label_smoothing: float) -> Tensor:
    """Mean absolute error of standardised values; values have no labels to smooth."""
    return F.l1_loss(output, target)


def naive_error(series: Sequence[Series], rows: Sequence[int], columns: int, season: int) -> Array:
    """(columns,) mean absolute error of the seasonal naive forecast one step ahead.

    Args:
        series: whose first columns are forecast.
        rows: how many of each are training rows.
        columns: that are forecast.
        season: rows of a season.

    Raises:
        UserError: no training rows are a season apart.
    """
    parts = [one.values[:end, :columns] for one, end in zip(series, rows, strict=True)]
    errors = [np.abs(part[season:] - part[:-season]) for part in parts if len(part) > season]
    if not errors:
        raise UserError(
            f"task.season: {season:,} rows are no season of {max(map(len, parts)):,} training rows; give a shorter one"
        )
    found: Array = np.concatenate(errors).mean(0)
    return found


def seasonal_naive(places: Sequence[Place], columns: int, horizon: int, season: int) -> Array:
    """(n, columns, horizon): the value of a season ago, or of the last season that is known."""
    ahead = np.arange(horizon)
    back = season * (ahead // season + 1)
    parts = [place.series.values[np.maximum(place.rows[:, None] + ahead - back, 0), :columns] for place in places]
    return np.concatenate(parts).transpose(0, 2, 1)
