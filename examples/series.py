"""A forecast of a time series, with a task of its own: python examples/series.py [FILE] [--smoke]

FILE has a number a line. Without it, it is the chaotic series of Mackey and Glass (1977), six steps ahead.
"""

import sys

import numpy as np

import evonas
from evonas import Split, Splits, Task, regression
from evonas.tasks import TASKS


def mackey_glass(steps: int = 4000, delay: int = 17) -> np.ndarray:
    """(steps,) of dx/dt = 0.2 x(t - delay) / (1 + x(t - delay)^10) - 0.1 x(t), by Euler's method."""
    x = np.full(steps + delay + 1, 1.2)
    for t in range(delay, len(x) - 1):
        x[t + 1] = 0.9 * x[t] + 0.2 * x[t - delay] / (1 + x[t - delay] ** 10)
    return x[-steps:]


def forecast(*, path: str = "", context: int = 64, ahead: int = 6) -> Task:
    """From the last `context` values the one that comes `ahead` of them, in units of the deviation."""
    series = np.loadtxt(path) if path else mackey_glass()
    past = series[: int(0.7 * len(series))]
    series = (series - past.mean()) / past.std()
    parts = []
    for part in np.split(series, [int(0.7 * len(series)), int(0.85 * len(series))]):  # in the order of time
        windows = np.lib.stride_tricks.sliding_window_view(part, context + ahead).astype(np.float32)
        parts.append(Split(windows[:, None, :context], windows[:, -1:]))
    return regression("forecast", Splits(*parts))


TASKS["forecast"] = forecast

CONFIG = {
    "space": {"kind": "tcn", "widths": [8, 16, 32], "layers": [1, 3]},
    "task": {"kind": "forecast"},
    "objectives": [{"metric": "mse"}, {"metric": "params"}],
    "strategy": {"population": 8},
    "training": {"epochs": 6, "optimizer": "adamw", "learning_rate": 0.01, "rungs": [2]},
    "budget": {"evaluations": 24},
}

if __name__ == "__main__":
    for file in [word for word in sys.argv[1:] if word != "--smoke"]:
        CONFIG["task"] |= {"path": file}
    if "--smoke" in sys.argv:  # two candidates in this process, to see that it runs
        CONFIG |= {"budget": {"evaluations": 2}, "runtime": {"kind": "serial"}, "training": {"epochs": 1}}
    run = evonas.search(CONFIG, run="runs/series")
    print(run.front()[["candidate", "mse", "params"]])
    print("all of it as a page: evonas report runs/series")
    print("a network as a file: evonas export runs/series CANDIDATE --out network.onnx")
