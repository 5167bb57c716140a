"""What a task recommends for its training holds where a config does not say, and a run goes on as it began."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import evonas
from evonas.config.loading import load_config
from evonas.config.recipe import in_words, recommended, with_recipe
from evonas.errors import UserError
from evonas.start import prepare
from evonas.tasks import TASKS
from tests.evaluation.small import ConvNets, bars_task

RECIPE = {"optimizer": "adamw", "learning_rate": 0.003, "label_smoothing": 0.1}
TASK = replace(bars_task(32), recipe=RECIPE)


def config(**training: Any) -> dict[str, Any]:
    return {
        "space": {"kind": "mine"},
        "task": {"kind": "mine"},
        "objectives": [{"metric": "error"}, {"metric": "params"}],
        "training": {"epochs": 1, **training},
        "budget": {"evaluations": 2},
        "runtime": {"kind": "serial"},
    }


@pytest.mark.parametrize(
    ("own", "optimizer", "rate", "smoothing"),
    [
        ({}, "adamw", 0.003, 0.1),
        ({"optimizer": "adamw"}, "adamw", 0.003, 0.1),
        ({"optimizer": "adamw", "learning_rate": 0.01}, "adamw", 0.01, 0.1),
        ({"learning_rate": 0.05}, "sgd", 0.05, 0.1),  # meant for what a config that names no optimiser has
        ({"optimizer": "sgd", "label_smoothing": 0.0}, "sgd", 0.1, 0.0),
    ],
)
def test_a_recipe_holds_where_a_config_does_not_say(
    own: dict[str, Any], optimizer: str, rate: float, smoothing: float
) -> None:
    training = with_recipe(load_config(config(**own)), RECIPE).training
    assert (training.optimizer, training.learning_rate, training.label_smoothing) == (optimizer, rate, smoothing)
    assert training.epochs == 1


def test_kinds_that_are_no_pictures_recommend_adamw(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("a,y\n" + "".join(f"{i},{i % 2}\n" for i in range(40)))
    assert TASKS["table"](path=str(table), label="y").recipe["optimizer"] == "adamw"
    assert not TASKS["digits"]().recipe


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        ({"learning_rat": 0.1}, "task mine: recipe: unknown 'learning_rat'; did you mean 'learning_rate'\\?"),
        ({"epochs": 3}, "task mine: recipe: unknown 'epochs'"),
        ({"learning_rate": -1.0}, "task mine: recipe"),
    ],
)
def test_a_wrong_recipe_is_one_line(recipe: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=f"^{says}") as raised:
        with_recipe(load_config(config()), recipe)
    assert "\n" not in str(raised.value)


def test_a_run_says_what_it_trained_by_and_goes_on_so(tmp_path: Path) -> None:
    """One that began before tasks recommended anything, too: its run.json has what it trained by."""
    said = "the config leaves to the task: training: {optimizer: adamw, learning_rate: 0.003, label_smoothing: 0.1}"
    with pytest.warns(UserWarning, match="the config leaves to the task"):
        run = evonas.search(config(), space=ConvNets(), task=TASK, run=tmp_path / "run", progress=False)
    recorded = json.loads((tmp_path / "run" / "run.json").read_text())["config"]["training"]
    assert (recorded["optimizer"], recorded["learning_rate"]) == ("adamw", 0.003)
    assert len(run.evaluations) == 2
    other = replace(TASK, recipe={**RECIPE, "learning_rate": 0.9})  # by a later evonas
    again = prepare(config(), space=ConvNets(), task=other, run=tmp_path / "run")
    assert again.components.config.training.learning_rate == 0.003
    assert said in again.notes
    with pytest.raises(UserError, match=r"training.learning_rate is 0.003 there, 0.004 here"):
        prepare(config(optimizer="adamw", learning_rate=0.004), space=ConvNets(), task=TASK, run=tmp_path / "run")


def test_words() -> None:
    own = load_config(config())
    assert in_words(recommended(own, with_recipe(own, {"ema": 0.99}))) == "ema: 0.99"
    assert not recommended(own, with_recipe(own, {}))
