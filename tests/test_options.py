"""Options of parts, checked without making them, and what follows from the size of a generation."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from evonas.config import Config, PartConfig
from evonas.config.loading import load_config
from evonas.config.options import check_options, construct, options_model
from evonas.driver.circuit_breaker import CircuitBreaker
from evonas.driver.visibility import Generations, lookaheads
from evonas.errors import UserError
from evonas.spaces import SPACES
from evonas.strategies import STRATEGIES
from evonas.tasks import TASKS
from tests.synthetic import config
from tests.test_loop import run


class Part:
    """Takes a problem and two options."""

    made = 0

    def __init__(self, problem: str, *, width: int = 1, depth: int = Field(default=2, ge=1)) -> None:
        type(self).made += 1
        self.problem, self.width, self.depth = problem, width, depth


def section(**options: Any) -> PartConfig:
    return PartConfig(kind="part", **options)


def test_options_are_the_keyword_only_parameters_and_what_is_given_comes_by_position() -> None:
    assert set(options_model(Part).model_fields) == {"width", "depth"}
    part = construct({"part": Part}, section(width=3), "part", "a problem")
    assert (part.problem, part.width) == ("a problem", 3)


def test_options_are_checked_without_making_the_part() -> None:
    before = Part.made
    assert check_options({"part": Part}, section(width="3"), "part") == {"width": 3}
    assert Part.made == before


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"widht": 3}, "part: unknown 'widht'; did you mean 'width'?"),
        ({"width": True}, "part: width: takes a number, not true"),
        ({"width": "wide"}, "part: width: takes a whole number"),
        ({"depth": 0}, "part: depth: input should be greater than or equal to 1, not 0"),
        ({"problem": "mine"}, "part: 'problem' of Part is no option: options are keyword-only parameters, behind a *"),
    ],
)
@pytest.mark.parametrize("ask", [check_options, functools.partial(construct)])
def test_a_wrong_option_is_named(ask: Callable[..., Any], options: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError) as refusal:
        ask({"part": Part}, section(**options), "part")
    assert str(refusal.value).startswith(says)


@pytest.mark.parametrize("registry", [SPACES, TASKS, STRATEGIES], ids=["spaces", "tasks", "strategies"])
def test_every_part_of_ours_has_options_that_can_be_checked(registry: dict[str, Any]) -> None:
    for kind, part in registry.items():
        model = options_model(part)
        needed = {name: field.annotation for name, field in model.model_fields.items() if field.is_required()}
        required = {name: "x" if kind_of is str else ("x",) for name, kind_of in needed.items()}
        assert check_options(registry, PartConfig(kind=kind, **required), "part") == required


def test_random_has_no_population_and_the_error_says_where_the_number_belongs(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refusal:
        run(tmp_path / "run", strategy={"kind": "random", "population": 8})
    assert str(refusal.value) == (
        "strategy: unknown 'population' (known: kind); the size of a generation is schedule.generation"
    )


@pytest.mark.parametrize(
    ("strategy", "schedule", "size"),
    [
        ({}, {}, 24),
        ({"kind": "random"}, {}, 24),
        ({"population": 10}, {}, 10),
        ({"population": 10}, {"generation": 4}, 4),
        ({"kind": "random"}, {"generation": 4}, 4),
        ({"population": "none"}, {}, 24),
    ],
)
def test_a_generation_is_as_large_as_the_population_unless_it_is_given(
    strategy: dict[str, Any], schedule: dict[str, Any], size: int
) -> None:
    found = small(strategy=strategy, schedule=schedule)
    assert found.generation == found.schedule.generation == size
    assert found.lookahead == size // 2
    assert Generations(found).horizon(2 * size + 1, 0, 0) == 2 * size
    assert CircuitBreaker(found)._last.maxlen == max(10, size)


def test_a_window_may_be_given_beside_a_generation() -> None:
    assert small(schedule={"generation": 10, "lookahead": 3}).lookahead == 3
    assert lookaheads(small(schedule={"generation": 40, "mode": "window"}))[0] >= 20


def test_a_generation_is_the_block_of_the_record_and_the_population_that_of_the_strategy(tmp_path: Path) -> None:
    found = run(tmp_path / "run", strategy={"population": 8}, schedule={"generation": 5}, budget={"evaluations": 12})
    assert found.evaluations.groupby("generation").size().tolist() == [5, 5, 2]
    assert found.populations.groupby("generation").size().tolist() == [5, 8, 8]
    assert found.verify().difference == ""


def test_a_default_that_is_given_is_the_same_search_as_one_that_is_left_out(tmp_path: Path) -> None:
    budget = {"evaluations": 6}
    run(tmp_path / "run", budget=budget, strategy={"kind": "nsga2", "population": 24})
    folder = tmp_path / "run"
    same = {"seed": 3, "budget": budget}
    for strategy in ({"kind": "nsga2", "population": 24, "crossover": 0.5}, {"kind": "nsga2", "population": 24}):
        run(folder, strategy=strategy, **same)
    with pytest.raises(UserError, match=r"strategy\.crossover is 0.5 there, 0.8 here"):
        run(folder, strategy={"kind": "nsga2", "population": 24, "crossover": 0.8}, **same)


def small(**changes: Any) -> Config:
    data = config().model_dump(mode="json", exclude={"strategy", "schedule"})
    return load_config({**data, **changes})
