"""The search algorithm as Ray Tune itself drives it: to the end, through failures, interrupted and restored."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from ray import tune
from ray.tune.search import ConcurrencyLimiter

from evonas.tune import EvolutionSearcher

PARAM_SPACE = {
    "width": tune.randint(1, 9),
    "net": {"rate": tune.loguniform(1e-3, 1.0), "act": tune.choice(["relu", "tanh"])},
    "constant": 3,
}
TRIALS = 14
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("local_ray")]


def results_of(config: dict[str, Any]) -> dict[str, Any]:
    """What a trial reports; some diverge."""
    loss = config["net"]["rate"] + 1 / config["width"]
    diverged = config["width"] == 7 and config["net"]["rate"] > 0.01
    return {"loss": float("nan") if diverged else loss, "costs": {"size": config["width"] * config["constant"]}}


def raises(config: dict[str, Any]) -> bool:
    return config["net"]["act"] == "relu"


def trial(config: dict[str, Any]) -> None:
    if raises(config):
        raise RuntimeError("out of luck")
    tune.report(results_of(config))


class Interruption(tune.Callback):
    """Ctrl-C when the sixth trial has ended; it is restored, too."""

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        if len(trials) == 6:
            os.kill(os.getpid(), signal.SIGINT)


def searcher() -> EvolutionSearcher:
    return EvolutionSearcher(
        ["loss", "costs/size"], ["min", "min"], limits={"costs/size": {"at_most": 22}}, population=4
    )


def by_hand(count: int) -> list[dict[str, Any]]:
    """The configs of trials that run one after the other."""
    alone, configs = searcher(), []
    alone.set_search_properties(None, None, PARAM_SPACE)
    for index in range(count):
        config = {**(alone.suggest(str(index)) or {}), "constant": 3}
        configs.append(config)
        found = results_of(config)
        flat = {"loss": found["loss"], "costs/size": found["costs"]["size"]}
        alone.on_trial_complete(str(index), None if raises(config) else flat, raises(config))
    return configs


def tuner(folder: Path, algorithm: Any, **run_config: Any) -> tune.Tuner:
    return tune.Tuner(
        trial,
        param_space=PARAM_SPACE,
        tune_config=tune.TuneConfig(search_alg=algorithm, num_samples=TRIALS, reuse_actors=True),
        run_config=tune.RunConfig(storage_path=str(folder), name="run", verbose=0, **run_config),
    )


def test_a_search_of_tune_is_the_one_that_is_driven_by_hand(tmp_path: Path) -> None:
    own = searcher()
    results = tuner(tmp_path, ConcurrencyLimiter(own, max_concurrent=1)).fit()
    assert [result.config for result in sorted(results, key=number)] == by_hand(TRIALS)
    front = own.front()
    assert front
    assert all(one.metrics["costs/size"] <= 22 for one in front)
    assert sorted(one.trial_id for one in front) == sorted(one.trial_id for one in own.front(results))
    assert [one.metrics for one in front] == [one.metrics for one in own.front(results)]


def test_an_interrupted_search_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    first = tuner(tmp_path, ConcurrencyLimiter(searcher(), max_concurrent=1), callbacks=[Interruption()]).fit()
    assert 6 <= len(first) < TRIALS
    [state] = (tmp_path / "run").glob("searcher-state-*.json")
    assert json.loads(state.read_text())["search"]["strategy"] == {"kind": "nsga2", "population": 4}
    results = tune.Tuner.restore(str(tmp_path / "run"), trial).fit()
    assert [result.config for result in sorted(results, key=number)] == by_hand(TRIALS)
    afterwards = EvolutionSearcher(
        ["loss", "costs/size"], ["min", "min"], limits={"costs/size": {"at_most": 22}}, population=4, space=PARAM_SPACE
    )
    afterwards.restore_from_dir(str(tmp_path / "run"))
    assert [one.metrics for one in afterwards.front()] == [one.metrics for one in afterwards.front(results)]


def test_objects_of_the_users_own_are_given_again(tmp_path: Path) -> None:
    space = {"x": tune.choice([len, max, min, sum]), "y": tune.uniform(0, 1)}
    own = EvolutionSearcher("loss", "min", population=2)
    first = tune.Tuner(
        call,
        param_space=space,
        tune_config=tune.TuneConfig(search_alg=own, num_samples=9, max_concurrent_trials=1),
        run_config=tune.RunConfig(storage_path=str(tmp_path), name="run", verbose=0, callbacks=[Interruption()]),
    )
    assert len(first.fit()) < 9
    results = tune.Tuner.restore(str(tmp_path / "run"), call, param_space=space).fit()
    assert len(results) == 9
    assert own.front(results)[0].metrics["loss"] == min(result.metrics["loss"] for result in results if result.metrics)


def call(config: dict[str, Any]) -> None:
    tune.report({"loss": config["x"]([1, 2, 3]) + config["y"]})


def test_a_small_space_ends_the_search(tmp_path: Path) -> None:
    space = {"x": tune.choice([1, 2, 3])}
    small = tune.Tuner(
        lambda config: tune.report({"loss": config["x"]}),
        param_space=space,
        tune_config=tune.TuneConfig(metric="loss", mode="min", search_alg=EvolutionSearcher(), num_samples=9),
        run_config=tune.RunConfig(storage_path=str(tmp_path), verbose=0),
    )
    assert sorted(result.config["x"] for result in small.fit()) == [1, 2, 3]


def number(result: Any) -> int:
    """In the order in which trials were suggested."""
    return int(Path(result.path).name.split("_")[2])
