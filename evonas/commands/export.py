"""`evonas export RUN CANDIDATE`."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evonas.commands.arguments import add_import, add_run, imported
from evonas.errors import UserError

if TYPE_CHECKING:
    from torch import nn

    from evonas.exporters import Exporter
    from evonas.runs.run import Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("candidate", type=int, metavar="CANDIDATE", help="its index")
    parser.add_argument("--out", metavar="FILE", help="default: candidate-N.pt2; its suffix decides the format")
    parser.add_argument("--format", metavar="FORMAT", help="pt2, onnx or safetensors, where the suffix does not say")
    add_import(parser)


def run(options: argparse.Namespace) -> int:
    imported(options.modules)
    for line in export(options.run, options.candidate, options.out, options.format):
        print(line)
    return 0


def export(folder: str, candidate: int, out: str | None = None, form: str | None = None) -> Iterator[str]:
    """Write a network of the front, what the task does to stored examples included, as one file.

    Args:
        folder: of the run.
        candidate: on the front, whose weights are kept.
        out: the file; default candidate-N and the format. Its suffix decides the format.
        form: a key of `EXPORTERS`; default that of the suffix, or pt2.

    Yields:
        Lines: what there is to know of the file.

    Raises:
        UserError: no such candidate, its weights are not kept, the format is unknown, or the file cannot be written.
    """
    from evonas.exporters import shipped, written
    from evonas.inputs import mapped
    from evonas.runs.run import Run

    form, exporter = chosen(out, form)
    run = Run(folder)
    network = run.build(candidate)
    prepare, x, note = _before(run)
    if note:
        yield f"note: {note}"
    file, checked = written(exporter, shipped(prepare, network), x)
    path = Path(out or f"candidate-{candidate}.{form}")
    try:
        path.write_bytes(file)
    except OSError as error:
        raise UserError(f"--out {path}: {error.strerror}") from None
    opened = f"{exporter.hint.format(path=str(path))}; " if exporter.hint else ""
    kinds = mapped(
        lambda part: f"{str(part.dtype).removeprefix('torch.')} (N, {', '.join(map(str, part.shape[1:]))})", x
    )
    takes = kinds if isinstance(kinds, str) else ", ".join(f"{name}: {kind}" for name, kind in kinds.items())
    yield f"{path}: takes {takes}; {opened}{checked}"


def _before(run: "Run") -> "tuple[nn.Module, Any, str]":
    """What comes before the networks of a run, two examples that it takes, and what there is to know of it.

    The run folder knows what the tasks of evonas do; what a task of the user's own does, the task alone knows.
    """
    import numpy as np
    import torch
    from torch import nn

    from evonas.inputs import example, mapped
    from evonas.records import InputSpec
    from evonas.runs.rebuild import task_of
    from evonas.tasks.data_record import prepare_of, recorded_data, stored_example

    record = recorded_data(run.description, run.folder)
    takes = task_of(run.description).input
    if record and (prepare := prepare_of(record)):
        if record.unprepared:
            return prepare, mapped(torch.from_numpy, example(takes, batch=2)), ""
        tokens = takes.high if isinstance(takes, InputSpec) and takes.high else 100
        return prepare, stored_example(record, 2, tokens), ""
    try:
        task = run.task()
    except UserError as reason:  # a task of the user's own, or its data are elsewhere
        taken = "so the file takes what the task's `prepare` gives, and not the data as they are stored"
        x = mapped(torch.from_numpy, example(takes, batch=2))
        return nn.Identity(), x, f"{reason}; {taken}"
    x = mapped(torch.from_numpy, task.splits.test.read(np.arange(2) % len(task.splits.test))[0])
    return task.prepare, x, ""


def chosen(out: str | None, form: str | None) -> "tuple[str, Exporter]":
    """Format and exporter, by name or by the suffix of the file.

    Raises:
        UserError: it is unknown, or the two do not agree.
    """
    from evonas.did_you_mean import unknown
    from evonas.exporters import EXPORTERS, Exporter

    suffix = Path(out).suffix.removeprefix(".") if out else ""
    name = form or suffix or "pt2"
    if name not in EXPORTERS:
        raise UserError(f"{'--format' if form else f'--out {out}'}: {unknown(name, EXPORTERS)}")
    if form and suffix in EXPORTERS and suffix != form:
        raise UserError(f"--out {out} and --format {form} do not agree; leave one of them out")
    exporter = EXPORTERS[name]
    if not isinstance(exporter, Exporter):
        raise UserError(f"EXPORTERS[{name!r}] is a {type(exporter).__name__}, not an Exporter: give Exporter(WRITE)")
    return name, exporter
