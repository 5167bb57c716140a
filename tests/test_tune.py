"""The strategies as a search algorithm of Ray Tune, driven by hand as Tune does it; no Ray runs."""

import importlib
import json
import math
import sys
from pathlib import Path
from typing import Any

import moocore
import numpy as np
import pytest
from ray import tune
from ray.tune.search import ConcurrencyLimiter, Repeater, Searcher, sample

from evonas.errors import UserError
from evonas.spaces import Choice, Integer, OneOf, Repeat, Space
from evonas.spaces.genes import Group
from evonas.tune import EvolutionSearcher
from evonas.tune.domains import STEPS, parameter
from evonas.tune.parameter import same
from evonas.tune.plain import from_plain, to_plain

PARAM_SPACE = {
    "rate": tune.loguniform(1e-4, 1.0),
    "net": {"depth": tune.randint(1, 9), "act": tune.choice(["relu", "tanh"]), "constant": 1},
    "seed": 7,
}
AIMS: dict[str, Any] = {"metric": ["loss", "size"], "mode": ["min", "max"]}


def made(**more: Any) -> EvolutionSearcher:
    return EvolutionSearcher(**{**AIMS, "space": PARAM_SPACE, "population": 4, **more})


def result_of(config: dict[str, Any]) -> dict[str, float]:
    return {"loss": config["rate"] * config["net"]["depth"], "size": config["net"]["depth"], "training_iteration": 1}


def driven(searcher: EvolutionSearcher, trials: range, in_flight: int = 3) -> list[Any]:
    """The configs of trials that end in the order of their beginning; those in flight at the end go on."""
    configs = []
    for trial in trials:
        configs.append(searcher.suggest(str(trial)))
        if (ended := trial - in_flight) >= 0:
            config = searcher.suggest(str(ended))
            assert config is not None
            bad = {"loss": math.nan} if ended % 7 == 5 else {}
            searcher.on_trial_complete(str(ended), {**result_of(config), **bad}, error=ended % 7 == 6)
    return configs


def values(domain: Any, levels: int = 64) -> list[Any]:
    return list(parameter("x", domain, levels).values)


def test_the_levels_of_domains() -> None:
    assert values(tune.randint(1, 5)) == [1, 2, 3, 4]
    assert values(tune.qrandint(3, 17, 4)) == [4, 8, 12, 16]
    assert values(tune.qrandint(2, 8, 1)) == [2, 3, 4, 5, 6, 7]  # of q=1 the upper bound is exclusive, as in Tune
    assert values(tune.quniform(0, 1, 0.25)) == [0, 0.25, 0.5, 0.75, 1]
    assert values(tune.uniform(-1, 2), 7) == [-1, -0.5, 0, 0.5, 1, 1.5, 2]
    assert values(tune.loguniform(1e-3, 1e3), 7) == pytest.approx([1e-3, 1e-2, 0.1, 1, 10, 100, 1e3])
    assert values(tune.uniform(3, 3)) == [3.0]
    assert values(tune.randn(5, 2), 2) == pytest.approx([5 - 2 * 0.67449, 5 + 2 * 0.67449], abs=1e-4)  # the quartiles
    assert set(values(tune.qrandn(0, 1, 0.5))) == {k / 2 for k in range(-5, 6)}
    assert len(values(tune.randint(0, 10**9))) == STEPS
    assert values(tune.randint(0, 10**9))[-1] == 10**9 - 1
    assert {type(value) for value in values(tune.qlograndint(2, 64, 2))} == {int}


@pytest.mark.parametrize(
    "domain",
    [
        *(tune.uniform(-3, 5), tune.quniform(0, 10, 0.5), tune.loguniform(1e-5, 2), tune.qloguniform(0.5, 60, 0.5)),
        *(tune.randint(-4, 90), tune.qrandint(0, 80, 5), tune.lograndint(1, 900), tune.qlograndint(5, 800, 5)),
        *(tune.randn(3, 2), tune.qrandn(3, 2, 0.1), sample.Float(0, 1)),
    ],
    ids=lambda domain: f"{type(domain).__name__}{domain.domain_str}{type(domain.get_sampler()).__name__}",
)
def test_levels_are_distributed_as_tune_draws(domain: Any) -> None:
    drawn = np.sort(domain.sample(size=4_000, random_state=0))
    own = values(domain, 256)
    assert all(domain.is_valid(value) for value in own)
    span = drawn[-1] - drawn[0]
    for share in (0.1, 0.25, 0.5, 0.75, 0.9):
        assert np.quantile(own, share) == pytest.approx(np.quantile(drawn, share), abs=0.04 * span)
    assert type(own[0]) is type(domain.cast(drawn[0]))


@pytest.mark.parametrize(
    "domain",
    [tune.randint(0, 17), tune.randint(0, 1000), tune.lograndint(1, 70), tune.uniform(0, 1), tune.choice("ab")],
)
def test_each_value_has_one_genome_and_the_nearest_is_found(domain: Any) -> None:
    node = parameter("x", domain, 64)
    genomes = [*node.genomes()]
    assert len(genomes) == len(set(genomes)) == node.size() == len({*node.values})
    assert [node.encode(node.decode(genome)) for genome in genomes] == genomes
    sizes = [len(gene.values) for _, gene in node.leaves("x")]
    every = {node.decode(genome) for genome in np.ndindex(*sizes)}
    assert every == {*node.values}
    if not isinstance(domain, sample.Categorical):
        low, high = [*dict.fromkeys(node.values)][3:5]
        assert node.decode(node.encode(0.6 * low + 0.4 * high)) == low
        assert node.decode(node.encode(0.4 * low + 0.6 * high)) == high
        with pytest.raises(ValueError, match="is not in"):
            node.encode(node.values[-1] + 1)


def test_values_are_the_same_only_if_a_trainable_sees_no_difference() -> None:
    array = np.zeros(2)
    assert same(1, 1)
    assert same(array, array)
    assert not same(1, True)
    assert not same(1, 1.0)
    assert not same(array, np.zeros(2))


@pytest.mark.parametrize(
    ("param_space", "says"),
    [
        ({"x": tune.grid_search([1, 2])}, "x: grid_search is a search of its own; give tune.choice"),
        ({"a": {"x": tune.sample_from(lambda config: 1)}}, "a/x: sample_from is a function .* give a domain"),
        ({"x": {"eval": "1 + 1"}}, "x: sample_from is a function"),
        ({"x": tune.choice([{"y": tune.uniform(0, 1)}, 2])}, "x: domains inside of a choice .* give a Space"),
        ({"x": tune.choice([])}, "x: the choice is empty"),
        ({"x": tune.randint(3, 3)}, "x: between 3 and 3 lies no value"),
        ({"x": tune.uniform(3, 2)}, "x: between 3 and 2 lies no value"),
        ({"x": tune.lograndint(3, 3)}, "x: between 3 and 3 lies no value"),
        ({"x": sample.Domain()}, "x: a Domain by .* cannot be searched; give uniform"),
        ({"x": 1}, "param_space has no domain to search"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_a_line(param_space: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        EvolutionSearcher(**AIMS).set_search_properties(None, None, param_space)
    assert "\n" not in str(caught.value)


def test_configs_have_the_form_of_the_param_space() -> None:
    space = {
        "a-b": {"": tune.choice([(1, 2)]), "constant": 1},
        "list": [tune.choice([5]), {"y": tune.choice(["z"])}],
        "pair": (3, tune.choice([4])),
        "size": tune.choice([None]),
        "constant": 2,
    }
    searcher = EvolutionSearcher("loss", "min", space=space)
    config = searcher.suggest("0")
    assert config == {"a-b": {"": (1, 2)}, "list": [5, {"y": "z"}], "pair": (3, 4), "size": None}
    assert searcher.suggest("0") == config
    assert searcher.suggest("1") == Searcher.FINISHED


@pytest.mark.parametrize("strategy", ["nsga2", "regularised_evolution", "random"])
def test_every_config_once_then_it_is_finished(strategy: str) -> None:
    space = {"x": tune.choice([1, 1, 2, True]), "y": tune.lograndint(1, 4), "z": tune.qrandn(0, 1, 2)}
    searcher = EvolutionSearcher(**AIMS, strategy=strategy, space=space, seed=3)
    found = []
    while (config := searcher.suggest(str(len(found)))) != Searcher.FINISHED:
        assert config is not None
        searcher.on_trial_complete(str(len(found)), {"loss": config["y"], "size": config["z"]})
        found.append(config)
    expected = [(x, y, z) for x in (1, 2, True) for y in (1, 2, 3) for z in (-2.0, 0.0, 2.0)]
    assert sorted(map(repr, expected)) == sorted(repr(tuple(config.values())) for config in found)
    assert {one.trial_id for one in searcher.front()} <= {*map(str, range(len(found)))}


def test_the_same_seed_and_results_give_the_same_suggestions() -> None:
    assert driven(made(), range(30)) == driven(made(), range(30))
    assert driven(made(), range(30)) != driven(made(seed=1), range(30))


@pytest.mark.parametrize("late", [False, True])
def test_one_that_is_restored_goes_on_as_the_uninterrupted(tmp_path: Path, late: bool) -> None:
    whole = made()
    configs = driven(whole, range(40))
    first = made()
    driven(first, range(20))
    first.on_trial_result("19", {"loss": 0.5, "size": 1})
    first.save_to_dir(str(tmp_path), "one")
    assert [file.name for file in tmp_path.iterdir()] == ["searcher-state-one.json"]
    second = EvolutionSearcher(**AIMS, population=4) if late else made()
    second.restore_from_dir(str(tmp_path))
    if late:
        assert second.set_search_properties(None, None, PARAM_SPACE)
    assert driven(second, range(20, 40)) == configs[20:]
    assert second.front() == whole.front()
    third = made()
    third.set_state(first.get_state())
    for one in (first, third):
        one.on_trial_complete("19", None)  # ended while it was paused: the last that it reported counts
    assert third.get_state() == first.get_state()
    assert json.loads(json.dumps(third.get_state()))["events"][-1] == ["completed", "19", {"loss": 0.5, "size": 1.0}]


def test_tune_gives_neither_metrics_nor_param_space_to_one_that_it_restores(tmp_path: Path) -> None:
    first = EvolutionSearcher()
    first.set_search_properties("loss", "min", PARAM_SPACE)
    configs = [first.suggest(str(trial)) for trial in range(6)]
    first.save(str(tmp_path / "state"))
    second = EvolutionSearcher()
    second.restore(str(tmp_path / "state"))
    assert (second.metric, second.mode) == ("loss", "min")
    assert [second.suggest(str(trial)) for trial in range(6)] == configs
    assert second.suggest("6") == first.suggest("6")


def test_objects_of_the_users_own_are_asked_for_again(tmp_path: Path) -> None:
    space = {"x": tune.choice([len, max]), "y": tune.uniform(0, 1)}
    first = EvolutionSearcher("loss", "min")
    first.set_search_properties(None, None, space)
    config = first.suggest("0")
    first.save(str(tmp_path / "state"))
    second = EvolutionSearcher("loss", "min")
    second.restore(str(tmp_path / "state"))
    with pytest.raises(UserError, match=r"objects of your own.* give it to Tuner\.restore"):
        second.suggest("1")
    second.set_search_properties(None, None, space)
    assert second.suggest("0") == config


def test_a_param_space_is_kept_as_plain_data() -> None:
    domains = {
        "a": [tune.uniform(0, 1), tune.quniform(0, 1, 0.5), tune.loguniform(1, 2), tune.qloguniform(1, 2, 0.5)],
        "b": (tune.randint(0, 9), tune.qrandint(0, 9, 3), tune.lograndint(1, 9), tune.qlograndint(2, 8, 2)),
        "c": {"d": tune.randn(1, 2), "e": tune.qrandn(1, 2, 0.5), "f": tune.choice([1, None, (2, "x"), np.float32(3)])},
    }
    again = from_plain(json.loads(json.dumps(to_plain(domains))))
    assert repr(EvolutionSearcher("x", "min", space=again)._search()) == repr(
        EvolutionSearcher("x", "min", space=domains)._search()
    )
    assert type(again["c"]["f"].categories[3]) is np.float32
    assert to_plain({"x": tune.choice([object()])}) is None


def test_the_state_of_another_search_is_refused_by_what_differs(tmp_path: Path) -> None:
    path = str(tmp_path / "state")
    made().save(path)
    limited = {"loss": {"at_most": 1}}
    for other, name in (({"seed": 2}, "seed"), ({"levels": 65}, "space"), ({"limits": limited}, "limits")):
        with pytest.raises(UserError, match=f"the state is of another search: there {name} is"):
            made(**other).restore(path)
    searcher = EvolutionSearcher(**AIMS)
    searcher.set_search_properties(None, None, PARAM_SPACE)
    with pytest.raises(UserError, match="begun with another param_space"):
        searcher.set_search_properties(None, None, {"x": tune.uniform(0, 1)})


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("{", "[", "not the state of an EvolutionSearcher: JSONDecodeError"),
        ('"version": 1', '"version": 2', "of version 2, and this evonas reads version 1"),
        ('"suggested", "1"', '"failed", "1"', "trial 1 is suggested twice or not at all"),
        ('"suggested", "1"', '"suggested", "0"', "trial 0 is suggested twice or not at all"),
        (
            '"suggested", "0", [',
            '"suggested", "0", [99, ',
            "the history of the searcher is damaged: a genome of ParamSpace",
        ),
        ('"loss": 0', '"lost": 0', "the history of the searcher is damaged: 'loss'"),
        ('"events"', '"event"', "not the state of an EvolutionSearcher: KeyError: 'events'"),
    ],
)
def test_a_damaged_state_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    searcher, path = made(), tmp_path / "state"
    driven(searcher, range(5))
    searcher.save(str(path))
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(UserError, match=says):
        made().restore(str(path))


def test_failures_are_never_compared(caplog: pytest.LogCaptureFixture) -> None:
    searcher = made()
    ends: list[tuple[Any, bool]] = [
        ({"loss": 0.0, "size": 9}, True),
        ({"loss": -math.inf, "size": 9}, False),
        ({"loss": math.nan, "size": 9}, False),
        ({"loss": "0", "size": 9}, False),
        ({"loss": 0.0}, False),
        (None, False),
        ({"loss": np.float32(0.5), "size": 9}, False),
    ]
    for trial, (result, error) in enumerate(ends):
        searcher.suggest(str(trial))
        searcher.on_trial_complete(str(trial), result, error)
    assert [(one.trial_id, one.metrics) for one in searcher.front()] == [("6", {"loss": 0.5, "size": 9.0})]
    assert caplog.text.count("has failed and is not compared") == 6
    assert "trial 4 has failed and is not compared: it did not report size" in caplog.text
    searcher.on_trial_complete("2", {"loss": 0.1, "size": 9})  # Tune had tried it again
    assert [one.trial_id for one in searcher.front()] == ["2"]
    config = searcher.suggest("3")
    assert config is not None
    again = {"config/rate": config["rate"], **{f"config/net/{key}": value for key, value in config["net"].items()}}
    searcher.on_trial_complete("new name", {"loss": 0.0, "size": 9, **again})
    assert [one.trial_id for one in searcher.front()] == ["3"]
    searcher.on_trial_complete("unknown", {"loss": -1.0, "size": 9})
    assert [one.trial_id for one in searcher.front()] == ["3"]
    searcher.on_trial_complete("3", None, error=True)
    assert [one.trial_id for one in searcher.front()] == ["2"]
    assert "trial unknown was not suggested by this search" in caplog.text


def test_a_trial_over_a_limit_is_on_no_front_and_breeds_only_where_there_is_no_other() -> None:
    limits = {"size": {"at_least": 4, "at_most": 6}, "watts": {"at_most": 1.0}}
    searcher = made(limits=limits)
    for trial in range(40):
        config = searcher.suggest(str(trial))
        assert config is not None
        searcher.on_trial_complete(str(trial), {**result_of(config), "watts": config["rate"]})
    front = [one.metrics for one in searcher.front()]
    assert all(4 <= metrics["size"] <= 6 for metrics in front)
    assert len({metrics["loss"] for metrics in front}) > 1
    assert front == sorted(front, key=lambda metrics: metrics["loss"])
    depths = [searcher.suggest(str(trial))["net"]["depth"] for trial in range(40)]  # type: ignore[index]
    assert np.mean([4 <= depth <= 6 for depth in depths[20:]]) > 0.6  # 3 / 8 by chance


def zdt1(config: dict[str, float]) -> dict[str, float]:
    first, *others = config.values()
    g = 1 + 9 * sum(others) / len(others)
    return {"f0": first, "f1": g * (1 - math.sqrt(first / g))}


@pytest.mark.parametrize("reverse", [False, True], ids=["min", "max"])
def test_it_finds_a_better_front_than_random_search(reverse: bool) -> None:
    """ZDT1 (Zitzler, Deb & Thiele 2000), the true hypervolume of which is 7.58 by this reference point."""
    found = {}
    space = {f"x{i}": tune.uniform(0, 1) for i in range(5)}
    for strategy in ("nsga2", "random"):
        reached = []
        for seed in range(3):
            options = {"population": 16} if strategy == "nsga2" else {}
            mode = ["min", "max" if reverse else "min"]
            searcher = EvolutionSearcher(["f0", "f1"], mode, strategy=strategy, space=space, seed=seed, **options)
            for trial in range(150):
                values = zdt1(searcher.suggest(str(trial)) or {})
                searcher.on_trial_complete(str(trial), {"f0": values["f0"], "f1": values["f1"] * (-1) ** reverse})
            front = [(one.metrics["f0"], one.metrics["f1"] * (-1) ** reverse) for one in searcher.front()]
            reached.append(moocore.hypervolume(np.array(front), ref=[1.1, 7.5]))
        found[strategy] = np.mean(reached)
    assert found["random"] + 0.4 < found["nsga2"] < 7.59


class Net(Space):
    stem = Choice("a", "b")
    blocks = Repeat(Integer(1, 2), body=OneOf(conv=Group(width=Choice(8, 16)), pool=Group()))

    def build(self, arch: object, task: object) -> None: ...


def test_of_a_space_a_trial_gets_the_readable_architecture() -> None:
    searcher = EvolutionSearcher(**AIMS, space=Net())
    assert not searcher.set_search_properties(None, None, {"constant": 1})
    configs = [searcher.suggest(str(trial)) for trial in range(24)]
    assert {"stem": "b", "blocks": [{"body": {"kind": "conv", "width": 16}}]} in configs
    assert searcher.suggest("24") == Searcher.FINISHED  # 2 x (3 + 9)
    assert len({json.dumps(config) for config in configs}) == 24


def test_points_that_were_evaluated_elsewhere_are_parents_and_not_tried_again() -> None:
    space = {"x": tune.choice([1, 2, 3]), "y": tune.uniform(0, 1)}
    searcher = EvolutionSearcher("loss", "min", space=space, population=2)
    searcher.add_evaluated_point({"x": 2, "y": 0.501, "constant": 4}, 0.25)
    searcher.add_evaluated_point({"x": 1, "y": 0.2}, None, error=True)  # type: ignore[arg-type]
    [best] = searcher.front()
    assert (best.trial_id, best.config["x"], best.metrics) == ("point-0", 2, {"loss": 0.25})
    assert best.config["y"] == pytest.approx(0.501, abs=1 / 64)
    tried = [searcher.suggest(str(trial)) for trial in range(20)]
    assert best.config not in tried
    assert np.mean([config["x"] == 2 for config in tried if config]) > 0.4
    net = EvolutionSearcher(**AIMS, space=Net(), limits={"watts": {"at_most": 1}})
    point = {"stem": "a", "blocks": [{"body": {"kind": "pool"}}], "constant": 1}
    net.add_evaluated_point(point, {"loss": 1, "size": 2, "watts": 1, "more": 5})
    assert net.front()[0].metrics == {"loss": 1.0, "size": 2.0, "watts": 1.0}


@pytest.mark.parametrize(
    ("point", "value", "says"),
    [
        ({"x": 2}, 1.0, "a point lacks y; it has x"),
        ({"x": 4, "y": 0}, 1.0, "a point: x: 4 is not in choice"),
        ({"x": 1, "y": 2.0}, 1.0, r"a point: y: 2\.0 is not in uniform\(0\.0, 1\.0\)"),
        ({"x": 1, "y": 0.5}, math.nan, "a point: loss is nan"),
        ({"x": 1, "y": 0.5}, [1.0, 2.0], "a point: give a mapping with loss"),
        ({"x": 1, "y": 0.5}, {"lost": 1.0}, "a point: it did not report loss"),
    ],
)
def test_a_point_that_is_none_is_refused(point: dict[str, Any], value: Any, says: str) -> None:
    searcher = EvolutionSearcher("loss", "min", space={"x": tune.choice([1, 2, 3]), "y": tune.uniform(0, 1)})
    with pytest.raises(UserError, match=says):
        searcher.add_evaluated_point(point, value)
    assert searcher.get_state()["events"] == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"mode": None}, "metric and mode: give both"),
        ({"mode": "min"}, "metric and mode: give a mode for each metric, as a list"),
        ({"mode": ["min"]}, "metric and mode: give a mode for each metric, as a list"),
        ({"mode": ["min", "obs"]}, "mode: takes min or max"),
        ({"metric": ["loss", "loss"]}, "metric: takes one or several different names"),
        ({"limits": {"loss": 5}}, "limits.loss: takes {'at_most': NUMBER}"),
        ({"limits": {"loss": {"at_mots": 5}}}, "limits.loss: unknown 'at_mots'; did you mean 'at_most'"),
        ({"limits": {"loss": {"at_most": math.nan}}}, "limits.loss.at_most: takes a finite number, not nan"),
        ({"strategy": "nsga3"}, "strategy.kind: unknown 'nsga3'; did you mean 'nsga2'"),
        ({"population": 1}, "strategy: population: .*greater than or equal to 2, not 1"),
        ({"limit": {}}, "EvolutionSearcher: unknown 'limit'; did you mean 'limits'"),
        ({"levels": 1}, "levels: takes a whole number of 2 or more, not 1"),
        ({"seed": -1}, "seed: takes a whole number of 0 or more, not -1"),
    ],
)
def test_arguments_that_are_wrong_are_named(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        EvolutionSearcher(**{**AIMS, **wrong})
    assert "\n" not in str(caught.value)


def test_what_is_missing_is_said_when_a_trial_is_asked_for() -> None:
    with pytest.raises(UserError, match="EvolutionSearcher has no metric: give metric="):
        EvolutionSearcher(space=PARAM_SPACE).suggest("0")
    with pytest.raises(UserError, match="EvolutionSearcher has no space: give param_space"):
        EvolutionSearcher("loss", "min").suggest("0")


def test_in_the_wrappers_of_tune() -> None:
    limited = ConcurrencyLimiter(made(), max_concurrent=2)
    first = [limited.suggest(str(trial)) for trial in range(3)]
    assert first[2] is None
    assert first[0] is not None
    limited.on_trial_complete("0", result_of(first[0]))
    assert limited.suggest("2") not in (None, *first)
    inner = EvolutionSearcher("loss", "min", space=PARAM_SPACE)
    repeated = Repeater(inner, repeat=2, set_index=False)
    assert repeated.suggest("0") == repeated.suggest("1")
    for trial, loss in (("0", 1.0), ("1", 3.0)):
        repeated.on_trial_complete(trial, {"loss": loss})
    assert [one.metrics for one in inner.front()] == [{"loss": 2.0}]


def test_without_ray_tune_the_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("evonas.tune")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ray.tune", None)
    with pytest.raises(UserError, match=r"evonas\.tune needs Ray Tune: pip install 'ray\[tune\]'"):
        importlib.import_module("evonas.tune")
