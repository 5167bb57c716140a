"""Each figure has what it must show, and both libraries draw it; what needs plotly is left out where that is absent."""

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import evonas
from evonas import analysis, figures
from evonas.errors import UserError
from evonas.figures.fronts import MISSING, _scale
from evonas.figures.labels import cut
from evonas.figures.picture import Axis, Band, Boxes, Line, Picture, Points, clock, counted, objective_axis
from evonas.installing import how_to_install
from evonas.runs.run import Run
from evonas.runs.several import Runs
from tests.test_loop import run

RECORDED = Path(__file__).parents[1] / "recorded"
SINGLE: dict[str, Callable[[Run], Picture]] = {
    "pareto": figures.pareto,
    "parallel": figures.parallel,
    "progress": figures.progress,
    "lineage": lambda run: figures.lineage(run, int(run.evaluations["candidate"].max())),
    "architecture": lambda run: figures.architecture(run, 0),
    "curves": figures.curves,
    "timeline": figures.timeline,
    "outcomes": figures.outcomes,
    "importance": figures.importance,
}
SEVERAL: dict[str, Callable[[Runs], Picture]] = {
    "pareto": figures.pareto,
    "parallel": figures.parallel,
    "progress": figures.progress,
    "curves": figures.curves,
    "timeline": figures.timeline,
    "outcomes": figures.outcomes,
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("runs")
    for seed in (3, 4):
        run(root / str(seed), seed=seed, work={"failing": (3,)}, limits=[{"metric": "params", "at_most": 1200}])
    return [root / "3", root / "4"]


@pytest.fixture(scope="module")
def searched(folders: list[Path]) -> Run:
    return evonas.load(folders[0])


@pytest.fixture(scope="module")
def cells() -> Run:
    return evonas.load(RECORDED / "window")


@pytest.mark.parametrize("name", SINGLE)
def test_a_figure_for_paper(name: str, searched: Run, tmp_path: Path) -> None:
    figures.save(SINGLE[name](searched), tmp_path / "figure.pdf")
    assert (tmp_path / "figure.pdf").stat().st_size > 1000


@pytest.mark.parametrize("name", SINGLE)
def test_a_figure_to_look_into(name: str, searched: Run) -> None:
    pytest.importorskip("plotly")
    drawn = figures.as_plotly(SINGLE[name](searched))
    assert drawn.data
    assert drawn.to_json()


@pytest.mark.parametrize("name", SEVERAL)
def test_a_figure_of_several_runs(name: str, folders: list[Path]) -> None:
    assert figures.as_matplotlib(SEVERAL[name](evonas.load(folders))).axes


def test_the_direction_of_better_and_the_unit_are_on_the_axes(cells: Run) -> None:
    picture = figures.pareto(cells)
    assert (picture.x.label, picture.y.label) == ("latency_ms[cpu] (ms), better ←", "error, better ↓")
    assert "better →" in objective_axis({"column": "examples_per_s[cpu]", "unit": "1/s", "sign": -1}, "x").label


def test_an_axis_is_logarithmic_where_values_span_more_than_a_decade() -> None:
    objective = {"column": "params", "unit": "parameters", "sign": 1}
    assert objective_axis(objective, "x", [1.0, 11.0, math.nan]).log
    assert not objective_axis(objective, "x", [1.0, 9.0]).log
    assert not objective_axis(objective, "x", [0.0, 90.0]).log


def test_the_front_is_shown_with_earlier_ones(searched: Run) -> None:
    marks = {mark.name: mark for mark in figures.pareto(searched).marks if isinstance(mark, Line)}
    front = searched.front()
    final = marks.pop(f"Pareto front ({len(front)})")
    assert sorted(final.x) == sorted(front["params"])
    assert list(marks) == ["front after generation 1", "front after generation 2", "front after generation 3"]
    assert "stem=" in final.hover[0]
    assert "params = " in final.hover[0]


def test_strategies_are_compared_by_their_means_at_one_reference_point(folders: list[Path], tmp_path: Path) -> None:
    seeds = evonas.load(folders)
    picture = figures.compare({"a": seeds, "b": seeds}, point={"error": 1.0, "params": 2000.0})
    means = [mark for mark in picture.marks if isinstance(mark, Line)]
    bands = [mark for mark in picture.marks if isinstance(mark, Band)]
    assert [mark.name for mark in means] == ["a: mean of 2 runs", "b: mean of 2 runs"]
    assert list(means[0].y) == list(means[1].y)
    assert means[0].colour != means[1].colour
    curves = analysis.progress(seeds.evaluations, seeds.objectives, seeds.signs, point={"error": 1.0, "params": 2000.0})
    last = curves.groupby("run")["hypervolume"].last()
    assert means[0].y[-1] == pytest.approx(last.mean())
    assert bands[0].high[-1] - last.mean() == pytest.approx(12.706 * abs(last.iloc[0] - last.iloc[1]) / 2)
    assert picture.title == "reference point: error 1, params 2000"
    by_time = figures.compare({"a": seeds}, over="hours")
    assert by_time.title == figures.progress(seeds, over="hours").title  # that of all their first generations
    for shown in (picture, by_time):
        figures.save(shown, tmp_path / "compare.svg")


def test_groups_that_cannot_be_compared_are_refused(folders: list[Path], cells: Run) -> None:
    seeds = evonas.load(folders)
    with pytest.raises(UserError, match="needs two runs or more"):
        figures.compare({"a": seeds, "b": evonas.load(folders[:1])})
    with pytest.raises(UserError, match=r"b has the objectives .*, a has"):
        figures.compare({"a": seeds, "b": evonas.load([cells.folder, RECORDED / "async"])})
    with pytest.raises(UserError, match="takes a group"):
        figures.compare({})


def test_a_lineage_of_one_has_room(searched: Run, tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    picture = figures.lineage(searched, int(searched.evaluations["candidate"].min()))
    assert picture.x.ticks == [(0.0, "0")]
    figures.save(picture, tmp_path / "lineage.png")
    figures.save(figures.parallel(searched), tmp_path / "parallel.png")
    assert not [str(warning.message) for warning in recwarn if "layout" in str(warning.message)]


def test_a_lineage_is_of_one_run(folders: list[Path]) -> None:
    with pytest.raises(UserError, match="a lineage is of one run; choose one"):
        figures.lineage(evonas.load(folders), 3)


def test_whole_numbers_are_ticked_evenly() -> None:
    assert counted(1, 12) == [(float(n), str(n)) for n in range(1, 13)]
    assert [place for place, _ in counted(1, 40)] == [1, 5, 9, 13, 17, 21, 25, 29, 33, 37]


def test_a_gene_that_is_missing_is_just_below_the_others() -> None:
    for values in (["a", "b", None], [1, 2, None]):
        heights, labels = _scale(pd.Series(values, dtype=object))
        assert list(heights) == [0, 1, MISSING]
        assert labels == [(0, str(values[0])), (1, str(values[1])), (MISSING, "absent")]


def test_an_axis_with_many_values_shows_its_ends() -> None:
    assert _scale(pd.Series([float(value) for value in range(20)]))[1] == [(0, "0"), (1, "19")]
    assert [text for _, text in _scale(pd.Series(["a", "c", "b"]))[1]] == ["a", "b", "c"]


def test_axes_of_a_front_can_be_chosen(searched: Run) -> None:
    assert figures.pareto(searched, x="error").y.label.startswith("params")
    with pytest.raises(UserError, match="did you mean 'params'"):
        figures.pareto(searched, x="param")


def test_every_outcome_has_a_colour_of_its_own(searched: Run) -> None:
    bars = [mark for mark in figures.timeline(searched).marks if isinstance(mark, Boxes)]
    outcomes = [bar.name.split(" (")[0] for bar in bars]
    assert [name for name in outcomes if name != "over a limit"] == ["fully trained", "stopped early", "failed"]
    assert len({bar.colour for bar in bars}) == len(bars)


def test_a_lineage_goes_from_left_to_right(searched: Run) -> None:
    frame = searched.evaluations
    child = int(frame[frame["parents"].map(len) > 0]["candidate"].max())
    picture = figures.lineage(searched, child)
    nodes = [(x, text) for m in picture.marks if isinstance(m, Points) for x, text in zip(m.x, m.hover, strict=True)]
    depth = {int(text.split()[1].rstrip(",")): x for x, text in nodes}
    assert set(depth) == set(searched.lineage(child)["candidate"])
    for candidate, parents in zip(frame["candidate"], frame["parents"], strict=True):
        assert all(depth[parent] < depth[candidate] for parent in parents if candidate in depth)


def test_an_architecture_has_a_box_for_each_block(searched: Run) -> None:
    row = searched.evaluations.iloc[0]
    boxes = [mark for mark in figures.architecture(searched, 0).marks if isinstance(mark, Boxes)]
    blocks = next(box for box in boxes if box.name == "blocks")
    assert len(blocks.x0) == row["arch"].count('"width"')
    with pytest.raises(UserError, match="no evaluated candidate 99"):
        figures.architecture(searched, 99)


def test_a_cell_is_a_graph_without_edges_of_none(cells: Run) -> None:
    row = cells.evaluations.iloc[0]
    lines = [mark for mark in figures.architecture(cells, 0).marks if isinstance(mark, Line)]
    arcs = sum(sum(math.isnan(x) for x in mark.x) for mark in lines)
    assert arcs == 6 - row["arch"].count('"none"')


def test_time_has_a_unit_that_people_read() -> None:
    assert (clock(5.0), clock(0.5), clock(0.01)) == ((1.0, "hours"), (60.0, "minutes"), (3600.0, "seconds"))


def test_names_from_a_space_are_no_markup(tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    hostile = "</script><b>$x$"
    picture = Picture(hostile, Axis(hostile), Axis(), [Points(hostile, [1.0], [1.0], "#000000", [hostile])])
    figures.save(picture, tmp_path / "figure.html")
    assert hostile not in (tmp_path / "figure.html").read_text()
    assert figures.as_plotly(picture).data[0].text == ("&lt;/script&gt;&lt;b&gt;$x$",)
    figures.save(picture, tmp_path / "figure.svg")


@pytest.mark.parametrize(
    ("missing", "suffix", "extra"), [("plotly", "html", "analysis"), ("matplotlib", "pdf", "plot")]
)
def test_without_its_library_the_error_names_the_extra(missing: str, suffix: str, extra: str, tmp_path: Path) -> None:
    program = f"""
import sys
sys.modules[{missing!r}] = None
import evonas
from evonas import figures
run = evonas.load(sys.argv[1])
try:
    figures.save(figures.pareto(run), sys.argv[2])
except evonas.UserError as error:
    print(error)
print("torch" in sys.modules, "ray" in sys.modules)
"""
    command = [sys.executable, "-c", program, str(RECORDED / "window"), str(tmp_path / f"figure.{suffix}")]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.stdout.splitlines()[0].endswith(how_to_install(extra)), answer.stderr
    assert answer.stdout.splitlines()[1] == "False False"


def test_a_file_that_cannot_be_written_is_an_error(searched: Run, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"figure\.xyz"):
        figures.save(figures.pareto(searched), tmp_path / "figure.xyz")
    with pytest.raises(UserError, match="--plot"):
        figures.plot_front(searched, searched.front(), tmp_path / "none" / "front.png")


def test_a_front_of_nothing_is_drawn(searched: Run, tmp_path: Path) -> None:
    nothing: pd.DataFrame = searched.front().iloc[:0]
    figures.plot_front(searched, nothing, tmp_path / "front.png")
    assert (tmp_path / "front.png").exists()


def test_what_does_not_fit_is_cut_and_of_a_gene_the_value_stays() -> None:
    assert [
        cut(text, 8) for text in ("relu", "width=16", "activation=relu", "normalisation=batch_norm", "layers.100")
    ] == [
        "relu",
        "width=16",
        "relu",
        "batch_n…",
        "layers.…",
    ]
