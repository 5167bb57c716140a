"""What `evonas init` takes a table for, and how it says what else there is."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from evonas.commands.guesses import guessed
from evonas.commands.series_guesses import lengths
from evonas.config import PartConfig
from evonas.config.options import construct
from evonas.errors import UserError
from evonas.tasks import TASKS

DAYS = pd.date_range("2024-01-01", periods=100, freq="D")
WAVE = np.sin(np.arange(100)) * 3.7


def frame(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"day": DAYS, "load": WAVE, **columns})


def guess(table: pd.DataFrame, folder: Path) -> tuple[dict[str, object], list[str]]:
    table.to_parquet(folder / "t.parquet")
    section, decisions = guessed(str(folder / "t.parquet"))
    return {key: value for key, value in section.items() if key != "path"}, list(decisions)


def test_days_are_a_series_and_the_way_to_a_table_is_said(tmp_path: Path) -> None:
    table = frame(wind=np.cos(WAVE), plan=np.arange(100) % 2, row=np.arange(100), constant=7)
    section, decisions = guess(table, tmp_path)
    own = {"targets": ["load", "wind"], "covariates": ["plan"], "context": 28, "horizon": 7, "season": 7}
    assert section == {"kind": "series", "time": "day", **own}
    assert "time: day rises by 1 day" in decisions[0].replace("24 h", "1 day")
    assert "columns that are not looked at: row, constant" in decisions
    line = decisions[-1].partition("task: ")[2].partition(" with the space mlp and metric: ")
    other = yaml.safe_load(line[0])
    assert other == {"kind": "table", "path": str(tmp_path / "t.parquet"), "label": "plan", "ignore": ["row"]}
    task = construct(TASKS, PartConfig.model_validate(other), "task")
    assert task.spec.metric == line[2] == "error"


def hours(ns: int) -> "pd.Index[int]":
    return pd.date_range("2024-01-01", periods=100, freq="h").astype("datetime64[ns]").astype(np.int64) // ns


MONTHS = pd.date_range("2010-01-01", periods=100, freq="MS")
IN_NUMBERS: dict[str, tuple[object, str, int]] = {
    "timestamp": (hours(10**9), "Unix seconds rises by 1 h", 24),
    "ts": (hours(10**9).astype(float), "Unix seconds rises by 1 h", 24),
    "created_at": (hours(10**6), "Unix milliseconds rises by 1 h", 24),
    "eventTime": (hours(10**3), "Unix microseconds rises by 1 h", 24),
    "Datum": (DAYS.strftime("%Y%m%d").astype(int), "numbers such as 20241231 rises by 24 h", 7),
    "month": (MONTHS.strftime("%Y%m").astype(int), "numbers such as 202412 rises by 31 days", 12),
    "Year": (np.arange(1920, 2020), "years rises by 365 days", 1),
}


@pytest.mark.parametrize("name", IN_NUMBERS)
def test_whole_numbers_that_are_called_times_and_can_be_some_are_times(name: str, tmp_path: Path) -> None:
    when, says, season = IN_NUMBERS[name]
    section, decisions = guess(pd.DataFrame({name: when, "load": WAVE, "wind": -WAVE}), tmp_path)
    assert (section["kind"], section["time"], section["season"]) == ("series", name, season)
    assert section["targets"] == ["load", "wind"]
    assert decisions[0].startswith(f"time: {name} in {says}, so that columns of numbers are forecast")
    whole = PartConfig.model_validate({**section, "path": str(tmp_path / "t.parquet")})
    assert construct(TASKS, whole, "task").spec.output_shape, "the task takes them for the same"
    other = "rate" if name != "Year" else "pieces"  # whose name is no time's
    assert guess(pd.DataFrame({other: when, "load": WAVE}), tmp_path)[0]["kind"] == "table"


@pytest.mark.parametrize("when", [np.arange(100), np.arange(100) * 10**12, 20_240_100 + np.arange(100)])
def test_other_whole_numbers_are_no_times_whatever_their_name(when: object, tmp_path: Path) -> None:
    assert guess(pd.DataFrame({"time": when, "load": WAVE}), tmp_path)[0]["kind"] == "table"


def test_why_numbers_of_times_are_no_series_is_said(tmp_path: Path) -> None:
    table = pd.DataFrame({"date": DAYS.strftime("%Y%m%d").astype(int), "load": WAVE}).drop(index=[50])
    decisions = guess(table, tmp_path)[1]
    assert decisions[-1].startswith(
        "date is a column of times, but the table is no series: there is a gap between 2024"
    )


@pytest.mark.parametrize("name", ["created_at", "unixReviewTime", "order_date"])
def test_what_was_taken_is_in_the_order_of_whole_numbers(name: str, tmp_path: Path) -> None:
    when = DAYS[::-1].strftime("%Y%m%d").astype(int) if name == "order_date" else hours(10**9)[::-1]
    table = pd.DataFrame({"user": np.arange(100) % 9, "item": np.arange(100) % 7, name: when})
    section, decisions = guess(table, tmp_path)
    assert section["time"] == name
    assert f"time: {name} in " in decisions[0]


def test_what_is_of_an_item_is_not_when_it_was_taken(tmp_path: Path) -> None:
    items = np.arange(100) % 7
    film = {"year": 1990 + items, "release_date": DAYS[items], "updated": hours(10**9)[items]}
    section, decisions = guess(pd.DataFrame({"user": np.arange(100) % 9, "item": items, **film}), tmp_path)
    assert "time" not in section
    assert "time: the order of rows" in decisions[0]


def test_series_below_each_other_are_told_apart_by_a_column(tmp_path: Path) -> None:
    both = pd.concat([frame(shop="A", colour="red"), frame(shop="B", colour="red")])
    section, decisions = guess(both, tmp_path)
    assert (section["kind"], section["group"]) == ("series", "shop")
    assert "in each shop" in decisions[0]
    assert "columns that are not looked at: colour" in decisions


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (frame().sample(frac=1, random_state=0), "but the table is no series: the rows are not in the order of day"),
        (frame().drop(index=[50]), "but the table is no series: there is a gap between 2024-02-19"),
        (frame()[:30], "but 30 rows are too few for a series"),
    ],
)
def test_why_times_are_no_series_is_said(table: pd.DataFrame, says: str, tmp_path: Path) -> None:
    section, decisions = guess(table, tmp_path)
    assert section == {"kind": "table", "label": "load", "target": "values"}
    assert decisions[-1].startswith(f"day is a column of times, {says}")


def test_a_column_that_is_called_a_label_is_predicted_of_rows_in_time(tmp_path: Path) -> None:
    assert guess(frame(label=["sun", "rain"] * 50), tmp_path)[0] == {"kind": "table", "label": "label"}


@pytest.mark.parametrize(
    ("step", "rows", "expected"),
    [
        (60, 5000, (1, 64, 8)),
        (900, 5000, (96, 96, 24)),
        (3600, 5000, (24, 48, 24)),
        (86_400, 5000, (7, 28, 7)),
        (30.4 * 86_400, 120, (12, 24, 6)),
        (91 * 86_400, 60, (4, 12, 4)),
        (365 * 86_400, 60, (1, 8, 1)),
        (3600, 60, (1, 18, 6)),
    ],
)
def test_lengths_follow_the_step_as_far_as_rows_reach(step: float, rows: int, expected: tuple[int, int, int]) -> None:
    assert lengths(step, rows) == expected


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        ({}, "text_table"),
        ({"stars": np.arange(60) % 5, "shop": ["x", "y", "z"] * 20}, "text_table"),
        ({"a": WAVE[:60], "b": WAVE[:60], "c": WAVE[:60]}, "table"),
    ],
)
def test_texts_beside_many_features_are_a_table(columns: dict[str, object], kind: str, tmp_path: Path) -> None:
    said = [f"it was a day of number {i}" for i in range(60)]
    table = pd.DataFrame({"said": said, **columns, "mood": ["good", "bad"] * 30})
    assert guess(table, tmp_path)[0]["kind"] == kind


@pytest.mark.parametrize(
    ("ids", "ignored"),
    [
        ({"Kunden-ID": np.arange(60) * 3 + 100_000}, True),
        ({"Nr": np.arange(60)[::-1]}, True),
        ({"zeile": np.arange(60) + 1}, True),
        ({"year": np.arange(60) + 1960}, False),
        ({"humid": np.arange(60) * 2}, False),
    ],
)
def test_numbers_of_rows_are_no_features(ids: dict[str, object], ignored: bool, tmp_path: Path) -> None:
    table = pd.DataFrame({**ids, "size": WAVE[:60], "mood": ["good", "bad"] * 30})
    assert guess(table, tmp_path)[0].get("ignore", []) == list(ids) * ignored


@pytest.mark.parametrize("texts", [["10 mg", "20 mg"], ["0%", "50%", "100%"]])
def test_few_different_numbers_with_a_unit_are_classes(texts: list[str], tmp_path: Path) -> None:
    table = pd.DataFrame({"size": WAVE[:60], "dose": texts * (60 // len(texts))})
    assert guess(table, tmp_path)[0] == {"kind": "table", "label": "dose"}
    assert guess(table.assign(dose=[f"{i}%" for i in range(60)]), tmp_path)[0]["target"] == "values"


def test_who_took_what_is_a_table_where_few_took_something_twice(tmp_path: Path) -> None:
    table = pd.DataFrame({"customer": np.arange(60), "item": np.arange(60) % 7, "paid": WAVE[:60]})
    assert guess(table, tmp_path)[0]["kind"] == "table"
    assert guess(table.assign(customer=np.arange(60) % 9), tmp_path)[0]["kind"] == "recommendation"


def test_when_something_was_taken_is_found_by_a_part_of_its_name(tmp_path: Path) -> None:
    users = np.arange(60) % 9
    born = pd.Series(DAYS[users]).dt.strftime("%Y-%m-%d")  # of a user, not of what one took
    table = pd.DataFrame({"user": users, "item": np.arange(60) % 7, "birthdate": born, "rate": np.arange(60) % 5})
    assert "time" not in guess(table, tmp_path)[0]
    found = guess(table.assign(purchased_at=DAYS[:60].strftime("%m/%d/%Y"))[::-1], tmp_path)[0]
    assert found["time"] == "purchased_at"


@pytest.mark.parametrize("when", [DAYS[:60], DAYS[:60].strftime("%d.%m.%Y"), 1_700_000_000 + 9 * np.arange(60) ** 2])
def test_when_a_row_was_is_not_what_is_predicted(when: object, tmp_path: Path) -> None:
    bought = pd.DataFrame({"user": np.arange(60) % 9, "item": np.arange(60) % 7, "time": when})
    section, decisions = guess(bought.sample(frac=1, random_state=0), tmp_path)
    assert section["kind"] == "recommendation"
    assert "label: item" in decisions[-1]
    section, decisions = guess(bought.assign(user=np.arange(60) % 30).sample(frac=1, random_state=0), tmp_path)
    assert (section["kind"], section["label"]) == ("table", "item")
    assert decisions[0] == "label: item (the last column that is no time); another one: task.label"
    assert guess(bought[["time"]], tmp_path)[0]["label"] == "time"


@pytest.mark.parametrize("odd", [["x", "y"], {"a": 1}], ids=["list", "struct"])
def test_what_cannot_be_compared_is_not_looked_at(odd: object, tmp_path: Path) -> None:
    """A column of lists or structs, wherever it stands and whatever it is called."""
    rows = pd.DataFrame({"a": range(60), "label": ["ja", "nein"] * 30})
    for name, place in (("tags", 0), ("user", 2)):
        table = rows.copy()
        table.insert(place, name, [odd] * 60)
        table.to_parquet(tmp_path / "t.parquet")
        section, decisions = guessed(str(tmp_path / "t.parquet"))
        assert (section["kind"], section["label"]) == ("table", "label")
        assert any(line.startswith(f"columns that no network can take: {name} (") for line in decisions)
    pd.DataFrame({"tags": [odd] * 60}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(UserError, match=r"no column holds numbers, texts or dates: tags \("):
        guessed(str(tmp_path / "t.parquet"))
