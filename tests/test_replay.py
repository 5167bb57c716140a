"""Runs recorded by an earlier evonas on another day still follow from their record, byte by byte.

Made with two workers too many for the machine, interrupted after 11 candidates and resumed, with measured latencies:
`evonas search` and `evonas resume` of a small space of cells on the digits, once a mode.
"""

import shutil
from pathlib import Path
from typing import Any

import pytest

import evonas
from evonas.cli import main
from tests.forging import forge_cell

RECORDED = Path(__file__).parent / "recorded"
MODES = pytest.mark.parametrize("mode", ["window", "async", "generation"])


@pytest.fixture
def copy(mode: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(RECORDED / mode, tmp_path / mode))


@MODES
def test_it_follows_from_its_record(mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(RECORDED / mode)]) == 0
    verified = capsys.readouterr().out
    assert verified.startswith("verified: 20 candidates and 4 generations follow from the record; ")
    assert "20 networks were built again" in verified
    run = evonas.load(RECORDED / mode)
    assert len(run.front()) >= 3
    assert run.evaluations["latency_ms[cpu]"].notna().all()
    if mode == "async":
        assert run.evaluations.sort_values("position")["candidate"].tolist() != list(range(20))
    assert run.build(int(run.front()["candidate"].iloc[0])) is not None


@MODES
@pytest.mark.parametrize(
    ("kind", "column", "value", "says"),
    [
        ("evaluations", "genome", lambda genome: [*genome[:-1], (genome[-1] + 1) % 3], "arch is"),
        ("evaluations", "parents", lambda parents: [parents[0], 0 if parents[-1] else 1], "parents is"),
        ("evaluations", "latency_ms[cpu]", lambda ms: ms / 2, "latency_ms[cpu] is"),
        ("evaluations", "seed", lambda seed: seed + 1, "seed is"),
        ("evaluations", "status", lambda status: "stopped" if status == "ok" else "ok", "candidate 1"),
        ("populations", "candidate", lambda candidate: (candidate + 1) % 18, "survivor"),
        ("populations", "crowding", lambda crowding: crowding / 3 if crowding < 1e9 else 1.0, "survivor"),
    ],
)
def test_what_was_changed_is_named(
    mode: str, kind: str, column: str, value: Any, says: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forge_cell(copy, kind, 3, column, 2, value)
    assert main(["verify", str(copy)]) == 1
    answer = capsys.readouterr().out
    assert answer.startswith("differs: ")
    assert says in answer


@MODES
def test_a_flipped_byte_of_any_file_is_named(mode: str, copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in sorted(path for path in copy.rglob("*") if path.is_file()):
        data = path.read_bytes()
        at = len(data) * 2 // 3
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert main(["verify", str(copy)]) == 2, path
        assert path.name in capsys.readouterr().err
        path.write_bytes(data)
    assert main(["verify", str(copy)]) == 0
