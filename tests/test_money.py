"""What nodes cost: their prices, a budget of money, what was spent, and what it will be."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

import evonas
from evonas.analysis import costs
from evonas.cli import main
from evonas.config import BudgetConfig
from evonas.config.loading import load_config
from evonas.doctor.context import Context
from evonas.doctor.cost import cost
from evonas.doctor.dry_run import _cost
from evonas.driver.cost_forecast import cost_forecast
from evonas.errors import Halted, RuntimeNotStarted, UserError
from evonas.prices import NODE_TYPE_LABEL, Prices, list_prices
from evonas.records import Evaluation, Job, RungReport
from evonas.report.summary import summary
from evonas.runs.going_on import going_on
from evonas.runs.money import Money
from evonas.runs.run import Run
from evonas.runtime import RUNTIMES, Serial
from evonas.runtime.cost_clock import CostClock, Spending
from evonas.runtime.ray_pool.cluster import names_of
from evonas.runtime.ray_pool.nodes import ClusterNode
from evonas.runtime.ray_pool.worker import WorkerHandle
from evonas.runtime.retries import Attempt, Place
from evonas.store.migration import strategy_before
from evonas.text import in_usd
from tests.launch.stand_ins import CONFIG, stand_in
from tests.synthetic import Toy
from tests.test_fleet import Launcher, settled
from tests.test_loop import Stop, content, run, stopping_after

CLUSTER = Path(__file__).parents[1] / "cluster"
MINIMAL: dict[str, Any] = {"space": {"kind": "cell"}, "task": {"kind": "digits"}, "objectives": [{"metric": "error"}]}


# Prices


def test_the_users_price_comes_before_the_list_and_the_rest_last() -> None:
    names = ("g6.xlarge", "measure_l4", "ip-10-0-0-1")
    assert Prices({}).of(names) == list_prices().usd_per_hour["g6.xlarge"]
    assert Prices({"*": 9.0}).of(names) == list_prices().usd_per_hour["g6.xlarge"]
    assert Prices({"measure_l4": 0.5, "*": 9.0}).of(names) == 0.5
    assert Prices({"ip-10-0-0-1": 0.0}).of(names) == 0.0
    assert Prices({"*": 9.0}).of(("desktop",)) == 9.0
    assert Prices({}).of(("desktop",)) is None


def test_the_list_has_a_date_and_spot_is_never_dearer() -> None:
    prices = list_prices().usd_per_hour
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", list_prices().read)
    assert all(0 < usd < 200 for usd in prices.values())
    both = [name for name in prices if f"{name}.spot" in prices]
    assert len(both) > 15
    assert all(prices[f"{name}.spot"] < prices[name] for name in both)
    assert {name.removesuffix(".spot") for name in prices} == list_prices().gpus.keys()


def test_the_list_travels_with_the_package() -> None:
    import tomllib

    text = (CLUSTER.parent / "pyproject.toml").read_text()
    assert "prices/list_prices.yaml" in tomllib.loads(text)["tool"]["setuptools"]["package-data"]["evonas"]


def machine(node: Any) -> str:
    """The name in the table of what a launcher's file asks of AWS or Google."""
    kind = node.get("InstanceType") or node["machineType"]
    gpus = [gpu["acceleratorType"] for gpu in node.get("guestAccelerators", ())]
    spot = "InstanceMarketOptions" in node or "SPOT" in json.dumps(node.get("scheduling", ""))
    return ".".join([kind, *gpus, *(["spot"] if spot else [])])


@pytest.mark.parametrize("name", ["aws.yaml", "gcp.yaml"])
def test_every_machine_of_a_launchers_file_says_what_it_is_and_has_a_price(name: str) -> None:
    kinds = yaml.safe_load((CLUSTER / name).read_text())["available_node_types"]
    for kind in kinds.values():
        assert kind["labels"][NODE_TYPE_LABEL] == machine(kind["node_config"])
        assert Prices({}).of([kind["labels"][NODE_TYPE_LABEL]]) is not None


def test_a_node_goes_by_its_label_its_group_and_its_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVONAS_NODE_TYPE", "desktop")
    node = {"NodeManagerHostname": "h", "Labels": {NODE_TYPE_LABEL: "g6.xlarge", "ray.io/node-group": "measure_l4"}}
    assert names_of(node, own=True) == ("g6.xlarge", "measure_l4", "h")
    assert names_of({"NodeManagerHostname": "h"}, own=True) == ("desktop", "h")
    assert names_of({"NodeManagerHostname": "h"}, own=False) == ("h",), "another machine may be another type"


def test_a_file_of_prices_is_in_the_record_as_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text("g6.xlarge.spot: 0.45\n1: 2\n")
    own = load_config({**MINIMAL, "budget": {"usd": 1}, "runtime": {"prices": str(path)}})
    assert own.model_dump(mode="json")["runtime"]["prices"] == {"g6.xlarge.spot": 0.45, "1": 2.0}
    path.write_text("usd_per_hour: {a: 1}\n")
    assert load_config({**MINIMAL, "budget": {"usd": 1}, "runtime": {"prices": str(path)}}).runtime.own_prices == {
        "a": 1
    }


@pytest.mark.parametrize("text", ["[1, 2]", "a: cheap", "a: -1", "a: .inf", "a: true", "a: [", None])
def test_what_is_no_file_of_prices_is_one_line(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=r"runtime\.prices: .*prices\.yaml (takes lines of|cannot be read|is no YAML)"):
        load_config({**MINIMAL, "budget": {"usd": 1}, "runtime": {"prices": str(path)}})
    with pytest.raises(UserError, match=r"runtime\.prices"):
        load_config({**MINIMAL, "budget": {"usd": 1}, "runtime": {"prices": {"a": -1}}})


# What was spent


def test_nodes_x_hours_x_price_is_what_was_spent_where_nodes_vanish_midway() -> None:
    now = 0.0
    clock = CostClock(Prices({"head": 0.1, "spot": 0.5}), lambda: now)
    head, spot, mystery = ("head", "h"), ("spot", "s"), ("mystery", "m")
    lives = [(head, 0, 10), (spot, 0, 4), (spot, 1, 2), (spot, 3, 10), (mystery, 5, 7)]  # hours
    for hour in range(11):
        now = hour * 3600.0
        spent = clock.hold([names for names, came, went in lives if came <= hour < went])
        spent = clock.spent
        unpriced = ("mystery",) if 5 <= hour < 7 else ()
        assert spent.unpriced == unpriced
    assert spent.usd == pytest.approx(10 * 0.1 + (4 + 1 + 7) * 0.5)
    assert (spent.unpriced_s, spent.usd_per_hour) == (2 * 3600, 0)
    now = 1e6
    assert clock.spent.usd == spent.usd, "nothing is held any more"


def test_where_no_node_has_a_price_nothing_is_known() -> None:
    clock = CostClock(Prices({}), lambda: 0.0)
    assert clock.hold([("a",), ("b",), ("a",)]) == Spending(None, 0.0, 0.0, ("a", "b"))


def test_a_candidate_costs_its_workers_part_of_the_node() -> None:
    node = ClusterNode("a", "host", {"CPU": 4.0}, ("spot", "host"))
    launcher = Launcher([node])
    made = settled(launcher, workers=2, prices={"spot": 7.2})
    assert [worker.usd_per_s for worker in made.workers] == [7.2 / 3600 / 4] * 2
    assert settled(Launcher([node]), workers=1).workers[0].usd_per_s is None
    worker = WorkerHandle(None, Place("a"), 0)
    worker.usd_per_s, worker.began, worker.heard = 0.5, 10.0, 14.0
    attempt = Attempt(Job(None), 0.0)  # type: ignore[arg-type]
    for began, heard, usd in ((10.0, 14.0, 2.0), (20.0, 21.0, 2.5)):  # a try that was lost, and the one that was not
        worker.jobs.append((attempt, None))
        worker.began, worker.heard = began, heard
        worker.done()
        assert attempt.usd == usd
    attempt.pay(None, 1.0)
    assert attempt.usd is None, "on a node without a price"
    attempt.pay(0.5, 1.0)
    assert attempt.usd is None


@pytest.fixture
def dollars(monkeypatch: pytest.MonkeyPatch, submitted: list[Job]) -> list[Job]:
    """A machine that has cost a dollar for each candidate that was begun; candidates take no time."""
    monkeypatch.setattr(Serial, "spent", property(lambda _: Spending(float(len(submitted)), 2.0)))
    return submitted


def test_a_budget_of_money_ends_a_search_which_goes_on_when_it_grows(tmp_path: Path, dollars: list[Job]) -> None:
    found = run(tmp_path / "run", budget={"evaluations": None, "usd": 10, "at_end": "finish"})
    assert (len(found.evaluations), found.state) == (10, "finished: the budget of $10 is used up")
    assert found.status()["spent_usd"] == 10
    dollars.clear()
    whole = run(tmp_path / "run", budget={"evaluations": None, "usd": 16, "at_end": "finish"})
    assert len(whole.evaluations) == 16
    assert {row["spent_usd"] for row in whole.evaluations["conditions"]} == {"1.000000000"}
    assert whole.status()["spent_usd"] == 16
    assert whole.status()["generations_usd"] == {"1": 8, "2": 2, "3": 6}, "the last of a start is as long as it got"
    assert whole.costs()["spent_usd"].tolist() == [8, 2, 6]
    other = run(tmp_path / "other", budget={"evaluations": 16})
    assert content(whole) == content(other), "nothing but the end depends on money"
    assert whole.verify().difference == ""


@pytest.mark.parametrize(("usd", "tail"), [(10.09, ", and $0.09 after the last row of each start."), (10.0, ".")])
def test_the_report_says_what_no_row_has(
    tmp_path: Path, dollars: list[Job], monkeypatch: pytest.MonkeyPatch, usd: float, tail: str
) -> None:
    found = run(tmp_path / "run", budget={"evaluations": 10})
    monkeypatch.setattr(Run, "money", property(lambda _: Money(usd, 0.0, 1.0, False)))
    assert any(text.endswith(f" By generation: $8, $2{tail}") for text in summary(found, found.front()))


def test_what_trains_when_the_money_is_used_up_is_stopped_and_its_cost_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The money is used up while the fifth candidate is between two rungs."""
    usd = [0.0]
    wait = Serial.wait

    def dear(self: Serial, seconds: float) -> Any:
        messages = wait(self, seconds)
        usd[0] = 50.0 if any(isinstance(each, RungReport) and each.index == 4 for each in messages) else usd[0]
        return messages

    monkeypatch.setattr(Serial, "spent", property(lambda _: Spending(usd[0], 1.0)))
    monkeypatch.setattr(Serial, "wait", dear)
    budget: dict[str, Any] = {"evaluations": 10, "usd": 50}
    found = run(tmp_path / "run", budget=budget)
    assert found.state == "finished: the budget of $50 is used up"
    assert (len(found.evaluations), found.unfinished["candidate"].tolist()) == (4, [4])
    assert found.status()["spent_usd"] == 50, "what came after the last evaluation too"
    monkeypatch.setattr(Serial, "wait", wait)
    usd[0] = 0.0
    assert len(run(tmp_path / "run", budget=budget).evaluations) == 4, "nothing is left of it"
    more = run(tmp_path / "run", budget={**budget, "usd": 51})
    assert content(more) == content(run(tmp_path / "other", budget={"evaluations": 10}))


def test_a_killed_search_knows_what_it_had_spent_by_its_last_evaluation(tmp_path: Path, dollars: list[Job]) -> None:
    with pytest.raises(Stop):
        run(tmp_path / "run", stopping_after(6), budget={"evaluations": None, "usd": 10})
    dollars.clear()
    found = run(tmp_path / "run", budget={"evaluations": None, "usd": 10, "at_end": "finish"})
    assert len(found.evaluations) == 10


def test_a_budget_of_money_without_a_price_is_refused_before_it_begins(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the budget of \$10 cannot be kept: the price of .* is not known; give it"):
        run(tmp_path / "run", budget={"usd": 10})


@pytest.mark.parametrize("there", [False, True], ids=["new", "there"])
@pytest.mark.parametrize("stop", [KeyboardInterrupt(), RuntimeNotStarted("none came"), UserError("refused"), None])
def test_a_wait_for_the_first_worker_is_paid_for(
    stop: BaseException | None, there: bool, tmp_path: Path, dollars: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    def waits(*arguments: Any) -> Any:
        for usd in (0.0, 4.0, 8.0):
            arguments[4](Spending(usd, 4.0))
        raise stop or AssertionError("the budget is used up by now")

    budget = {"evaluations": None, "at_end": "finish", "usd": 8 if stop is None else 20}
    if there:
        run(tmp_path / "run", budget={**budget, "usd": 4})
    monkeypatch.setitem(RUNTIMES, "serial", waits)
    with pytest.raises(type(stop) if stop else Halted):
        run(tmp_path / "run", budget=budget)
    if isinstance(stop, UserError) and not isinstance(stop, RuntimeNotStarted) and not there:
        assert not (tmp_path / "run").exists(), "what workers refuse claims no folder"
        return
    found = evonas.load(tmp_path / "run", Toy())
    waited = 4 if there and stop is None else 8
    assert found.status()["spent_usd"] == 4 * there + waited
    again = f"stopped; to go on: evonas resume {tmp_path / 'run'}"
    assert found.state == again + (" --set budget.usd=USD, where USD is more than the $8 spent" if stop is None else "")
    monkeypatch.setitem(RUNTIMES, "serial", Serial)
    dollars.clear()
    assert len(run(tmp_path / "run", budget={**budget, "usd": 20}).evaluations) == 20 - waited


def test_the_line_that_goes_on_has_no_budget_that_is_used_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def waits(*arguments: Any) -> Any:
        for usd in (0.0, 8.0):
            arguments[4](Spending(usd, 4.0))

    folder, config = tmp_path / "run", tmp_path / "c.yaml"
    config.write_text(CONFIG + "runtime: {kind: serial}\n")
    monkeypatch.setitem(RUNTIMES, "serial", waits)
    said = "--set budget.usd=USD, where USD is more than the $8 spent\n"
    assert main(["search", str(config), "--set", "budget.usd=7.5", "--run", str(folder), "--set", "seed=3"]) == 1
    assert f". To go on: evonas search {config} --run {folder} --set seed=3 {said}" in capsys.readouterr().err
    told = stand_in(tmp_path, monkeypatch, sbatch="*) echo 8 ;;", squeue="", scancel="")
    monkeypatch.chdir(tmp_path)
    words = [
        "cluster",
        "up",
        "slurm",
        str(config),
        "--run",
        str(folder),
        "--yes",
        "--set=runtime.kind=ray",
        "--set",
        "seed=3",
    ]
    for dry in ([], ["--dry-run"]):  # before anything is paid for
        assert main([*words, *dry, "--set=budget.usd=8", "--set", "runtime.prices={'*': 1}"]) == 2
    assert told.lines("sbatch") == []
    way = capsys.readouterr().err.splitlines(keepends=True)[0]
    assert f"evonas: the budget of $8 (budget.usd) is used up in {folder}, and nothing was started. " in way
    assert f"To go on: evonas {' '.join(words)} --set 'runtime.prices=" in way
    assert way.endswith(said)
    line = "evonas submit c.yaml --set budget.usd=9"
    for usd, is_used in ((9.0, False), (8.0, True), (None, False)):
        assert (going_on(line, folder, BudgetConfig(evaluations=8, usd=usd)) != line) is is_used
    assert going_on(line, tmp_path / "none", BudgetConfig(usd=1)) == line


def test_a_node_without_a_price_that_comes_later_stops_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [Spending(1.0, 1.0)]
    monkeypatch.setattr(Serial, "spent", property(lambda _: found[0]))

    def joins(loop: Any, evaluation: Evaluation | None) -> None:
        if loop.evaluated == 5:
            found[0] = Spending(1.0, 1.0, 0.0, ("g7.xlarge", "g9"))

    with pytest.raises(Halted, match=r'the price of g7.xlarge \(and of 1 more\) is not known; .*{"g7.xlarge": USD an'):
        run(tmp_path / "run", joins, budget={"evaluations": 8, "usd": 10})
    found[0] = Spending(1.0, 1.0)
    assert len(run(tmp_path / "run", budget={"evaluations": 8, "usd": 10}).evaluations) == 8


def test_a_local_run_with_a_made_up_price_says_what_it_cost_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dollar a second; the candidates' part is less than the machine's."""
    monkeypatch.setenv("EVONAS_NODE_TYPE", "my-desktop")
    settings: dict[str, Any] = {"budget": {"evaluations": 10, "usd": 1e4}}
    free = run(tmp_path / "free", budget={"evaluations": 10})
    found = run(tmp_path / "run", work={"delay": 0.002}, runtime={"prices": {"my-desktop": 3600}}, **settings)
    assert content(found) == content(free)
    assert found.verify().difference == ""
    spent, of_candidates = found.status()["spent_usd"], found.evaluations["usd"]
    assert of_candidates.min() > 0
    assert of_candidates.sum() < spent < 1e4
    assert sum(found.status()["generations_usd"].values()) == pytest.approx(spent, rel=0.2)
    assert free.evaluations["usd"].isna().all()
    assert (free.status()["spent_usd"], free.money.text) == (None, ""), "a machine without a price says nothing"
    assert main(["status", str(found.folder)]) == 0
    assert re.search(r"\(.*\); front of .*; \$[\d.]+ spent; finished", capsys.readouterr().out)
    assert main(["status", str(found.folder), "--format", "csv"]) == 0
    assert "spent_usd,unpriced_node_hours" in capsys.readouterr().out
    assert any(
        re.match(r"\$[\d.]+ spent; candidates were in work for \$", text) for text in summary(found, found.front())
    )


@pytest.mark.slow
def test_on_a_cluster_that_loses_a_node_the_nodes_prices_add_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A head and two nodes with labels; one goes when half is done. What was spent lies between what the nodes cost
    that were there all the time and what all three would have."""
    from tests.clusters import started

    cluster = started(num_cpus=0, labels={NODE_TYPE_LABEL: "head"})
    spot = [cluster.add_node(num_cpus=1, labels={NODE_TYPE_LABEL: "spot"}) for _ in range(2)]
    seconds: list[float] = []

    def loses(loop: Any, evaluation: Evaluation | None) -> None:
        seconds[:] = [loop.elapsed_s]
        if evaluation and loop.evaluated == 10:
            cluster.remove_node(spot.pop(), allow_graceful=True)

    runtime = {"kind": "ray", "address": cluster.address, "workers": 2, "prices": {"head": 3600, "spot": 36000}}
    began = time.monotonic()
    try:
        found = run(tmp_path / "run", loses, budget={"evaluations": 20, "usd": 1e6}, runtime=runtime)
    finally:
        cluster.shutdown()
    frame, spent = found.evaluations, found.status()["spent_usd"]
    assert 11 * seconds[0] < spent < 21 * (time.monotonic() - began)
    assert frame["usd"].min() > 0
    assert frame["usd"].sum() < spent
    assert found.verify().difference == ""
    assert content(found) == content(run(tmp_path / "other", budget={"evaluations": 20}))


def test_node_hours_without_a_price_are_said_and_re_used_rows_cost_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = [0]

    def spent(_: Serial) -> Spending:
        hours[0] += 1
        return Spending(0.5, 1.0, 3600.0 * hours[0], ("g7",))

    monkeypatch.setattr(Serial, "spent", property(spent))
    found = run(tmp_path / "run", budget={"evaluations": 8})
    assert re.fullmatch(r"more than \$0\.5 spent: \d+ node hours had no price \(runtime\.prices\)", found.money.text)
    frame = found.evaluations
    frame["conditions"] = [{**each, "from": "other"} for each in frame["conditions"]]
    assert costs(frame)["spent_usd"].isna().all()


# What it will cost


def test_what_a_search_will_cost_is_said_before() -> None:
    def line(budget: dict[str, Any], **given: Any) -> str:
        return cost_forecast(load_config({**MINIMAL, "budget": budget}), 2.0, (), **given)

    assert line({"evaluations": 100}, candidates_per_s=0.01) == "$2 an hour: about $5.56 for 100 candidates"
    assert line({"hours": 10}) == "$2 an hour: at most $20 in 10 h"
    assert line({"usd": 50}) == "$2 an hour: at most $50 (budget.usd), which last 25 h"
    assert line({"usd": 50, "hours": 2}) == "$2 an hour: at most $4 in 2 h"
    assert line({"usd": 50}, candidates_per_s=0.01) == (
        "$2 an hour: about 900 candidates for $50; at most $50 (budget.usd), which last 25 h"
    )
    assert line({"evaluations": 5}) == "$2 an hour"
    own = load_config({**MINIMAL, "budget": {"usd": 50}})
    assert cost_forecast(own, 2.0, ("a", "b")) == (
        'more than $2 an hour: the price of a and 1 other is not known; give it: runtime.prices: {"a": USD an hour}'
    )


def test_a_dry_run_says_what_this_machine_will_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVONAS_NODE_TYPE", "g6.xlarge")
    assert _cost(load_config({**MINIMAL, "budget": {"evaluations": 100}}), 0.01) == (
        "$0.805 an hour: about $2.24 for 100 candidates"
    )
    monkeypatch.setenv("EVONAS_NODE_TYPE", "desktop")
    assert _cost(load_config({**MINIMAL, "budget": {"evaluations": 100}}), 0.01) == ""
    assert "the price of desktop is not known" in _cost(load_config({**MINIMAL, "budget": {"usd": 5}}), 0.01)
    away = load_config({**MINIMAL, "budget": {"usd": 5}, "runtime": {"address": "10.0.0.1:6379"}})
    assert "evonas doctor" in _cost(away, 0.01)


def test_the_doctor_says_what_the_nodes_cost() -> None:
    nodes = [ClusterNode(str(i), "h", {}, ("g6.xlarge.spot", "spot_l4", "h")) for i in range(2)]
    head = ClusterNode("head", "h", {}, ("head", "h"))

    def found(budget: dict[str, Any], prices: dict[str, float]) -> Any:
        own = load_config({**MINIMAL, "budget": budget, "runtime": {"prices": prices}})
        context = Context(own, own.runtime, joined=True, nodes=[*nodes, head], candidates_per_s=0.1)
        (finding,) = cost(context)
        return finding

    known = found({"usd": 50}, {"head": 0.1})
    assert known.state == "ok"
    assert known.text.startswith("$1.01 an hour: about 18,000 candidates for $50; at most $50 (budget.usd), which last")
    assert "2 x g6.xlarge.spot at $0.454, 1 x head at $0.1; list prices of 20" in known.text
    assert found({"usd": 50}, {}).state == "error"
    unknown = found({"evaluations": 5}, {})
    assert (unknown.state, unknown.text.split(":")[0]) == ("note", "more than $0.908 an hour")


def test_money_is_written_as_people_do() -> None:
    assert [in_usd(usd) for usd in (50, 0, 3.2, 1234.567, 0.01234)] == ["$50", "$0", "$3.20", "$1,234.57", "$0.0123"]
    assert BudgetConfig(usd=5).spent(0, 0, 0, 4.99) == ""
    assert BudgetConfig(usd=5).spent(0, 0, 0, 5) == "the budget of $5 is used up"


def test_a_run_of_before_goes_on_without_costs(tmp_path: Path) -> None:
    """Its rows had no cost (schema version 5): 13 candidates, which commit c561357 wrote."""
    import shutil

    before = Path(__file__).parent / "recorded" / "schema5"
    folder = Path(shutil.copytree(before, tmp_path / "run"))
    work = {"failing": (5, 11), "unbuildable": (7,), "weights_kb": 0.2}
    found = evonas.load(folder, Toy())
    assert found.evaluations["usd"].isna().all()
    assert found.status()["spent_usd"] is None
    assert found.verify().difference == ""
    settings: dict[str, Any] = {"budget": {"evaluations": 26}, "work": work}
    strategy = {"kind": "nsga2", "population": 8}
    then = {"strategy": {**strategy_before(strategy), **strategy}, "schedule": {"grows": False}}
    whole = run(tmp_path / "whole", **settings, **then)
    assert content(run(folder, runtime={"prices": {"*": 3600}}, **settings)) == content(whole)
    assert evonas.load(folder, Toy()).evaluations["usd"].notna().sum() == 13
