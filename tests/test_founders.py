"""`founders:` of a config from a file or an earlier run: what is taken, what is left out and said, what is recorded."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

import evonas
from evonas.errors import UserError
from evonas.reuse.chosen import spread
from evonas.seeding import stream
from evonas.spaces import Mobile
from evonas.spaces.genes import Choice, Integer, Repeat
from evonas.spaces.space import Space
from evonas.start import execute, prepare
from evonas.submit.staging import stage
from tests.synthetic import SPEC, Toy, config
from tests.test_loop import content, quiet
from tests.test_reuse import TABLE

CONFIGS = Path(__file__).parents[1] / "configs"


class Narrow(Toy):
    """Of the networks of `Toy`, those that are small."""

    stem = Choice(8, 16)
    blocks = Repeat(Integer(1, 4), width=Choice(8, 16, 32), op=Choice("conv", "skip"))


class Other(Space):
    height = Choice(1, 2, 3)

    build = Toy.build


def settings(**changes: Any) -> dict[str, Any]:
    return config(**{"budget": {"evaluations": 7}, **changes}).model_dump(mode="json", by_alias=True)


def prepared(folder: Path | None, founders: Any, space: Space | None = None, **changes: Any) -> Any:
    own = settings(founders=founders, **changes)
    return prepare(own, space=space or Toy(), task=SPEC, evaluator=TABLE, run=folder)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("earlier") / "run"
    execute(
        prepare(settings(budget={"evaluations": 32}), space=Toy(), task=SPEC, evaluator=TABLE, run=folder), watch=quiet
    )
    return folder


def test_a_search_begins_with_a_third_of_a_population_of_a_front_and_needs_it_no_more(
    earlier: Path, tmp_path: Path
) -> None:
    source = Path(shutil.copytree(earlier, tmp_path / "source"))
    front = evonas.load(source).front()
    assert len(front) > 4
    start = prepared(tmp_path / "run", str(source))
    assert [note.split(";")[0] for note in start.notes if note.startswith("founders")] == [
        f"founders: 2 of {len(front)} networks of the front of {source} come first, a third of a population of 8"
    ]
    named = ", ".join(f"candidate {i}" for i in front["candidate"][1:-1])
    assert f"left out: {named}; a list in the config is taken whole" in start.notes[-1]
    execute(start, watch=quiet)
    shutil.rmtree(source)

    found = evonas.load(tmp_path / "run", Toy())
    ends = front.iloc[[0, -1]]
    assert found.evaluations["arch"].tolist()[:2] == ends["arch"].tolist()
    assert found.evaluations["operator"].tolist()[:3] == ["founder", "founder", "random"]
    assert found.description["config"]["founders"] == ends["arch"].map(json.loads).tolist()
    assert found.description["founders_from"] == str(source)
    assert found.verify().difference == ""

    execute(prepared(tmp_path / "run", str(source), budget={"evaluations": 9}), watch=quiet)  # the same line
    listed = prepared(tmp_path / "listed", found.description["config"]["founders"], budget={"evaluations": 9})
    execute(listed, watch=quiet)
    assert content(evonas.load(tmp_path / "run")) == content(evonas.load(tmp_path / "listed"))
    with pytest.raises(UserError, match="there is no file or run"):
        prepared(tmp_path / "new", str(source))


def test_the_line_without_a_folder_goes_on_although_the_run_has_moved_on(
    earlier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = Path(shutil.copytree(earlier, "source"))
    begun = prepared(None, "source")
    execute(begun, watch=quiet)
    shutil.rmtree(source)
    again = prepared(None, "source", budget={"evaluations": 9})
    assert str(again.folder) == str(begun.folder)
    assert again.components.config.founders == begun.components.config.founders
    with pytest.raises(UserError, match="there is no file or run"):
        prepared(None, "source", seed=4)


def test_of_a_run_of_a_larger_space_come_those_that_this_one_has(earlier: Path, tmp_path: Path) -> None:
    start = prepared(tmp_path / "run", str(earlier), Narrow())
    assert 1 <= len(start.components.config.founders) <= 2
    assert "left out that this space does not have: candidate" in start.notes[-1]
    with pytest.raises(UserError, match=r"is a run of another space, Toy, and none of its front is one of Other: cand"):
        prepared(tmp_path / "run", str(earlier), Other())


def test_a_parquet_file_of_a_run_gives_those_that_were_trained_to_the_end(earlier: Path, tmp_path: Path) -> None:
    [path, *_] = sorted((earlier / "evaluations").glob("*.parquet"))
    rows = pd.read_parquet(path)
    trained = rows[rows["status"] == "ok"]["arch"].map(json.loads).tolist()
    assert 2 < len(trained) < len(rows)
    start = prepared(tmp_path / "run", str(path), strategy={"population": 3 * len(trained)})
    assert list(start.components.config.founders) == trained
    rows[["candidate"]].to_parquet(tmp_path / "other.parquet")
    with pytest.raises(UserError, match=r"other\.parquet has no column arch"):
        prepared(tmp_path / "run", str(tmp_path / "other.parquet"))


def test_a_list_in_the_config_is_taken_whole(tmp_path: Path) -> None:
    known = [Toy().decode((stem, *(0,) * 9)).to_dict() for stem in range(3)]
    start = prepared(tmp_path / "run", known)
    assert (list(start.components.config.founders), start.founders_from, start.notes) == (known, "", ())


@pytest.mark.parametrize(
    ("founders", "says"),
    [
        (3, r"config: founders: takes a list, not 3"),
        ([3], r"config: founders\.0: takes a section of keys, not 3"),
        ("$NOWHERE_AT_ALL/x", r"founders: .*the variable \$NOWHERE_AT_ALL is not set"),
    ],
)
def test_founders_are_a_list_or_where_one_is(founders: Any, says: str) -> None:
    with pytest.raises(UserError, match=says):
        prepare({**settings(), "founders": founders}, space=Toy(), task=SPEC, evaluator=TABLE)


def test_the_command_line_is_the_same_mechanism(tmp_path: Path) -> None:
    (tmp_path / "known.yaml").write_text("- {stem: 8, blocks: [{width: 8, op: conv}]}\n")
    by_key = prepared(tmp_path / "run", str(tmp_path / "known.yaml"))
    given = {"space": Toy(), "task": SPEC, "evaluator": TABLE, "run": tmp_path / "run"}
    by_line = prepare(settings(), founders=tmp_path / "known.yaml", **given)
    assert by_key.components.config == by_line.components.config
    assert by_key.founders_from == by_line.founders_from == str(tmp_path / "known.yaml")


@pytest.mark.parametrize(
    ("count", "most", "places"),
    [(5, 8, [0, 1, 2, 3, 4]), (9, 3, [0, 4, 8]), (4, 1, [0]), (0, 2, []), (21, 8, [0, 3, 6, 9, 11, 14, 17, 20])],
)
def test_places_lie_evenly_along_a_front(count: int, most: int, places: list[int]) -> None:
    assert spread(count, most) == places


def test_a_submission_has_the_list_and_needs_no_file_there(tmp_path: Path) -> None:
    networks = [Mobile().decode(Mobile().sample(stream(seed, "known"))).to_dict() for seed in range(12)]
    (tmp_path / "known.json").write_text(json.dumps(networks))
    lines = (
        "runtime.kind=ray",
        f"founders={tmp_path / 'known.json'}",
        "space={kind: mobile}",
        "strategy.population=24",
    )
    sent = stage(str(CONFIGS / "digits.yaml"), "s3://bucket/run", lines)
    assert yaml.safe_load(sent.files["config.yaml"])["founders"] == [networks[i] for i in spread(12, 8)]
    assert any(note.startswith("founders: 8 of 12 networks of ") for note in sent.notes)
