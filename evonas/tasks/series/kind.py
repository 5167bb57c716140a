"""The options of task kind `series`, and a task of it all."""

from dataclasses import replace

from evonas.errors import UserError
from evonas.paths import expanded
from evonas.tasks.arrays.building import Target
from evonas.tasks.constructors import classification
from evonas.tasks.series.classes import check_tells, labelled
from evonas.tasks.series.forecast import Forecast, forecast
from evonas.tasks.series.reading import Columns, series_of
from evonas.tasks.series.windows import Shape
from evonas.tasks.table import read
from evonas.tasks.table.as_numbers import Decimal
from evonas.tasks.task import Task


def series(
    *,
    path: str,
    targets: tuple[str, ...],
    target: Target = "values",
    label: str = "",
    time: str = "",
    group: str = "",
    covariates: tuple[str, ...] = (),
    known: tuple[str, ...] = (),
    context: int = 64,
    horizon: int = 1,
    season: int = 1,
    stride: int = 0,
    valid_fraction: float = 0.15,
    test_fraction: float = 0.15,
    split_seed: int = 0,
    differences: bool | None = None,
    metrics: tuple[str, ...] | None = None,
    decimal: Decimal = "",
    encoding: str = "",
) -> Task:
    """A CSV or Parquet table with a row for each time: forecasts of columns, or classes of windows.

    A network takes the last `context` rows as (channels, context), the targets first, in the units of the table. Where
    columns are `known` of the future it takes (channels, context + horizon): whatever stands in the future of the
    other channels is not looked at. It gives standardised values (columns x horizon); an exported file gives (columns,
    horizon) in the units of the table. The parts are in the order of time: what a window predicts lies in one part,
    and a window may look back into an earlier one. The baseline is the seasonal naive forecast: the value of a season
    ago. Windows of classes have the label of their last row; where each series of `group` has one label, whole series
    are drawn for the parts. A gap in a column is filled with the value before it.

    Args:
        path: the file.
        targets: the columns to forecast or, of classes, to tell them by.
        target: values: forecasts; classes: the class of a window.
        label: the column of classes.
        time: the column of times, which rise by equal steps: dates, also as 20241231 or 202412, or whole numbers;
            default: rows are in order.
        group: the column that tells series apart, where the table has several below each other.
        covariates: columns that are known of the past alone.
        known: columns that are known of the future, such as holidays or prices that are set.
        context: rows that a network sees.
        horizon: rows that it forecasts.
        season: rows of a season, such as 24 of hours; 1: the naive forecast is the last value.
        stride: rows from one window to the next; default: 1 of forecasts, half a context of classes.
        valid_fraction: share of the times, before those of `test`; of whole series, of these.
        test_fraction: share of the times, the last ones; of whole series, of these.
        split_seed: of the draw of whole series.
        differences: whether a network learns the difference from the value of a season ago, or from the last value
            where its context does not reach back so far; default: where that forecasts the training part better than
            its mean does.
        metrics: of the validation examples, the main one first. Of forecasts, in the units of the table and as the
            mean over its columns: mae (the default), rmse, mase (mae in multiples of what the seasonal naive forecast
            has one step ahead in training, Hyndman & Koehler 2006), smape (in percent). Of classes: error and so on.
        decimal: what stands before decimal places, "," or "."; default: what most columns say, else a point.
        encoding: of a CSV file; default: UTF-8 or UTF-16, else Windows-1252 where it can be that, which is said.

    Raises:
        UserError: there is no such file or column, it holds no numbers, times are not in order or have gaps, a target
            is constant, or the series are too short.
    """
    if min(context, horizon, season) < 1 or stride < 0:
        raise ValueError(f"context, horizon and season take 1 or more, not {context}, {horizon}, {season}")
    if not targets:
        raise UserError("task.targets: name the columns to forecast or, of classes, to tell them by")
    if (target == "classes") != bool(label):
        raise UserError("task.label: target: classes takes the column of classes, and target: values takes no label")
    if target == "classes" and known:
        raise UserError("task.known: a window of classes has no future; name these columns in task.covariates")
    where, columns = expanded(path, "task.path"), Columns(targets, covariates, known, time, group, label)
    notes: list[str] = []
    rows = read(where, encoding, notes, decimal, doubtful=True)
    found, fractions = series_of(rows, columns, notes, decimal), (valid_fraction, test_fraction)
    if target == "classes":
        check_tells(targets, found)
        shape = Shape(context - 1, 1, stride or max(1, context // 2))
        splits, classes = labelled(found, shape, fractions, split_seed, notes)
        made = classification(where.stem, splits, metrics or ("error",), classes, notes)
        return replace(made, overlap=shape.overlap)
    shape = Shape(context, horizon, stride or 1)
    wanted = Forecast(where.stem, columns, shape, season, fractions, metrics or ("mae",), differences)
    return forecast(wanted, found, notes)
