"""What a shell completes, asked of a real bash."""

import shutil
import subprocess
from pathlib import Path

import pytest

from evonas.cli import SHELLS, main
from evonas.commands import COMMANDS

ASK = """
source ./completion
complete -p evonas | grep -q -- '-F _shtab_evonas ' || exit 1
while IFS= read -r line; do
    read -ra COMP_WORDS <<< "evonas $line"
    [[ $line == *' ' ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _shtab_evonas
    echo "${COMPREPLY[*]}"
done
"""
"""Each line of the input is typed after `evonas`; what comes then is a line of the output."""


def _script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["--print-completion", shell])
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
def test_bash_completes_commands_options_choices_and_paths(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "completion").write_text(_script("bash", capsys))
    for folder in ("run_1", "run_2"):
        (tmp_path / folder).mkdir()
    for file in ("run.yaml", "my_space.py"):
        (tmp_path / file).touch()
    expected = {
        "fro": {"front"},
        "measure-s": {"measure-server"},
        "--print-completion ": set(SHELLS),
        "search --d": {"--dry-run"},
        "measure-server --to": {"--token-file"},
        "status run_1 --format ": {"table", "csv", "json"},
        "front ru": {"run_1", "run_2"},
        "search run": {"run.yaml", "run_1", "run_2"},
        "search run.yaml --run ru": {"run_1", "run_2"},
        "search run.yaml --import my": {"my_space.py"},
        "init my": {"my_space.py"},
    }
    answer = subprocess.run(
        ["bash", "--norc", "-c", ASK], input="\n".join(expected) + "\n", capture_output=True, text=True, cwd=tmp_path
    )
    assert answer.returncode == 0, answer.stderr
    given = dict(zip(expected, (set(line.split()) for line in answer.stdout.splitlines()), strict=True))
    assert given == expected


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_names_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = _script(shell, capsys)
    assert [name for name in COMMANDS if name not in text] == []


def test_another_shell_is_told_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--print-completion", "elvish"])
    assert ended.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "'bash', 'zsh', 'tcsh'" in line
