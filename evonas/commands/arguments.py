"""Arguments that several commands take."""

import argparse
import importlib
import math
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType

from evonas.code_owner import place_of
from evonas.errors import UserError
from evonas.ipc.boot import standard_first
from evonas.text import describe_error, error_text


def add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="run folder")


def add_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides", help="e.g. strategy.population=48"
    )


def add_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=("table", "csv", "json"), default="table", help="default: table")


def add_take_over(parser: argparse.ArgumentParser) -> None:
    text = "go on although another search holds the folder; that one can record nothing any more"
    parser.add_argument("--take-over", action="store_true", help=text)


def add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--import", action="append", default=[], metavar="MODULE", dest="modules", help="your own spaces and tasks"
    )


def add_unneeded_import(parser: argparse.ArgumentParser) -> None:
    """For commands that read a record without the user's code, so that a line of another command can be changed."""
    text = "as other commands take it; a record is read without your code, so nothing is imported"
    parser.add_argument("--import", action="append", default=[], metavar="MODULE", dest="modules", help=text)


def add_access(parser: argparse.ArgumentParser) -> None:
    text = "for a proxy before the cluster, on each request; a secret as NAME=env:VARIABLE or NAME=@FILE"
    parser.add_argument("--header", action="append", default=[], metavar="NAME=VALUE", dest="headers", help=text)
    text = "PEM file of the authority that signed the certificate of an https:// address"
    parser.add_argument("--cacert", metavar="FILE", help=text)


def imported(names: Sequence[str]) -> list[ModuleType]:
    """The user's modules, from the folder of a file, the working folder or the installed packages.

    The standard library comes before all of them; where no name is given, the working folder is no place for imports.

    Raises:
        UserError: one cannot be imported, or raises.
    """
    modules = []
    for name in names:
        if name.endswith(".py") and not Path(name).is_file():
            raise UserError(f"--import {name}: there is no such file")
        folder = str(Path(name).resolve().parent) if name.endswith(".py") else os.getcwd()
        sys.path[:] = standard_first([folder, *(path for path in sys.path if path != folder)])
        try:
            modules.append(importlib.import_module(Path(name).stem if name.endswith(".py") else name))
        except Exception as error:
            plain = isinstance(error, ImportError | UserError | ValueError)
            text = error_text(error) if plain else describe_error(error)
            raise UserError(f"--import {name}: {text}{place_of(error)}") from error
    return modules


def positive(text: str) -> float:
    """A number of the command line that is above 0, and neither nan nor endless.

    Raises:
        argparse.ArgumentTypeError: it is not.
    """
    with suppress(ValueError):
        if 0 < (number := float(text)) < math.inf:
            return number
    raise argparse.ArgumentTypeError(f"takes a number above 0, not {text}")


def printable(message: object) -> str:
    """What a candidate or a foreign file put into a message must not steer the terminal."""
    return "".join(c if c.isprintable() else " " for c in str(message))
