"""`evonas table CONFIG --target T`."""

import argparse
from collections.abc import Callable, Sequence

from evonas.commands.arguments import add_import, add_set, imported
from evonas.errors import TargetUnavailable, UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="YAML file")
    parser.add_argument("--target", required=True, metavar="T", help="target of the config to measure on")
    parser.add_argument("--out", default="table.parquet", metavar="FILE", help="default: table.parquet")
    add_set(parser)
    add_import(parser)


def run(options: argparse.Namespace) -> int:
    imported(options.modules)
    make_table(options.config, options.overrides, options.target, options.out, lambda line: print(line, flush=True))
    return 0


def make_table(config_path: str, overrides: Sequence[str], target: str, path: str, say: Callable[[str], None]) -> None:
    """Measure the blocks of a config's space on one of its targets, and write them to a Parquet file.

    Raises:
        UserError: no such target, it is not there, or the path is taken.
    """
    from torch import nn

    from evonas.components import remotes
    from evonas.config.loading import load_config
    from evonas.config.options import construct
    from evonas.did_you_mean import unknown
    from evonas.evaluation.targets import Targets
    from evonas.latency_tables.build import build_table
    from evonas.measuring.device_lock import DeviceLock
    from evonas.objectives.objectives import Objectives
    from evonas.records import Inputs, Measurement
    from evonas.spaces import SPACES
    from evonas.tasks import TASKS
    from evonas.tasks.shipped import preparation

    config = load_config(config_path, overrides)
    if target not in config.targets:
        raise UserError(f"--target: {unknown(target, config.targets)}")
    space = construct(SPACES, config.space, "space")
    whole = construct(TASKS, config.task, "task")
    task, included = whole.spec, config.targets[target].includes
    targets = Targets(space, config, Objectives(config, task), {}, DeviceLock(["cpu"]), task.input)
    endpoints = remotes(config, [target]).endpoints

    def measure(module: nn.Module, inputs: Inputs) -> Measurement:
        return targets.part(target, module, inputs, endpoints)

    try:
        table = build_table(
            config,
            target,
            space,
            task,
            measure,
            path,
            say=say,
            preparation=preparation(whole) if included == "prepare" else None,
        )
    except TargetUnavailable as away:
        raise UserError(str(away)) from None
    say(f"{path}: {len(table.rows):,} blocks of {config.space.kind} on {target}; includes: {included}")
