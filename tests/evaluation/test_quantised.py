"""A target of dtype int8: its latency is that of 8 bits, and the task's metrics there are known behind training."""

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import torch

from evonas.config.loading import load_config
from evonas.errors import UserError
from evonas.evaluation import Evaluator, quantised
from evonas.measuring.backends.export import to_file
from evonas.measuring.backends.running import RUNNERS
from evonas.objectives.objectives import Objectives
from evonas.records import Evaluation, RungReport, Status, TaskSpec
from evonas.tasks.shipped import Shipped, preparation
from tests.evaluation.small import ConvNets, bars_task, config, evaluator, job, run

pytest.importorskip("onnxruntime")
LIBRARY = {"onnxruntime": "onnxruntime", "executorch": "executorch", "litert": "litert_torch"}


def int8(backend: str = "onnxruntime", **target: Any) -> Evaluator:
    sections: dict[str, Any] = {
        "objectives": [{"metric": "error", "target": "pi"}, {"metric": "params"}],
        "record": ["size_mb[pi]"],
        "targets": {"pi": {"backend": backend, "dtype": "int8", "max_seconds": 0.2, **target}},
    }
    return evaluator(ConvNets(), bars_task(), config({"epochs": 2, "rungs": [1]}, **sections))


def evaluated(evaluate: Evaluator) -> tuple[list[RungReport], Evaluation]:
    passed, last = run(evaluate, job())
    assert last.status is Status.OK, last.message
    return passed, last


@pytest.mark.parametrize("includes", ["prepare", "network"])
def test_the_error_in_8_bits_is_that_of_the_quantised_file(includes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known by hand: the same weights, quantised by the same examples, over all validation examples one by one."""
    evaluate, seen = int8(includes=includes, batch=5), list[bytes]()

    def kept(*arguments: Any) -> bytes:
        seen.append(to_file(*arguments))
        return seen[-1]

    monkeypatch.setattr(quantised, "to_file", kept)
    passed, last = evaluated(evaluate)
    valid = evaluate.task.splits.valid
    x = valid.x if includes == "prepare" else evaluate.task.prepare(torch.from_numpy(np.array(valid.x))).numpy()
    for file, found in zip(seen, (passed[0], last), strict=True):  # at the rung, since it decides, and at the end
        run_file = RUNNERS["onnxruntime"](file, 1)
        each = [run_file(np.resize(x[i], (5, *x.shape[1:])))[0] for i in range(len(x))]
        assert found.metrics["error[pi]"] == pytest.approx(float((np.argmax(each, 1) != valid.y).mean()))
        assert b"QuantizeLinear" in file
    assert last.conditions["judged_by[pi]"] == f"{len(valid)} of {len(valid)}"
    assert last.conditions["dtype[pi]"] == "int8"
    assert last.metrics["size_mb[pi]"] > 0


def test_a_large_validation_part_is_sampled_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantised, "JUDGED_BY", 10)
    monkeypatch.setattr(quantised, "CALIBRATED_BY", 7)
    _, last = evaluated(int8(batch=4))
    assert last.metrics["error[pi]"] * 10 == pytest.approx(round(last.metrics["error[pi]"] * 10))
    assert last.conditions["judged_by[pi]"].startswith("10 of ")
    assert last.conditions["calibrated_by[pi]"].startswith("7 of ")


def test_a_network_that_has_no_8_bits_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(file: bytes, threads: int) -> Any:
        raise ValueError("no kernel for aten::sort")

    monkeypatch.setitem(quantised.RUNNERS, "onnxruntime", refused)  # type: ignore[attr-defined]
    _, last = run(int8(), job())
    assert (last.status, "no kernel for aten::sort" in last.message) == (Status.FAILED_ERROR, True)


def test_what_is_judged_on_no_target_of_8_bits_is_refused() -> None:
    def named(*overrides: str) -> Objectives:
        base = ["space.kind=cell", "task.kind=digits", "targets={pi: {backend: onnxruntime, dtype: int8}, pc: {}}"]
        return Objectives(load_config("configs/digits.yaml", [*base, *overrides]), TaskSpec("t", ConvNets, (2,)))  # type: ignore[arg-type]

    limits = "limits=[{metric: params, at_most: 9}]"
    for target, says in (
        ("pc", r"^objectives\.0\.target: error does not depend on a target of float32; remove it, or give"),
        ("pj", r"^objectives\.0\.target: unknown .*pj.*pi"),
    ):
        with pytest.raises(UserError, match=says):
            named(limits, f"objectives=[{{metric: error, target: {target}}}]")
    found = named("limits=[{metric: error, target: pi, at_most: 0.5}]", "objectives=[{metric: error}]")
    assert (found.judged["pi"], "error[pi]" in found.metrics, found.needs_training) == (("error",), True, ["error"])
    assert not found.over_limits({"error[pi]": 0.9, "params": 1.0})  # known behind training, it stops none before


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["executorch", "litert"])
def test_8_bits_of_other_runtimes(backend: str) -> None:
    if find_spec(LIBRARY[backend]) is None:
        pytest.skip(f"needs the extra {backend}")
    _, last = evaluated(int8(backend, batch=8))
    assert abs(last.metrics["error[pi]"] - last.metrics["error"]) < 0.3
    assert last.metrics["latency_ms[pi]"] > 0


def test_calibration_is_of_training_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    task, given = bars_task(), list[Any]()
    monkeypatch.setattr(quantised, "to_file", lambda *all_of: (given.append(all_of), to_file(*all_of))[1])
    evaluated(int8(batch=16))
    whole, inputs, _, batches = given[0]
    assert isinstance(whole, Shipped)
    assert inputs == preparation(task).inputs
    rows = {row.tobytes() for row in np.asarray(task.splits.train.x)}
    assert all(example.tobytes() in rows for batch in batches for example in batch)
