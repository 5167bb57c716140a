"""The script that completes words of the command line in a shell, made by shtab from the parsers."""

import argparse
from collections.abc import Iterator

import shtab

COMPLETED_AS = {
    "RUN": shtab.DIRECTORY,
    "DIR": shtab.DIRECTORY,
    "CONFIG": shtab.FILE,
    "FILE": shtab.FILE,
    "MODULE": shtab.FILE,
    "PATH": shtab.FILE,
}
"""Metavar of an argument -> what stands there: files (folders included, as they lead to some), or folders alone."""


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Make the script that a shell reads.

    Args:
        parser: of all commands, each with its arguments.
        shell: one that shtab knows.
    """
    for action in _actions(parser):
        if isinstance(action.metavar, str) and action.metavar in COMPLETED_AS:
            action.complete = COMPLETED_AS[action.metavar]  # type: ignore[attr-defined]
    return str(shtab.complete(parser, shell))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Those of the parsers below it, too."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _actions(below)
