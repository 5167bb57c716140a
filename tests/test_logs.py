"""What candidates print and how they fail: kept in bounds, shown without harm, and no part of the search."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import evonas
from evonas.cli import main
from evonas.errors import UserError
from evonas.excerpt import Excerpt, shortened
from evonas.records import Job
from evonas.report.data import document
from evonas.runs.logs import ranges
from evonas.runtime import Message
from evonas.start import execute, prepare
from evonas.store import candidate_files
from evonas.text import printable_lines
from tests.synthetic import SPEC, Toy, Work, config
from tests.test_loop import Stop, content, populations, quiet, stopping_after

SETTINGS = config(budget={"evaluations": 16, "same_failure": 1.0}).model_dump(mode="json", by_alias=True)


@dataclass
class Talking(Work):
    """Prints before it does its work, if it is one of `talks`."""

    talks: tuple[int, ...] = ()
    lines: int = 1

    def __call__(self, job: Job) -> Iterator[Message]:
        if job.candidate.index in self.talks:
            for line in range(self.lines):
                print(f"layer {line} of {job.candidate.index} \x1b[31mred\x1b[0m")
            print("a warning", file=sys.stderr)
        yield from super().__call__(job)


def run(folder: Path | str, watch: Any = quiet, **work: Any) -> evonas.Run:
    given = {"space": Toy(), "task": SPEC, "evaluator": partial(Talking, **work)}
    execute(prepare(SETTINGS, run=folder, **given), watch=watch)
    return evonas.load(folder, Toy())


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> evonas.Run:
    return run(tmp_path_factory.mktemp("logs") / "run", talks=(2, 5), unbuildable=(5, 7, 9), failing=(11,))


def test_what_a_candidate_prints_is_kept_and_changes_nothing(found: evonas.Run, tmp_path: Path) -> None:
    silent = run(tmp_path / "silent", unbuildable=(5, 7, 9), failing=(11,))
    assert found.log(2) == "layer 0 of 2 red\na warning"
    assert found.log(3) == ""
    assert found.folder.names("logs") == ["000002.txt", "000005.txt"]
    assert silent.folder.names("logs") == []
    assert content(found) == content(silent)
    assert populations(found) == populations(silent)
    assert found.verify().difference == ""


def test_it_still_comes_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path / "run", talks=(2,))
    out, err = capsys.readouterr()
    assert "layer 0 of 2 \x1b[31mred" in out
    assert err == "a warning\n"


def test_the_command_shows_one_log_or_what_there_is(found: evonas.Run, capsys: pytest.CaptureFixture[str]) -> None:
    where = str(found.folder)
    assert main(["log", where, "5"]) == 0
    assert capsys.readouterr().out == (
        "candidate 5: failed:build: layer 5 does not fit\n\nlayer 0 of 5 red\na warning\n"
    )
    for command in ("log", "front", "status", "report"):  # as a line of another command is changed to this one
        assert main([command, where, "--import", "nowhere", *(["--out", f"{where}.html"] * (command == "report"))]) == 0
    capsys.readouterr()
    assert main(["log", where, "3"]) == 0
    assert "it has no log: it printed nothing" in capsys.readouterr().out
    assert main(["log", where]) == 0
    first, *groups, last = capsys.readouterr().out.splitlines()
    assert first == "4 of 16 candidates failed, 2 have a log"
    assert groups[0] == f"3 x failed:build: layer 5 does not fit (evonas log {where} 5)"
    assert groups[1].startswith("1 x failed:diverged: loss is nan")
    assert "layer 0 of 2 red" in groups[2]
    assert last == "with a log: 2, 5"
    assert main(["log", where, "99"]) == 2
    assert capsys.readouterr().err == "evonas: no evaluated candidate 99; the run has 16, from 0 to 15\n"
    with pytest.raises(UserError, match="no evaluated candidate 99"):
        found.log(99)


def test_others_name_the_command(found: evonas.Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(found.folder)]) == 0
    assert f"why candidates failed: evonas log {found.folder}\n" in capsys.readouterr().out
    shown = document(found)
    assert shown["logged"] == [2, 5]
    assert shown["command"]["log"] == f"evonas log {found.folder} "


def test_a_log_is_bounded_and_more_so_where_nothing_failed_or_there_are_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidate_files, "FULL_LOGS", 3)
    found = run(tmp_path / "run", talks=(1, 2, 3, 4, 5), lines=5000, unbuildable=(1, 5))
    sizes = {index: len(found.folder.read(f"logs/{index:06d}.txt")) for index in range(1, 6)}
    assert 2**16 <= sizes.pop(1) < 2**16 + 50
    assert all(2**12 <= size < 2**12 + 50 for size in sizes.values())
    text = found.log(5)
    assert text.startswith("layer 0 of 5")
    assert text.endswith("layer 4999 of 5 red\na warning")
    assert "bytes left out" in text


def test_a_log_of_an_interrupted_try_goes_with_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(Stop):
        run(folder, stopping_after(6), talks=(2, 3))
    stale = folder / "logs" / "000008.txt"  # of one that was not decided
    stale.write_text("of an earlier try")
    found = run(folder, talks=(4,))
    assert found.folder.names("logs") == ["000002.txt", "000003.txt"]
    assert not stale.exists()


@given(st.lists(st.binary(max_size=40)), st.integers(8, 64))
def test_an_excerpt_has_the_beginning_the_end_and_what_is_between_counted(parts: list[bytes], most: int) -> None:
    excerpt, whole = Excerpt(most), b"".join(parts)
    for part in parts:
        excerpt.add(part)
    head, last = most // 4, most - most // 4
    if len(whole) <= most:
        assert excerpt.data() == whole
    else:
        left_out = len(whole) - most
        assert excerpt.data() == b"%s\n... %d bytes left out ...\n%s" % (whole[:head], left_out, whole[-last:])


def test_what_is_shortened_again_counts_all_that_is_left_out() -> None:
    excerpt = Excerpt(4000)
    excerpt.add(b"x" * 10_000)
    again = shortened(excerpt.data().decode(), 100)
    assert again == f"{'x' * 25}\n... 9,900 bytes left out ...\n{'x' * 75}"
    assert shortened("short", 100) == "short"
    assert "\ufffd" not in shortened("ä" * 100, 101)


def test_nothing_in_a_log_steers_a_terminal() -> None:
    text = "a\x1b[2Jb\x1b]0;title\x07c\r\n 10 %\r100 %\nd\x08\x9b31m\ttab\u202e"
    shown = printable_lines(text)
    assert shown == "abc\n100 %\nd  31m\ttab"


def test_numbers_are_told_in_ranges() -> None:
    assert ranges([1, 3, 4, 5, 9, 10]) == "1, 3-5, 9-10"
    assert ranges([]) == ""
