"""Task kind `series`: forecasts of columns of a table, and classes of windows of them.

table.py        columns of numbers and times, and what can be wrong with them
reading.py      the series of a table
windows.py      which windows there are, and in which part of time each is
inputs.py       what a network takes in where something is known of the future
forecasting.py  the metrics of a forecast, and the seasonal naive one
forecast.py     a task of forecasting
classes.py      windows with classes
kind.py         the options
"""

from evonas.tasks.series.kind import series

__all__ = ["series"]
