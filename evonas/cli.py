"""The command line: which command is meant, and what its exceptions are as messages and exit statuses."""

import argparse
import os
import shlex
import sys
from collections.abc import Collection, Sequence
from importlib import import_module
from typing import Any, NoReturn

import evonas
from evonas.commands import COMMANDS, tracebacks
from evonas.commands.arguments import printable
from evonas.commands.garbage import look_later
from evonas.errors import Halted, UserError
from evonas.platforms import check_platform
from evonas.signals import not_lost, status_of

SHELLS = ("bash", "zsh", "tcsh")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status: 0 done, 1 not as it should be, 2 wrong input, 130 or 143 interrupted."""
    if arguments is None:  # the process is ours
        look_later()
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        parser, line = _parser(words[:1]), shlex.join(["evonas", *words])
        options = parser.parse_args(_options_last(parser, words), argparse.Namespace(line=line))
        check_platform()
        with not_lost():
            return int(options.command(options) or 0)
    except UserError as error:
        tracebacks.show(error)
        print(f"evonas: {printable(error)}", file=sys.stderr)
        return 2
    except Halted as reason:
        tracebacks.show(reason)
        print(f"evonas: stopped: {printable(reason)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        return status_of(stop)
    except (NotADirectoryError, IsADirectoryError, FileExistsError, PermissionError, FileNotFoundError) as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else error
        print(f"evonas: {printable(what)}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # a disk that is full, a store that is out of reach
        print(f"evonas: {printable(error)}", file=sys.stderr)
        return 1


def _options_last(parser: argparse.ArgumentParser, words: Sequence[str]) -> list[str]:
    """The words, with those that argparse takes for too many before the first option.

    Of `measure RUN --target cpu 5` it takes a candidate that may be left out as left out, since no more than RUN stands
    before the option, and then does not know what 5 is.
    """
    _, rest = parser.parse_known_args(words)
    if not rest or any(word.startswith("-") for word in rest):
        return list(words)
    others = list(words)
    for word in reversed(rest):
        del others[len(others) - 1 - others[::-1].index(word)]
    first = next((place for place, word in enumerate(others) if word.startswith("-")), len(others))
    return [*others[:first], *rest, *others[first:]]


class _Parser(argparse.ArgumentParser):
    def __init__(self, **words: Any) -> None:
        super().__init__(
            allow_abbrev=False, **words
        )  # half an option may be another one's, in a later evonas if not now
        self.meant: argparse.ArgumentParser = self

    def error(self, message: str) -> NoReturn:
        near = _near(message, self.meant) if message.startswith("unrecognized") else ""
        print(f"evonas: {printable(message)}{near}; see {self.prog} --help", file=sys.stderr)
        sys.exit(2)


def _near(message: str, parser: argparse.ArgumentParser) -> str:
    """The options of which the first unknown one may be a part."""
    word = next((word.partition("=")[0] for word in message.split() if word.startswith("--")), "")
    whole = [name for action in parser._actions for name in action.option_strings if word and name.startswith(word)]
    return f"; did you mean {' or '.join(whole)}?" if whole else ""


class _PrintCompletion(argparse.Action):
    def __call__(
        self, parser: argparse.ArgumentParser, namespace: object, values: Any, option: object = None
    ) -> NoReturn:
        try:
            from evonas.commands.completion import script  # --help answers at once
        except ImportError as error:
            raise argparse.ArgumentError(self, f"it needs shtab: pip install shtab ({error})") from None
        print(script(_parser(COMMANDS), values))
        parser.exit()


def _parser(meant: Collection[str]) -> argparse.ArgumentParser:
    """All commands by name, and the arguments of those that are meant: no other is imported."""
    parser = _Parser(
        prog="evonas", description="Find the neural networks with the best trade-off between accuracy and cost."
    )
    parser.add_argument("--version", action="version", version=f"evonas {evonas.__version__}")
    text = "print what a shell reads to complete commands, options and files, and exit"
    parser.add_argument("--print-completion", choices=SHELLS, action=_PrintCompletion, help=text)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        if name in meant:
            module = import_module(f"evonas.commands.{name.replace('-', '_')}")
            module.add_arguments(command)
            parser.meant = command
            command.set_defaults(command=module.run)
    return parser
