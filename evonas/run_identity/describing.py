"""What run.json says of a search, and in which versions a start of it runs."""

import platform
from functools import cache
from importlib.metadata import version
from typing import Any

from evonas.components import Components
from evonas.inputs import to_plain
from evonas.neighbours import block_of
from evonas.records import TaskSpec
from evonas.tasks import Task
from evonas.tasks.data_record.run_json import in_run_json
from evonas.tasks.metrics import reduction

FOUNDERS_FROM = "founders_from"
"""The key of run.json which says where the founders of a search were taken from."""
_version = cache(version)
"""Which reads a file of metadata whole each time."""


def describe(components: Components) -> dict[str, Any]:
    """What run.json says, as plain data: enough to read the run without the user's code."""
    return {
        "fingerprint": components.config.fingerprint,
        "config": components.config.model_dump(mode="json"),
        "space": components.space.signature(),
        "task": describe_task(components.spec),
        "evaluator": components.evaluator,
        "objectives": [{"column": o.key, "unit": o.unit, "sign": o.sign} for o in components.objectives.objectives],
        "metrics": list(components.objectives.metrics),
        "targets": list(components.objectives.targets),
        "validation": _validation(components.task),
        "tables": {name: table.sha256 for name, table in components.tables.items()},
        "data": in_run_json(components.data).model_dump(mode="json") if components.data else None,
        **({"supernet": components.supernet.sha256} if components.supernet else {}),
    }


def describe_task(spec: TaskSpec) -> dict[str, Any]:
    """A task's spec as plain data."""
    shape, metrics = list(spec.output_shape), dict(spec.metrics)
    units = {"units": [list(each) for each in spec.units]} if spec.units else {}
    starts = {"starts": list(spec.starts)} if spec.starts else {}
    return {
        "name": spec.name,
        "input": to_plain(spec.input),
        "output_shape": shape,
        "metrics": metrics,
        **units,
        **starts,
    }


def versions() -> dict[str, str]:
    """Of Python and the libraries that decide what a search finds, by name."""
    names = ("evonas", "torch", "ray", "pymoo", "moocore", "numpy", "pyarrow")
    return {"python": platform.python_version(), **{name: _version(name) for name in names}}


def _validation(task: Task | None) -> dict[str, Any] | None:
    """How many examples the metrics are of, which of these are shares of them, which follow how from one number an
    example, and how many neighbours are drawn together, where they overlap."""
    if task is None:
        return None
    shares = [name for name, metric in task.metrics.items() if metric.share]
    reductions = {name: how for name, metric in task.metrics.items() if (how := reduction(metric))}
    blocks = {"block": block} if (block := block_of(task.overlap, len(task.splits.valid))) > 1 else {}
    return {"examples": len(task.splits.valid), "shares": shares, "reductions": reductions, **blocks}
