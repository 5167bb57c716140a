"""`evonas export RUN CANDIDATE`."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from evonas.commands.arguments import add_import, add_run, imported
from evonas.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("candidate", type=int, metavar="CANDIDATE")
    parser.add_argument("--out", metavar="FILE", help="default: candidate-N.pt2")
    add_import(parser)


def run(options: argparse.Namespace) -> int:
    imported(options.modules)
    for line in export(options.run, options.candidate, options.out):
        print(line)
    return 0


def export(folder: str, candidate: int, out: str | None) -> Iterator[str]:
    """Write a network of the front, what the task does to stored examples included, for `torch.export.load`.

    out: default candidate-N.pt2. Yields what there is to know of the file.

    Raises:
        UserError: no such candidate, its weights are not kept, or the file cannot be written.
    """
    import torch
    from torch import nn

    from evonas.inputs import example as made_up
    from evonas.inputs import mapped
    from evonas.runs.rebuild import task_of
    from evonas.runs.run import Run
    from evonas.text import describe_error

    run = Run(folder)
    network = run.build(candidate)
    try:
        task = run.task()
    except UserError as reason:  # a task of the user's own, or its data are elsewhere
        example = mapped(torch.from_numpy, made_up(task_of(run.description).input, batch=2))
        yield f"note: {reason}; so the file takes what the task's `prepare` gives, and not the data as they are stored"
    else:
        example = torch.from_numpy(task.splits.test.x[:2])
        network = nn.Sequential(task.prepare, network).eval()
    program = torch.export.export(network, (example,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
    path = Path(out or f"candidate-{candidate}.pt2")
    try:
        torch.export.save(program, path)
    except (OSError, RuntimeError) as error:
        raise UserError(f"--out {path}: {describe_error(error)}") from None
    shape = ", ".join(map(str, example.shape[1:]))
    kind = str(example.dtype).removeprefix("torch.")
    yield f"{path}: takes {kind} (N, {shape}); torch.export.load({str(path)!r}).module()"
