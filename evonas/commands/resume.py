"""`evonas resume RUN`."""

import argparse

from evonas.commands.arguments import add_import, add_run, add_set, add_take_over, imported
from evonas.commands.search import run_prepared


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_take_over(parser)
    add_set(parser)
    add_import(parser)


def run(options: argparse.Namespace) -> int:
    from evonas.start import prepare_again

    modules = imported(options.modules)
    return run_prepared(prepare_again(options.run, overrides=options.overrides, modules=modules), options)
