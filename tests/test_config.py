"""A wrong config is one line that names the key and the nearest right thing."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from evonas.commands.schema import schema
from evonas.config import Config
from evonas.config.loading import load_config
from evonas.errors import UserError
from evonas.objectives.metrics import MEASURED, METRICS
from evonas.objectives.objectives import Objectives
from evonas.records import InputSpec, TaskSpec

CONFIGS = Path(__file__).parents[1] / "configs"
MINIMAL: dict[str, Any] = {
    "space": {"kind": "cell"},
    "task": {"kind": "digits"},
    "objectives": [{"metric": "error"}],
    "budget": {"evaluations": 1},
}


def wrong(*overrides: str) -> str:
    with pytest.raises(UserError) as caught:
        load_config(MINIMAL, overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_our_configs_are_right(path: Path) -> None:
    config = load_config(path)
    own = [each.metric for each in config.objectives if each.metric not in (*METRICS, *MEASURED)]
    Objectives(config, TaskSpec("any", InputSpec((1, 8, 8)), (10,), dict.fromkeys(own, "minimize")))


def test_custom_yaml_shows_every_key() -> None:
    text = (CONFIGS / "custom.yaml").read_text()
    model = Config.model_json_schema()
    for name, section in model["$defs"].items():
        if name not in {"PartConfig"}:
            missing = [key for key in section["properties"] if f"{key}:" not in text]
            assert missing in ([], ["at_least"], ["evaluations", "hours", "gpu_hours"], ["hours", "gpu_hours"]), name


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("stratgy={}", "unknown 'stratgy'; did you mean 'strategy'?"),
        ("training.epoch=3", "training: unknown 'epoch'; did you mean 'epochs'?"),
        ("training.augment.flips=true", "unknown 'flips'; did you mean 'flip'?"),
        ("training.epochs=0", "training.epochs: input should be greater than or equal to 1, not 0"),
        (
            "training.rungs=[9]",
            "rungs is [9]; it must ascend and lie between 0, which is before training, and epochs - 1 = 7, e.g.",
        ),
        ("training={epochs: 4, rungs: [2, 1, 9]}", "e.g. training.rungs=[1, 2]"),
        ("training={epochs: 1, rungs: [2]}", "it is for trainings of 2 epochs or more, e.g. training.rungs=[]"),
        ("schedule.mode=no", "not False (quote it: YAML reads no and off as false)"),
        ("budget={gpu_hours: 1}", "config: budget.gpu_hours is never used up"),
        ("targets.cpu.screen=true", "config: targets.cpu.screen: takes a number, not true"),
        ("runtime.prices={m7i.xlarge: dear}", "config: runtime.prices.m7i.xlarge: takes a number, not 'dear'"),
        ("runtime.prices={a: true}", "config: runtime.prices: a: takes a number, not true"),
        ("training.rungs=[true]", "config: training.rungs: takes a number, not true"),
        ("schedule.mode=fast", "schedule.mode: input should be 'window', 'async' or 'generation', not 'fast'"),
        ("budget={}", "a budget needs evaluations, trained, hours, gpu_hours or usd"),
        ("objectives=[]", "objectives"),
        ("limits=[{metric: params}]", "a limit takes exactly one of at_most, at_least"),
        ("runtime.gpus_per_worker=0.00005", "a share of a GPU from 0.0001, the least that Ray counts, to 1, not 5e-05"),
        (
            "runtime.cpus_per_worker=0.00009",
            "takes 0, or 0.0001 and more, which is the least that Ray counts, not 9e-05",
        ),
        ("targets.cpu.device=tpu", "targets.cpu.device"),
        ("seed=-1", "seed"),
        ("space.kind=no", "config: space.kind: quote it: YAML reads no and off as false"),
        (
            "objectives=[{metric: latency_ms, target: on}]",
            "objectives.0.target: quote it: YAML reads yes and on as true",
        ),
        ("targets={no: {}}", "config: targets: quote it: YAML reads no and off as false"),
        (
            "budget={evaluations: 2, hours: 1, evaluations: 3}",
            "evaluations is given twice, in line 1; keep one of them",
        ),
        ("objectives.1.metric=params", "objectives is a list, and has entries objectives.0 to objectives.0"),
        ("objectives.first.metric=params", "objectives is a list, and has entries objectives.0 to objectives.0"),
        ("objectives.0.metric.x=params", "objectives.0.metric is not a section"),
    ],
)
def test_a_wrong_value(override: str, says: str) -> None:
    assert says in wrong(override)


def test_members_of_a_union_are_one_problem() -> None:
    for prices, others in (("{a: x}", ""), ("5", ""), ("{a: x, b: y}", " (and 1 more)")):
        said = wrong(f"runtime.prices={prices}")
        assert (said.partition(" (and ")[2] != "") == bool(others), said
        assert said.endswith(others)


def test_all_keys_that_are_missing_are_named() -> None:
    with pytest.raises(UserError, match=r"objectives, budget: required$"):
        load_config({"space": {"kind": "mlp"}, "task": {"kind": "digits"}})


def test_an_entry_of_a_list_can_be_set() -> None:
    given = {**MINIMAL, "objectives": ({"metric": "error"}, {"metric": "macs"})}
    config = load_config(given, ["objectives.1.metric=params"])
    assert [objective.metric for objective in config.objectives] == ["error", "params"]
    assert given["objectives"][1] == {"metric": "macs"}, "what was given is as it was"


def test_a_key_that_stands_twice_is_named_with_its_lines(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    base = "base: &base {kind: x}\nseed: 0\nbudget:\n  evaluations: 2\ntask: {<<: *base, <<: *base, kind: digits}\n"
    file.write_text(f"{base}budget: {{evaluations: 3}}\n")
    with pytest.raises(UserError) as caught:
        load_config(file)
    assert str(caught.value) == f"config: {file}: budget is given twice, in lines 3 and 6; keep one of them"


def test_a_wrong_override() -> None:
    assert wrong("epochs").startswith("--set takes KEY=VALUE")
    assert "kind is not a section" in wrong("space.kind.x=1")


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["objectives=[{metric: eror}]"], "objectives.0.metric: unknown 'eror'; did you mean 'error'?"),
        (["objectives=[{metric: latency_ms}]"], "latency_ms needs a target"),
        (["objectives=[{metric: latency_ms, target: phone}]", "targets.cpu={}"], "unknown 'phone' (known: cpu)"),
        (["objectives=[{metric: params, target: cpu}]"], "params does not depend on a target; remove it"),
        (["objectives=[{metric: error}, {metric: error}]"], "names a metric twice"),
    ],
)
def test_wrong_objectives(overrides: list[str], says: str) -> None:
    with pytest.raises(UserError) as caught:
        Objectives(load_config(MINIMAL, overrides), TaskSpec("digits", InputSpec((1, 8, 8)), (10,)))
    assert says in str(caught.value)


@pytest.mark.parametrize("gpus", [2, 8.0, 1.5])
def test_a_worker_has_one_gpu_at_most(gpus: float) -> None:
    assert wrong(f"runtime.gpus_per_worker={gpus}").endswith("trains on one GPU: for more GPUs take more workers")
    assert load_config(MINIMAL, ["runtime.gpus_per_worker=1"]).runtime.gpus_per_worker == 1


@pytest.mark.parametrize("share", [0, 0.0001])
def test_a_worker_takes_nothing_or_what_ray_can_count(share: float) -> None:
    runtime = load_config(MINIMAL, [f"runtime.{kind}_per_worker={share}" for kind in ("cpus", "gpus")]).runtime
    assert (runtime.cpus_per_worker, runtime.gpus_at_first) == (share, share)


def test_a_missing_and_a_broken_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file"):
        load_config(tmp_path / "none.yaml")
    (tmp_path / "broken.yaml").write_text("a: [1")
    with pytest.raises(UserError, match="is not YAML"):
        load_config(tmp_path / "broken.yaml")
    (tmp_path / "list.yaml").write_text("- 1")
    with pytest.raises(UserError, match="must hold sections"):
        load_config(tmp_path / "list.yaml")


def test_the_fingerprint_is_of_the_search_and_not_of_where_it_runs() -> None:
    plain = load_config(MINIMAL)
    assert plain.fingerprint == load_config(MINIMAL, ["runtime.workers=7", "budget.hours=2"]).fingerprint
    assert plain.fingerprint != load_config(MINIMAL, ["training.epochs=9"]).fingerprint


def test_a_maximised_metric_is_turned_round() -> None:
    spec = TaskSpec("any", InputSpec((1,)), (1,), {"accuracy": "maximize"})
    config = load_config({**MINIMAL, "objectives": [{"metric": "accuracy"}, {"metric": "params"}]})
    objectives = Objectives(config, spec)
    from evonas.records import RungReport

    fitness = objectives.fitness(RungReport(0, 0, {"accuracy": 0.9, "params": 5.0}))
    assert fitness.values == (-0.9, 5.0)


def test_the_published_schema_is_this_one(binaries: Path) -> None:
    published = json.loads((CONFIGS / "config.schema.json").read_text())
    command = [binaries / "evonas", "schema"]  # not here, where other tests may have registered kinds
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert published == json.loads(printed), "run: evonas schema > configs/config.schema.json"


def test_the_schema_takes_our_configs_and_no_others() -> None:
    import jsonschema
    import yaml

    validator = jsonschema.Draft202012Validator(schema())
    for path in CONFIGS.glob("*.yaml"):
        validator.validate(yaml.safe_load(path.read_text()))
    validator.validate({**MINIMAL, "space": {"kind": "my_own", "anything": 1}})
    for section in ({"kind": "cell", "nods": 4}, {"kind": "cell", "nodes": "four"}, {}):
        assert not validator.is_valid({**MINIMAL, "space": section})


def test_a_board_may_move_without_becoming_another_search() -> None:
    def config(**target: object) -> Config:
        objectives = [{"metric": "error"}, {"metric": "latency_ms", "target": "board"}]
        return load_config({**MINIMAL, "objectives": objectives, "targets": {"board": target}})

    there, moved = config(address="http://10.0.0.1:7071"), config(address="http://10.0.0.2:7071", timeout_s=90)
    assert there.fingerprint == moved.fingerprint == config(resource="board").fingerprint
    assert there.fingerprint != config(address="http://10.0.0.1:7071", threads=2).fingerprint


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ({"address": "http://a:1", "resource": "b"}, "at an address or at a resource of the cluster, not both"),
        ({"address": "10.0.0.1:7071"}, "targets.board.address"),
        ({"address": "http://a:1", "max_seconds": 60}, "max_seconds must be below timeout_s, which is 60"),
        ({"graph": True}, "graph is for backend torch on cuda"),
        ({"samples": 100}, "unknown 'samples'"),
        (
            {"backend": "remote"},
            "a backend says what runs the network, e.g. onnxruntime; where it runs, address or resource",
        ),
    ],
)
def test_targets_that_cannot_be(target: dict[str, object], says: str) -> None:
    objectives = [{"metric": "latency_ms", "target": "board"}]
    with pytest.raises(UserError, match=re.escape(says)):
        load_config({**MINIMAL, "objectives": objectives, "targets": {"board": target}})
