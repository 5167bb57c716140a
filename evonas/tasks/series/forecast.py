"""A task of forecasting, of its series."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from evonas.errors import UserError
from evonas.records import InputSpec, TaskSpec
from evonas.tasks.baselines import baseline
from evonas.tasks.constructors import chosen_metrics
from evonas.tasks.metrics import directions
from evonas.tasks.rescale import Rescale
from evonas.tasks.room import check_room
from evonas.tasks.series.forecasting import METRICS, Units, absolute_loss, naive_error, seasonal_naive
from evonas.tasks.series.inputs import KnownFuture
from evonas.tasks.series.reading import Columns
from evonas.tasks.series.table import Series, constant
from evonas.tasks.series.windows import FEWER, Place, Shape, bounds, count, places, taken, training_rows
from evonas.tasks.task import Array, Split, Splits, Standardise, Task

Windows = Mapping[str, Sequence[Place]]
"""train, valid and test -> windows."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is to be forecast.

    Args:
        name: of the task, for people.
        columns: of the table.
        shape: of a window: what is seen and what is forecast.
        season: rows of a season.
        fractions: of valid and test.
        metrics: the main one first.
        differences: whether networks learn differences from the naive forecast; None: where that is worth it.
    """

    name: str
    columns: Columns
    shape: Shape
    season: int
    fractions: tuple[float, float]
    metrics: tuple[str, ...]
    differences: bool | None = None

    @property
    def targets(self) -> int:
        """How many columns are forecast."""
        return len(self.columns.targets)

    @property
    def known(self) -> int:
        """How many columns are known of the future."""
        return len(self.columns.known)


def forecast(wanted: Forecast, found: list[Series], notes: list[str]) -> Task:
    """The task.

    Args:
        wanted: what is to be forecast.
        found: the series.
        notes: of how they were read; some are added.

    Raises:
        UserError: a target is constant, or the series are too short.
    """
    begins = bounds(found, *wanted.fractions)
    windows = places(found, wanted.shape, begins)
    rows = [training_rows(one, begins) for one in found]
    mean, deviation = _statistics(wanted, found, rows, notes)
    naive = naive_error(found, rows, wanted.targets, wanted.season)
    units = Units(*(tuple(one[: wanted.targets].tolist()) for one in (mean, deviation, naive)))
    chosen = {name: make(units) for name, make in chosen_metrics(wanted.metrics, METRICS).items()}
    splits = _splits(wanted, windows, units)
    prepare, inputs = _prepare(wanted, mean, deviation)
    starts, note = starts_of(wanted, windows["train"], splits.train.y, units)
    outputs = (wanted.targets * wanted.shape.ahead,)
    return Task(
        TaskSpec(wanted.name, inputs, outputs, directions(chosen), starts=starts),
        splits,
        prepare,
        absolute_loss,
        chosen,
        notes=(*notes, *_notes(wanted, found), *note),
        finish=Rescale(units.mean, units.deviation, wanted.shape.ahead),
        baselines=baseline(_naive_name(wanted), chosen, splits, _naive(wanted, windows, units)),
        offered=tuple(METRICS),
        overlap=wanted.shape.overlap,
    )


def _statistics(wanted: Forecast, found: list[Series], rows: list[int], notes: list[str]) -> tuple[Array, Array]:
    """Mean and deviation (channels,) of the training rows; a constant channel has deviation 1, and is said."""
    past = np.concatenate([one.values[:end] for one, end in zip(found, rows, strict=True)])
    mean, deviation = past.mean(0), past.std(0)
    same = constant(wanted.columns.channels, past)
    for name, value in same.items():
        if name in wanted.columns.targets:
            raise UserError(
                f"task.targets: {name} is {value:.6g} in all training rows, so there is nothing to forecast; leave "
                "it out"
            )
    if same:
        notes.append(f"the same in all training rows, which tells nothing: {', '.join(same)}")
    varies = [name not in same for name in wanted.columns.channels]
    return mean, np.where(varies, deviation, 1.0)


def _prepare(wanted: Forecast, mean: Array, deviation: Array) -> tuple[nn.Module, InputSpec]:
    channels, shape = len(mean), wanted.shape
    if not wanted.known:
        return Standardise.with_constants(mean, deviation, 1), InputSpec((channels, shape.before))
    prepare = KnownFuture(mean.tolist(), deviation.tolist(), shape.before, shape.ahead, wanted.known)
    return prepare, InputSpec((channels + 1, shape.before + shape.ahead))


def _splits(wanted: Forecast, windows: Windows, units: Units) -> Splits:
    shape, channels = wanted.shape, len(wanted.columns.channels)
    numbers = channels * (shape.before + shape.ahead * bool(wanted.known)) + wanted.targets * shape.ahead
    check_room("task.path", "the windows", 4 * numbers * sum(map(count, windows.values())), False, FEWER)
    parts = {part: Split(_x(own, shape, wanted.known), _y(own, shape, units)) for part, own in windows.items()}
    return Splits(**parts, drawn=("valid", "test"))


def _x(windows: Sequence[Place], shape: Shape, known: int) -> Array:
    """(n, channels, context), or (n, channels, context + horizon) with 0 where the future is not known; float32."""
    past = [taken(place.series.values, place.rows - shape.before, shape.before) for place in windows]
    x = np.concatenate(past).astype(np.float32)
    if not known:
        return x
    future = np.zeros((*x.shape[:2], shape.ahead), np.float32)
    future[:, -known:] = np.concatenate([taken(p.series.values[:, -known:], p.rows, shape.ahead) for p in windows])
    return np.concatenate([x, future], axis=2)


def _y(windows: Sequence[Place], shape: Shape, units: Units) -> Array:
    """(n, columns x horizon) standardised, float32."""
    columns = len(units.mean)
    ahead = [taken(place.series.values[:, :columns], place.rows, shape.ahead) for place in windows]
    return _standardised(np.concatenate(ahead), units)


def _standardised(values: Array, units: Units) -> Array:
    """(n, columns, horizon) in the units of the data -> (n, columns x horizon) float32."""
    mean, deviation = (np.array(one)[:, None] for one in (units.mean, units.deviation))
    found: Array = ((values - mean) / deviation).reshape(len(values), -1).astype(np.float32)
    return found


def _naive(wanted: Forecast, windows: Windows, units: Units) -> dict[str, Array]:
    """What the seasonal naive forecast says of valid and test."""
    given = wanted.targets, wanted.shape.ahead, wanted.season
    return {part: _standardised(seasonal_naive(windows[part], *given), units) for part in ("valid", "test")}


def starts_of(
    wanted: Forecast, train: Sequence[Place], y: Array, units: Units
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The place in a flattened window from which each output starts, and what is said of that; nothing where networks
    learn values.

    Args:
        wanted: what is to be forecast.
        train: windows.
        y: their targets, (n, columns x horizon) standardised.
        units: by which they are.
    """
    before, ahead = wanted.shape.before, wanted.shape.ahead
    reaches = wanted.season * ((ahead - 1) // wanted.season + 1) <= before
    lag = wanted.season if reaches else 1
    what = f"the value {lag:,} rows before" if lag > 1 else "the last value"
    if wanted.differences is None:
        off = np.abs(_standardised(seasonal_naive(train, wanted.targets, ahead, lag), units) - y).mean()
        if not off < np.abs(y).mean():
            return (), ()
    elif not wanted.differences:
        return (), ()
    length = before + ahead * bool(wanted.known)
    row = [before + step - lag * (step // lag + 1) for step in range(ahead)]
    starts = tuple(channel * length + place for channel in range(wanted.targets) for place in row)
    return starts, (f"networks learn the difference from {what}",)


def _naive_name(wanted: Forecast) -> str:
    return f"seasonal naive ({wanted.season:,} rows)" if wanted.season > 1 else "naive (the last value)"


def _notes(wanted: Forecast, found: list[Series]) -> list[str]:
    columns, shape = wanted.columns, wanted.shape
    needed, many = shape.before + shape.ahead, f"{len(found):,} series" if columns.group else "one series"
    future = f" and {shape.ahead:,} of {', '.join(columns.known)} to come" if columns.known else ""
    notes = [
        f"{many}: a window sees {shape.before:,} rows of {', '.join(columns.channels)}{future}, and forecasts "
        f"{shape.ahead:,} of {', '.join(columns.targets)}"
    ]
    if short := sum(len(one) < needed for one in found):
        notes.append(f"{short:,} series are left out, for they are shorter than {needed:,} rows")
    if wanted.season == 1:
        notes.append("season: 1, so the naive forecast is the last value; name the rows of a season where there is one")
    return notes
