"""`evonas verify RUN`."""

import argparse
from typing import TYPE_CHECKING

from evonas.commands.arguments import add_import, add_run, imported, printable
from evonas.errors import UserError
from evonas.text import counted

if TYPE_CHECKING:
    from evonas.runs.run import Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    where = "where the data are now, e.g. task.path=/mnt/data.npz; they must then be those of the search"
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides", help=where)
    add_import(parser)


def _supernet_that_is_away(run: "Run") -> str:
    """The file of inherited weights, where it is not there any more; else an empty text."""
    from evonas.paths import expanded
    from evonas.runs.rebuild import supernet_path

    path = supernet_path(run.folder, run.description)
    return path if path and not expanded(path, "training.supernet").exists() else ""


def run(options: argparse.Namespace) -> int:
    from evonas.runs.data import whole_data
    from evonas.runs.rebuild import task_with_data
    from evonas.runs.remarks import in_words_unmeasured
    from evonas.runs.run import Run
    from evonas.store.final import read_final, read_weights

    imported(options.modules)
    run = Run(options.run)
    task, unchecked = None, "the run folder says nothing of them"
    if whole_data(run):
        try:
            task = task_with_data(run.folder, run.description, options.overrides)
        except UserError as reason:
            if options.overrides:
                raise
            how = "" if "--set" in str(reason) else "; --set task.KEY=VALUE says where they are"
            unchecked = f"{reason}{how}"
    verdict = run.verify(task)
    if verdict.difference:
        print(f"differs: {verdict.difference}")
        return 1
    births = "" if verdict.bred else "; births are taken as recorded, because the strategy is not exact"
    print(
        f"verified: {counted(verdict.candidates, 'candidate')} and {counted(verdict.generations, 'generation')} "
        "follow from the record; "
        f"{verdict.recounted:,} networks were built again and have the parameters that it says{births}"
    )
    if unmeasured := run.unmeasured:
        print(f"note: {in_words_unmeasured(len(unmeasured))}")
    if finished := read_final(run.folder):
        for row in finished:
            if row["weights"]:
                read_weights(run.folder, row)
        networks = counted(len({row["candidate"] for row in finished}), "network")
        print(f"{networks} trained to the end: records and weights are whole")
    if path := _supernet_that_is_away(run):
        how = f"evonas resume {run.folder} --set training.supernet=WHERE notes where it is now"
        print(f"note: the supernet is not checked: there is no {printable(path)}; {printable(how)}")
    print("the data are those of the search" if task else f"note: the data are not checked: {printable(unchecked)}")
    return 0
