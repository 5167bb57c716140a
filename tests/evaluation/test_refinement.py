"""A latency that was screened is measured on where something depends on it, until it does not any more. By hand."""

from collections.abc import Mapping
from typing import Any

import pytest
from torch import nn

from evonas.evaluation.draft import Draft
from evonas.evaluation.refinement import Refinement
from evonas.evaluation.targets import Targets
from evonas.measuring.interleaved_timing import Enough
from evonas.objectives.objectives import Objectives
from evonas.records import Candidate, Fitness, Job, Measurement
from tests.evaluation.small import ConvNets, bars_task, config

TARGETS = {"cpu": {"max_seconds": 1.0}}
OBJECTIVES = [{"metric": "error"}, {"metric": "latency_ms", "target": "cpu"}]


class Device:
    """Finds 1 ms, each time within half of the interval before, until that is enough or 1 %."""

    def __init__(self, fails: bool = False) -> None:
        self.lengths: list[int] = []
        self._fails = fails

    def measure(
        self, name: str, network: nn.Module, genome: Any, endpoints: Any, screen: bool = False, *, enough: Enough
    ) -> Measurement:
        if self._fails:
            raise RuntimeError("no more")
        half, looks = 0.5, 0
        while half > 0.01 and not enough(1 - half, 1 + half):
            half, looks = half / 2, looks + 1
        self.lengths.append(looks)
        until = {"until": "decided"} if half > 0.01 else {}
        return Measurement(1.0, 1 - half, 1 + half, 1, 1, 1, 0, (1.0,), half <= 0.01, conditions=until)

    def metrics(self, name: str, found: Measurement) -> dict[str, float]:
        return latency(found.ms, found.ms - found.low)


class Builder:
    def untrained(self, genome: Any) -> nn.Module:
        return nn.Identity()


def latency(ms: float, half: float) -> dict[str, float]:
    return {
        "latency_ms[cpu]": ms,
        "latency_low_ms[cpu]": ms - half,
        "latency_high_ms[cpu]": ms + half,
        "examples_per_s[cpu]": 1e3 / ms,
    }


def refinement(device: Device, limits: tuple[Mapping[str, Any], ...] = ()) -> Refinement:
    own = config(objectives=OBJECTIVES, targets=TARGETS, limits=list(limits))
    return Refinement(Objectives(own, bars_task(n=4).spec), device, Builder())  # type: ignore[arg-type]


def job() -> Job:
    return Job(Candidate(9, (9,), (), "random", 0, 0))


def draft(half: float = 0.3) -> Draft:
    found = Draft([])
    found.take(
        "cpu", latency(1.0, half), Measurement(1, 1, 1, 1, 1, 1, 0, (1.0,), False, conditions={"until": "first"})
    )
    return found


@pytest.mark.parametrize(
    ("metric", "bound", "looks"),
    [
        ({"metric": "latency_ms", "at_most": 2.0}, 2.0, []),
        ({"metric": "latency_ms", "at_most": 1.2}, 1.2, [2]),  # 1 +- 0.125 is within it
        ({"metric": "latency_ms", "at_most": 1.0}, 1.0, [6]),  # to the end
        ({"metric": "examples_per_s", "at_least": 400}, 400, []),
        ({"metric": "examples_per_s", "at_least": 900}, 900, [3]),  # 1.11 ms: 1 +- 0.0625
    ],
)
def test_a_limit_within_the_interval(metric: dict[str, Any], bound: float, looks: list[int]) -> None:
    device, own = Device(), draft()
    refinement(device, ({**metric, "target": "cpu"},)).at_limits(nn.Identity(), job(), own, "cpu")
    assert device.lengths == looks
    assert ("cpu" in own.screened) is (looks != [6])


@pytest.mark.parametrize(
    ("cutoff", "looks"),
    [
        ((0.1, 0.5), []),  # better, wherever the latency is
        ((0.3, 0.9), []),  # less accurate than the candidate
        ((0.1, 0.9), [3]),  # 1 +- 0.0625 is slower
        ((0.1, 1.1), [3]),  # and here faster
        ((0.1, 1.0), [6]),
    ],
)
def test_a_rung_that_the_interval_decides(cutoff: tuple[float, float], looks: list[int]) -> None:
    device, own = Device(), draft()
    refinement(device).at_rung(job(), own, {"error": 0.2}, [Fitness(0, 0, cutoff, 0.0)])
    assert device.lengths == looks


def test_where_it_fails_what_is_known_stands() -> None:
    own = draft()
    refinement(Device(fails=True)).at_rung(job(), own, {"error": 0.2}, [Fitness(0, 0, (0.1, 1.0), 0.0)])
    assert own.metrics["latency_high_ms[cpu]"] == 1.3
    assert own.message.startswith("not measured again: RuntimeError: no more")


def test_what_was_measured_to_the_end_is_not_again() -> None:
    device, own = Device(), Draft([])
    own.take("cpu", latency(1.0, 0.3), Measurement(1, 1, 1, 1, 1, 1, 0, (1.0,), False))
    refinement(device).at_rung(job(), own, {"error": 0.2}, [Fitness(0, 0, (0.1, 1.0), 0.0)])
    assert device.lengths == []


@pytest.mark.parametrize(("metric", "screens"), [("latency_ms", True), ("latency_p90_ms", False)])
def test_what_has_no_interval_is_measured_to_the_end_at_once(metric: str, screens: bool) -> None:
    own = config(objectives=[{"metric": "error"}, {"metric": metric, "target": "cpu"}], targets=TARGETS)
    task = bars_task(n=4)
    targets = Targets(ConvNets(), own, Objectives(own, task.spec), {}, None, task.spec.input)  # type: ignore[arg-type]
    assert targets.screens("cpu") is screens
