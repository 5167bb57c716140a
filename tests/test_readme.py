"""README.md's lines for a shell: that there is what they name, and that every shell takes them for the same words."""

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from evonas.cli import _parser
from tests.clouds.test_shells import _said

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def typed() -> Iterator[str]:
    """Lines of blocks without a language: those behind a prompt where there is one, else all."""
    for block in re.findall(r"^```\n(.*?)^```$", README, re.MULTILINE | re.DOTALL):
        lines = block.splitlines()
        yield from [line[2:] for line in lines if line.startswith("$ ")] or lines


LINES = [line for line in typed() if line.strip()]
MENTIONED = [line for line in re.findall(r"`(evonas [^`\n]+)`", README) if len(line.split()) > 2]
CALLS = sorted({line for line in (*LINES, *MENTIONED) if line.startswith("evonas ")})


@pytest.mark.parametrize("line", CALLS)
def test_a_command_takes_its_line(line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    _parser(words[:1]).parse_args(words)


def test_what_is_made_can_be_made() -> None:
    targets = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split()
    made = {
        words.split()[0] for words in re.findall(r"(?:^|`)make ([a-z-]+)", "\n".join([README, *LINES]), re.MULTILINE)
    }
    assert {"demo", "test"} <= made <= set(targets)


def test_every_shell_says_the_same(tmp_path: Path) -> None:
    script = "\n".join(line for line in LINES if not line.startswith(". "))
    first, *others = [shell for shell in ("bash", "dash", "zsh") if shutil.which(shell)]
    said = _said(tmp_path, first, script)
    assert {words[0] for words in said} == {"make", "evonas"}
    assert [_said(tmp_path, shell, script) for shell in others] == [said] * len(others)
