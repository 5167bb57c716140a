"""A look at the test examples: how good networks are that are there now, or exported files; each look is recorded."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from evonas.config import TrainingConfig
from evonas.errors import UserError
from evonas.evaluation.batches.device_data import DeviceData, to_device
from evonas.evaluation.task_metrics import rows
from evonas.exporters import EXPORTERS, Exporter
from evonas.final.examining import examined, with_intervals
from evonas.final.work import column
from evonas.inputs import mapped
from evonas.measuring.torch_state import cpu_threads
from evonas.runs.rebuild import config_of
from evonas.runs.run import Run
from evonas.store.final import record_tests
from evonas.tasks import Task
from evonas.text import describe_error

BATCH = 256
"""Examples that an exported file gets at a time."""


def look_at_networks(run: Run, candidates: Sequence[int], task: Task) -> pd.DataFrame:
    """The test figure of networks, trained to the end or as the search left them.

    Args:
        run: whose networks.
        candidates: their numbers. Of one that was trained to the end, its final weights are looked at.
        task: of the run, with its data.

    Returns:
        A row each: candidate, weights (search or final), examples, test[M], test_low[M], test_high[M].

    Raises:
        UserError: a network's weights are not kept, or the task has no test examples.
    """
    _check(task)
    data, training = to_device(task, "cpu"), config_of(run.folder, run.description).training
    found = [_network(run, candidate, task, data, training) for candidate in candidates]
    return _recorded(run, found)


def look_at_files(run: Run, paths: Sequence[str], task: Task) -> pd.DataFrame:
    """The test figure of exported files, each by the runtime that it is for, from the examples as they are stored.

    Args:
        run: whose data.
        paths: of the files, whose suffixes name their formats.
        task: of the run, with its data.

    Returns:
        A row each: as of `look_at_networks`; `weights` is the file's name, and candidate -1.

    Raises:
        UserError: a file cannot be read or run, or its output is none of the task's.
    """
    _check(task)
    return _recorded(run, [_file(Path(path), task) for path in paths])


def _check(task: Task) -> None:
    if not len(task.splits.test):
        raise UserError(f"the task {task.spec.name} has no test examples; give some, or a test_fraction")


def _network(run: Run, candidate: int, task: Task, data: DeviceData, training: TrainingConfig) -> dict[str, Any]:
    network = run.build(candidate)
    finished = run.final[(run.final["candidate"] == candidate) & (run.final["status"] == "ok")]
    row = run.evaluations.set_index("candidate").loc[candidate]
    digest = row["weights_sha256"] if finished.empty else finished.iloc[0]["weights_sha256"]
    with cpu_threads(training.threads):  # many threads of small networks wait for each other
        metrics = examined(network, task.splits.test, data, task, training)
    return _row(candidate, "search" if finished.empty else "final", str(digest), task, metrics)


def _file(path: Path, task: Task) -> dict[str, Any]:
    form = path.suffix.removeprefix(".")
    if form not in EXPORTERS:
        raise UserError(f"{path}: the suffix names the format, one of {', '.join(EXPORTERS)}")
    exporter = EXPORTERS[form]
    if exporter.run is None:
        raise UserError(f"{path}: weights alone are no network; nothing runs {form}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    statistics: dict[str, list[torch.Tensor]] = {name: [] for name in task.metrics}
    for x, y in _batches(task):
        output = _output(exporter, content, x, path)
        finish = task.finish
        wanted = (len(y), *((len(finish.mean), finish.steps) if finish else task.spec.output_shape))
        if output.shape != wanted:
            raise UserError(f"{path} gives an output {tuple(output.shape)} of {len(y)} examples, not {wanted}")
        output = output if finish is None else finish.undone(output)
        for name, metric in task.metrics.items():
            statistics[name].append(rows(name, metric.statistics(output, y), len(y)))
    metrics = with_intervals({name: torch.cat(parts) for name, parts in statistics.items()}, task)
    return _row(-1, path.name, hashlib.sha256(content).hexdigest(), task, metrics)


def _output(exporter: Exporter, content: bytes, x: Any, path: Path) -> torch.Tensor:
    assert exporter.run is not None
    try:
        return torch.from_numpy(np.asarray(exporter.run(content, x))).float()
    except ImportError as error:
        raise UserError(f"{path}: {error}") from None
    except Exception as error:
        made_for = f", as one for the task {own} may not" if (own := _task_of(exporter, content)) else ""
        raise UserError(f"{path} does not run on this run's test examples{made_for}: {describe_error(error)}") from None


def _task_of(exporter: Exporter, content: bytes) -> str:
    """The name of the task that a file says it is for; empty where it does not."""
    try:
        return str(exporter.labels.get(content).get("task", "")) if exporter.labels else ""
    except Exception:  # it is no such file
        return ""


def _batches(task: Task) -> Iterator[tuple[Any, torch.Tensor]]:
    split = task.splits.test
    for start in range(0, len(split), BATCH):
        x, y = split.read(np.arange(start, min(len(split), start + BATCH)))
        yield mapped(np.ascontiguousarray, x), torch.from_numpy(np.array(y))


def _row(candidate: int, weights: str, digest: str, task: Task, metrics: dict[str, float]) -> dict[str, Any]:
    return {
        "candidate": candidate,
        "weights": weights,
        "weights_sha256": digest,
        "examples": len(task.splits.test),
        "metrics": {column("test", name): value for name, value in metrics.items()},
        "at": time.time(),
    }


def _recorded(run: Run, found: Sequence[dict[str, Any]]) -> pd.DataFrame:
    record_tests(run.folder, found)
    return pd.DataFrame([{**{name: row[name] for name in row if name != "metrics"}, **row["metrics"]} for row in found])
