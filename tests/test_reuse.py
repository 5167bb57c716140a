"""A search that begins with an earlier run: what is taken over, what is evaluated, and what is derived again."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import evonas
from evonas.cli import main
from evonas.components import assemble
from evonas.config import Config
from evonas.driver.founders import Founder, taken_over
from evonas.errors import UserError
from evonas.measuring.backends import devices
from evonas.objectives.objectives import Objectives
from evonas.records import Candidate, Evaluation, Fitness, Job, RungReport, Status
from evonas.reuse import architectures, reuse
from evonas.spaces.space import Space
from evonas.start import execute, prepare
from evonas.store import open_folder
from evonas.tabular import Tabular
from tests.synthetic import SPEC, Toy, config
from tests.test_loop import Stop, content, populations, quiet, stopping_after
from tests.test_tabular import error, params

LIMITED = {"limits": [{"metric": "params", "at_most": 25}]}
ANOTHER = {"objectives": [{"metric": "error"}, {"metric": "params"}, {"metric": "macs"}]}


def costs(genome: Any) -> dict[str, float]:
    """MACs are fewest where params are most, so that they make others good."""
    own = params(genome)
    return {**own, "macs": 4000 / own["params"], "train_memory_mb": 1.0}


TABLE = Tabular(error, costs)


def run(folder: Path, earlier: Path | None, watch: Any = quiet, more: int = 12, **changes: Any) -> evonas.Run:
    settings = config(**{"budget": {"evaluations": more}, **changes}).model_dump(mode="json", by_alias=True)
    prepared = prepare(settings, space=Toy(), task=SPEC, evaluator=TABLE, run=folder, from_run=earlier)
    execute(prepared, watch=watch)
    return evonas.load(folder, Toy())


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("earlier") / "run"
    run(folder, None, more=32)
    return folder


def reused(found: evonas.Run) -> pd.DataFrame:
    return found.evaluations[found.evaluations["conditions"].map(lambda own: "from" in own)]


def by_network(frame: pd.DataFrame, columns: list[str]) -> dict[str, Any]:
    return {row["arch_hash"]: [row[name] for name in columns] for row in frame.to_dict("records")}


@pytest.mark.parametrize("changes", [LIMITED, ANOTHER, {"seed": 8}], ids=["limit", "objective", "seed"])
def test_what_is_known_is_not_evaluated_again(changes: dict[str, Any], earlier: Path, tmp_path: Path) -> None:
    found, then = run(tmp_path / "run", earlier, **changes), evonas.load(earlier, Toy())
    taken = reused(found)
    there = by_network(then.evaluations, ["params", "macs", "seed"])
    assert by_network(taken, ["params", "macs", "seed"]).items() <= there.items()
    assert len(found.evaluations) - len(taken) == 12, "the budget is of what is evaluated here"
    assert set(found.evaluations["arch_hash"]) >= set(there), "every row was taken over or goes on"
    assert found.evaluations["arch_hash"].is_unique
    assert found.verify().difference == ""
    assert taken["train_s"].sum() == 0


def test_a_limit_makes_of_rows_what_it_would_have_made_of_them(earlier: Path, tmp_path: Path) -> None:
    taken = reused(run(tmp_path / "run", earlier, **LIMITED))
    over = taken[taken["params"] > 25]
    assert len(over) > 3
    assert set(over["status"]) == {"infeasible"}
    assert over["error"].isna().all()
    assert (taken[taken["params"] <= 25]["status"] != "infeasible").all()


def test_whom_another_objective_would_not_have_stopped_trains_on(earlier: Path, tmp_path: Path) -> None:
    then = evonas.load(earlier, Toy()).evaluations
    found = run(tmp_path / "run", earlier, **ANOTHER).evaluations
    stopped = set(then[then["status"] == "stopped"]["arch_hash"])
    there = found[found["arch_hash"].isin(stopped)]
    assert "ok" in set(there["status"]) <= {"ok", "stopped"}
    rungs = dict(zip(then["arch_hash"], then["rungs"].map(len), strict=True))
    own = there[there["status"] == "ok"]
    assert (own["rungs"].map(len) > own["arch_hash"].map(rungs)).all()
    assert not own["conditions"].map(lambda conditions: "from" in conditions).any(), "it was evaluated here"


@pytest.mark.parametrize(
    "mode", ["window", *(pytest.param(mode, marks=pytest.mark.slow) for mode in ("async", "generation"))]
)
def test_interrupted_and_without_the_earlier_run_it_goes_on_as_the_same(
    mode: str, earlier: Path, tmp_path: Path
) -> None:
    changes = {**ANOTHER, "schedule": {"mode": mode}}
    copy = Path(shutil.copytree(earlier, tmp_path / "copy"))
    whole = run(tmp_path / "whole", copy, **changes)
    for count in (1, 9, len(whole.evaluations) - 12, len(whole.evaluations) - 2):
        with pytest.raises(Stop):
            run(tmp_path / "parts", copy, stopping_after(count), **changes)
        shutil.rmtree(copy, ignore_errors=True)
    parts = run(tmp_path / "parts", copy, **changes)
    assert content(parts) == content(whole)
    assert populations(parts) == populations(whole)
    assert parts.verify().difference == ""


def test_a_larger_budget_extends_it(earlier: Path, tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", earlier, more=14)
    run(tmp_path / "run", earlier, more=5)
    assert content(run(tmp_path / "run", earlier, more=14)) == content(whole)


def test_a_run_that_has_reused_is_reused(earlier: Path, tmp_path: Path) -> None:
    second = run(tmp_path / "second", earlier, **LIMITED)
    third = run(tmp_path / "third", tmp_path / "second", **ANOTHER)
    assert set(second.evaluations[second.evaluations["status"] != "infeasible"]["arch_hash"]) <= set(
        third.evaluations["arch_hash"]
    )
    assert third.verify().difference == ""


def test_verify_finds_what_was_not_taken_over_so(
    earlier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def better(job: Job, founder: Founder, objectives: Objectives) -> Any:
        known, left = taken_over(job, founder, objectives)
        if job.candidate.index != 2 or left:
            return known, left
        [evaluation] = known
        assert isinstance(evaluation, Evaluation)
        *others, last = evaluation.rungs
        metrics = {**last.metrics, "error": 1e-9}
        return [
            Evaluation(evaluation.candidate, Status.OK, metrics, evaluation.curve, (*others, RungReport(2, 2, metrics)))
        ], None

    monkeypatch.setattr("evonas.driver.loop.taken_over", better)
    found = run(tmp_path / "run", earlier)
    assert found.verify().difference.startswith("candidate 2: metrics is not what reused.parquet has")


def test_what_it_reuses_is_part_of_the_record(earlier: Path, tmp_path: Path) -> None:
    run(tmp_path / "run", earlier, more=2)
    file = tmp_path / "run" / "reused.parquet"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(UserError, match=r"reused\.parquet is damaged: its SHA-256"):
        evonas.load(tmp_path / "run", Toy()).verify()
    file.unlink()
    with pytest.raises(UserError, match=r"reused\.parquet is missing"):
        run(tmp_path / "run", earlier, more=3)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"training": {"epochs": 10}}, r"another training: training\.epochs is 9 there, 10 here; .*--founders"),
        ({"training": {"rungs": [1, 4]}}, r"another training: training\.rungs is \[1, 3\] there"),
        ({"learner": {"kind": "none"}}, r"another learner: learner\.kind is scratch there, none here"),
    ],
)
def test_what_means_something_else_is_refused(
    changes: dict[str, Any], says: str, earlier: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=rf"{earlier} cannot be re-used: it has {says}"):
        run(tmp_path / "run", earlier, **changes)
    assert not (tmp_path / "run").exists()


class Other(Toy):
    extra = evonas.Choice(1, 2)


def test_other_genes_another_evaluator_and_other_folders_are_refused(earlier: Path, tmp_path: Path) -> None:
    settings = config().model_dump(mode="json", by_alias=True)
    given: dict[str, Any] = {"task": SPEC, "run": tmp_path / "run", "from_run": earlier}
    with pytest.raises(UserError, match=r"it has other genes: space is Toy\(.* there, Other\("):
        prepare(settings, space=Other(), evaluator=TABLE, **given)
    with pytest.raises(UserError, match=r"another evaluator: evaluator is Tabular there, partial_like here"):
        prepare(settings, space=Toy(), evaluator=partial_like, **given)
    other = replace(SPEC, output_shape=(11,))
    with pytest.raises(UserError, match=r"another task: task: output_shape is \[10\] there, \[11\] here"):
        prepare(settings, space=Toy(), evaluator=TABLE, **{**given, "task": other})
    with pytest.raises(UserError, match=r"is not a run folder"):
        run(tmp_path / "run", tmp_path / "nowhere")


def partial_like(*args: Any) -> Any: ...


def test_a_run_is_not_taken_over_by_itself(earlier: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(earlier)
    parts = assemble(config(), Toy(), SPEC, TABLE)
    with pytest.raises(UserError, match=r"is the run itself; a larger budget goes on in it: evonas resume .*budget"):
        reuse(tmp_path / "link", open_folder(earlier), parts)


def test_the_line_that_began_it_goes_on_with_it_and_no_other(earlier: Path, tmp_path: Path) -> None:
    run(tmp_path / "run", earlier, more=2)
    run(tmp_path / "plain", None, more=2)
    for folder, source, says in (
        ("run", None, rf"was begun with --from {earlier}: give it again, or .* evonas resume"),
        ("run", tmp_path / "plain", rf"was begun with --from {earlier}, not "),
        ("plain", earlier, "was begun without --from: leave it out, or give another --run"),
    ):
        with pytest.raises(UserError, match=says):
            run(tmp_path / folder, source, more=2)


def test_a_target_that_was_not_there_leaves_the_front_to_be_evaluated_anew(earlier: Path, tmp_path: Path) -> None:
    targets = {"targets": {"board": {}}, "record": ["latency_ms[board]"]}
    settings = config(**targets).model_dump(mode="json", by_alias=True)
    table = Tabular(error, lambda genome: {**costs(genome), "latency_ms[board]": 1.0})
    prepared = prepare(settings, space=Toy(), task=SPEC, evaluator=table, run=tmp_path / "run", from_run=earlier)
    front = evonas.load(earlier, Toy()).front()
    assert prepared.notes == (
        f"0 of 32 evaluations of {earlier} are re-used; not: 32 lack latency_ms[board] (nothing was measured on board "
        "there)",
        f"{len(front)} networks of its front cannot be taken over and come first, to be evaluated anew",
    )
    execute(prepared, watch=quiet)
    found = evonas.load(tmp_path / "run", Toy())
    first = found.evaluations[: len(front)]
    assert first["arch_hash"].tolist() == front["arch_hash"].tolist()
    assert set(first["operator"]) == {"founder"}
    assert len(found.evaluations) == 40
    assert found.verify().difference == ""


def test_failures_are_left_out_and_said(tmp_path: Path) -> None:
    def failing(genome: Any, epochs: int) -> dict[str, float]:
        if sum(genome) % 3 == 0:
            raise ValueError("no")
        return error(genome, epochs)

    settings = config(budget={"evaluations": 16, "same_failure": 1}).model_dump(mode="json", by_alias=True)
    given: dict[str, Any] = {"space": Toy(), "task": SPEC}
    execute(prepare(settings, evaluator=Tabular(failing, costs), run=tmp_path / "first", **given), watch=quiet)
    failed = evonas.load(tmp_path / "first", Toy()).evaluations["status"].str.startswith("failed").sum()
    again = prepare(settings, evaluator=TABLE, run=tmp_path / "run", from_run=tmp_path / "first", **given)
    assert failed > 2
    assert again.notes[0].endswith(f"; not: {failed} failed")


def test_known_architectures_come_first(tmp_path: Path) -> None:
    known = [Toy().decode((2, *(0,) * 9)), Toy().decode((1, *(0,) * 9)), Toy().decode((2, *(0,) * 9))]
    (tmp_path / "known.json").write_text(json.dumps([arch.to_dict() for arch in known]))
    settings = config(budget={"evaluations": 6}).model_dump(mode="json", by_alias=True)
    given: dict[str, Any] = {"space": Toy(), "task": SPEC, "evaluator": TABLE, "progress": False}
    found = evonas.search(settings, run=tmp_path / "run", founders=tmp_path / "known.json", **given)
    assert found.evaluations["genome"].map(tuple).tolist()[:2] == [(2, *(0,) * 9), (1, *(0,) * 9)]
    operators = found.evaluations["operator"].tolist()
    assert operators[:4] == ["founder"] * 2 + ["random"] * 2
    assert "founder" not in operators[2:]
    assert found.verify().difference == ""
    same = evonas.search(settings, run=tmp_path / "same", founders=known, **given)
    assert content(same) == content(found)
    front = evonas.search(settings, run=tmp_path / "front", founders=tmp_path / "run", **given)
    assert set(found.front()["arch_hash"]) == set(front.evaluations["arch_hash"][: len(found.front())])
    with pytest.raises(UserError, match=r"holds another search: founders is \[.* there, \[\] here"):
        evonas.search(settings, run=tmp_path / "run", **given)
    execute(prepare_again_toy(tmp_path / "run"), watch=quiet)


def prepare_again_toy(folder: Path) -> Any:
    settings = evonas.load(folder).description["config"]
    settings = {**settings, "budget": {**settings["budget"], "evaluations": 8}}
    return prepare(settings, space=Toy(), task=SPEC, evaluator=TABLE, run=folder)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[{"stem": 8}]', r"founders: .*known\.json: entry 0: .*blocks"),
        ('[{"stem": 9, "blocks": []}]', r"founders: .*known\.json: entry 0: stem"),
        ('[{"stem": 8, "colour": 1, "blocks": []}]', r"founders: .*known\.json: entry 0: .*colour"),
        ('[{"candidate": 3, "arch": "stem"}]', r"founders: .*: entry 0 is 'stem', not a section of genes"),
        ('{"stem": 8}', r"founders: .* holds dict, not a list of architectures, each as in the column arch"),
        ("[3]", r"founders: .*: entry 0 is 3, not a section of genes"),
        ("[", r"founders: .* is neither JSON nor YAML nor Parquet"),
        ("PAR1", r"founders: .* is neither JSON nor YAML nor Parquet"),
        (None, r"founders: there is no file or run .*known\.json"),
    ],
)
def test_founders_that_are_none(text: str | None, says: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "known.json").write_text(text)
    settings = config().model_dump(mode="json", by_alias=True)
    with pytest.raises(UserError, match=says) as raised:
        prepare(settings, space=Toy(), task=SPEC, evaluator=TABLE, run=tmp_path / "r", founders=tmp_path / "known.json")
    assert "\n" not in str(raised.value)


def test_a_stopped_founder_goes_on_from_its_rung_where_its_cutoff_is_passed() -> None:
    candidate = Candidate(0, (0,), (), "from", 0, 5)
    metrics = {"error": 0.5, "params": 10.0}
    known = Evaluation(candidate, Status.STOPPED, metrics, rungs=(RungReport(0, 0, metrics),))
    founder, objectives = Founder((0,), "from", known), Objectives(config(), SPEC)
    better, worse = Fitness(1, 0, (0.4, 9.0)), Fitness(1, 0, (0.6, 9.0))
    assert taken_over(Job(candidate, ((better,), (better,))), founder, objectives) == ([known], None)
    heard, left = taken_over(Job(candidate, ((worse,), (better,))), founder, objectives)
    assert (heard, left) == ([*known.rungs], Job(candidate, ((), (better,)), reached=tuple(known.rungs)))
    assert left is not None
    later = Job(candidate, ((worse,), (better,)), reached=(*known.rungs, RungReport(0, 1, metrics)))
    assert taken_over(later, founder, objectives)[0] == []


def test_latencies_of_another_device_or_target_are_not_the_same(tmp_path: Path) -> None:
    targets = {"targets": {"cpu": {}}, "record": ["latency_ms[cpu]"]}
    given: dict[str, Any] = {"space": Toy(), "task": SPEC}

    def prepared(folder: str, source: str | None, device: str = "cpu of then", **target: Any) -> Any:
        settings = config(**{**targets, "targets": {"cpu": target}}, budget={"evaluations": 4})
        plain = settings.model_dump(mode="json", by_alias=True)
        earlier = tmp_path / source if source else None
        work = partial(OnDevice, device)
        return prepare(plain, evaluator=work, run=tmp_path / folder, from_run=earlier, **given)

    execute(prepared("here", None, devices.cpu()), watch=quiet)
    execute(prepared("there", None), watch=quiet)
    assert prepared("run", "here", max_remeasurements=0).notes[0].startswith("4 of 4 evaluations")
    assert (
        f"not: 4 lack latency_ms[cpu] (cpu is cpu of then there, {devices.cpu()} here)"
        in prepared("a", "there").notes[0]
    )
    assert "(target cpu: batch is 1 there, 8 here)" in prepared("b", "here", batch=8).notes[0]


@dataclass
class OnDevice:
    device: str
    space: Space
    config: Config
    objectives: Objectives

    def __call__(self, job: Job) -> Iterator[Any]:
        table = Tabular(error, lambda genome: {**costs(genome), "latency_ms[cpu]": 1.0})
        for message in table(self.space, self.config, self.objectives)(job):
            here = {"device[cpu]": self.device}
            yield replace(message, conditions=here) if isinstance(message, Evaluation) else message


def test_a_printed_front_has_the_architecture_of_each_row(earlier: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["front", str(earlier), "--format", "json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    front = evonas.load(earlier, Toy()).front()
    assert [row["arch"] for row in printed] == front["arch"].map(json.loads).tolist()
    assert architectures(printed) == architectures(front.to_dict("records"))
