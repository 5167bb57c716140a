"""`evonas verify RUN`."""

import argparse

from evonas.commands.arguments import add_import, add_run, imported


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_import(parser)


def run(options: argparse.Namespace) -> int:
    from evonas.runs.run import Run

    imported(options.modules)
    verdict = Run(options.run).verify()
    if verdict.difference:
        print(f"differs: {verdict.difference}")
        return 1
    births = "" if verdict.bred else "; births are taken as recorded, because the strategy is not exact"
    print(
        f"verified: {verdict.candidates:,} candidates and {verdict.generations:,} generations follow from the record; "
        f"{verdict.recounted:,} networks were built again and have the parameters that it says{births}"
    )
    return 0
