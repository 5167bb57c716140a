"""What people see in a terminal: plots in characters, the live screen of a search, tables for programs."""

import io
import json
import math
import re
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import evonas
from evonas import figures
from evonas.cli import main
from evonas.driver.loop import Search, Watch
from evonas.driver.snapshot import ProgressMeter
from evonas.errors import UserError
from evonas.figures.picture import BLUE, RED, Axis, Band, Line, Picture, Points
from evonas.records import Evaluation
from evonas.terminal.tables import fitting_table, written
from evonas.terminal.watching import live_front, watching
from evonas.text import counted
from tests.test_loop import Stop, run

numbers = st.floats(allow_nan=True, allow_infinity=True, width=32)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> evonas.Run:
    return run(tmp_path_factory.mktemp("terminal") / "run", work={"failing": (3,)})


def scatter(x: list[float], y: list[float], log: bool = False) -> Picture:
    marks = [Points("points", x, y, BLUE), Line("front", x[:2], y[:2], RED, step=True, markers=True)]
    return Picture("", Axis("across, better ←", log), Axis("up, better ↓", log), marks)


def plain(text: str) -> list[str]:
    return re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()


def test_points_are_where_their_values_are() -> None:
    text = plain(figures.as_text(Picture("", Axis("x"), Axis("y"), [Points("p", [0, 10], [0, 10], BLUE)]), 40, 12))
    body = [line.partition("┤")[2] for line in text if "┤" in line]
    at = [(row, line.index("·")) for row, line in enumerate(body) if "·" in line]
    rows, columns = len(body), len(body[0])
    assert at[0][0] <= 1
    assert at[0][1] >= columns - 3
    assert at[1][0] >= rows - 2
    assert at[1][1] <= 2
    assert text[0] == "y"
    assert text[-2].endswith(" x"), "labels say which axis is which"
    assert text[-1] == "· p"


def test_a_logarithmic_axis_puts_the_geometric_mean_in_the_middle() -> None:
    picture = Picture("", Axis("x", log=True), Axis("y"), [Points("p", [1, 10, 100], [0, 1, 2], BLUE)])
    body = [line.partition("┤")[2] for line in plain(figures.as_text(picture, 50, 14)) if "┤" in line]
    columns = sorted(line.index("·") for line in body if "·" in line)
    assert columns[1] == pytest.approx(len(body[0]) / 2, abs=1)
    assert " 10 " in plain(figures.as_text(picture, 50, 14))[-3]


@given(st.lists(st.tuples(numbers, numbers), max_size=30), st.booleans(), st.integers(1, 120), st.integers(1, 40))
def test_a_plot_fits_whatever_is_in_it(points: list[tuple[float, float]], log: bool, width: int, height: int) -> None:
    x, y = [a for a, _ in points], [b for _, b in points]
    lines = plain(figures.as_text(scatter(x, y, log), width, height))
    assert len(lines) == height or height < 10
    assert max(map(len, lines)) <= max(width, 32)


def test_what_characters_cannot_show_is_refused() -> None:
    picture = Picture("", Axis(), Axis(), [Band("band", [0, 1], [0, 1], [1, 2], BLUE)])
    with pytest.raises(UserError, match="take as_plotly"):
        figures.as_text(picture)


def test_members_of_the_front_are_drawn_over_the_others(found: evonas.Run) -> None:
    text = "\n".join(plain(figures.as_text(figures.pareto(found, generations=0), 70, 18)))
    assert "●" in text
    assert f"● Pareto front ({len(found.front())})" in text


def test_the_screen_of_a_search_shows_its_front_beside_the_table(tmp_path: Path) -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, width=150, height=40)
    with watching(screen) as watch:
        run(tmp_path / "run", watch)
    text = screen.file.getvalue()  # type: ignore[attr-defined]
    lines = [line for line in plain(text) if "┤" in line]
    assert any("●" in line for line in lines)
    assert any("│ 0 " in line for line in lines), "the table's rows are beside the plot"
    assert "better ↓" in text


def test_the_last_screen_stays_where_a_search_stops_and_gives_way_to_the_front_where_it_ends(tmp_path: Path) -> None:
    def after_the_last_plot(stops: bool) -> str:
        screen = Console(file=io.StringIO(), force_terminal=True, width=150, height=40)
        with pytest.raises(Stop) if stops else nullcontext(), watching(screen) as watch:
            run(tmp_path / f"{stops}", partial(stop_late, watch) if stops else watch, work={"delay": 0.02})
        return screen.file.getvalue().rpartition("●")[2]  # type: ignore[attr-defined,no-any-return]

    erased = "\x1b[2K"
    assert erased not in after_the_last_plot(stops=True)
    assert erased in after_the_last_plot(stops=False)


def stop_late(watch: Watch, search: Search, evaluation: Evaluation | None) -> None:
    watch(search, evaluation)
    if search.evaluated == 35:
        raise Stop


def test_a_small_screen_is_filled_and_not_cut_off(tmp_path: Path) -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, width=80, height=24)
    with watching(screen) as watch:
        run(tmp_path / "run", watch, work={"delay": 0.02})
    lines = [line.strip() for line in plain(screen.file.getvalue())]  # type: ignore[attr-defined]
    assert any("┤" in line for line in lines)
    assert any(re.match(r"│ \d+ ", line) for line in lines)
    assert "..." not in lines, "where the terminal is too small, the last lines are left out"


def test_the_live_front_is_the_front(tmp_path: Path) -> None:
    seen: list[Search] = []

    def watch(search: Search, evaluation: Evaluation | None) -> None:
        seen[:] = [search]
        picture = live_front(search)
        assert (picture is None) == (not search.breeder.buffer.front)

    found = run(tmp_path / "run", watch)
    picture = live_front(seen[0])
    assert picture
    front = found.front()
    line = picture.marks[-1]
    assert isinstance(line, Line)
    up, across = found.objectives[:2]
    assert sorted(zip(line.x, line.y, strict=True)) == sorted(zip(front[across], front[up], strict=True))


def test_the_gauges_agree_with_the_record(tmp_path: Path) -> None:
    from evonas import analysis

    gauges, seen = ProgressMeter(), {}

    def watch(search: Search, evaluation: Evaluation | None) -> None:
        seen["now"] = gauges.read(search)

    found = run(tmp_path / "run", watch, work={"unbuildable": (5,)})
    now, frame, goals = seen["now"], found.evaluations, (found.objectives, found.signs)
    point = analysis.reference(frame, *goals)
    first = frame[(frame["generation"] == 1).fillna(False)]
    times = analysis.hypervolume(frame, *goals, point) / analysis.hypervolume(first, *goals, point)
    assert (now.evaluated, now.failed, now.front) == (len(frame), 1, len(found.front()))
    assert now.hypervolume == pytest.approx(times)


def test_status_has_the_plot_and_every_table_a_form_for_programs(
    found: evonas.Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", str(found.folder)]) == 0
    text = capsys.readouterr().out
    assert "● Pareto front" in text
    assert "candidate" in text
    assert main(["status", str(found.folder), "--format", "csv"]) == 0
    row = pd.read_csv(io.StringIO(capsys.readouterr().out)).iloc[0]
    assert (row["evaluated"], row["front"]) == (len(found.evaluations), len(found.front()))
    assert main(["front", str(found.folder), "--format", "json"]) == 0
    assert [row["candidate"] for row in json.loads(capsys.readouterr().out)] == found.front()["candidate"].tolist()


def test_a_table_for_programs_can_be_read_back() -> None:
    rows = [{"gene": "a, b", "values": [1, 2]}, {"gene": 'c"d', "values": ["x"]}]
    back = pd.read_csv(io.StringIO(written(rows, "csv")))
    assert [*back["gene"]] == ["a, b", 'c"d']
    assert [*map(json.loads, back["values"])] == [[1, 2], ["x"]]
    assert json.loads(written(rows, "json")) == rows
    assert json.loads(written(pd.DataFrame({"x": [1.5, math.nan]}), "json")) == [{"x": 1.5}, {"x": None}]


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (140, ["candidate", "error", "95 %", "latency_ms[cpu]", "95 %", "measured", "95 %", "params"]),
        (80, ["candidate", "error", "95 %", "latency_ms[cpu]", "95 %", "measured"]),
        (54, ["candidate", "error", "latency_ms[cpu]", "measured"]),
        (40, ["candidate", "error", "latency_ms[cpu]"]),
    ],
)
def test_a_front_in_a_narrow_terminal_keeps_its_objectives(width: int, shown: list[str]) -> None:
    latency, interval = "latency_ms[cpu]", "0.012–0.034"  # noqa: RUF001  # a range
    row: dict[str, object] = {"candidate": 3, "error": 0.1234, "95 % of error": interval, latency: 0.02345}
    row |= {f"95 % of {latency}": interval, f"measured.{latency}": 0.02456, f"95 % of measured.{latency}": interval}
    console = Console(file=io.StringIO(), width=width)
    table = fitting_table(pd.DataFrame([{**row, "params": 12345}]), "", console, ["error", latency])
    assert [column.header for column in table.columns] == [name.replace("[", r"\[") for name in shown]
    console.print(table)
    assert "…" not in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_single_thing_is_in_the_singular() -> None:
    assert [counted(number, "network") for number in (0, 1, 1200)] == ["0 networks", "1 network", "1,200 networks"]


def test_an_ascii_terminal_gets_the_table_alone(found: evonas.Run) -> None:
    from evonas.terminal.front import show_front

    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, "ascii", write_through=True)
    show_front(found, found.front(), Console(file=file), plot=True)
    assert b"candidate" in raw.getvalue()
    assert np.frombuffer(raw.getvalue(), np.uint8).max() < 128
