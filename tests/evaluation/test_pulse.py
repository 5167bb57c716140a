"""Signs of life of a training on a GPU, and how long there may be none."""

import math
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from evonas.evaluation import Evaluator
from evonas.evaluation.draft import Draft
from evonas.evaluation.gpu.pulse import LEAST_S, Pulse
from evonas.evaluation.learners import TrainingSetup
from evonas.ipc import heartbeat
from evonas.objectives.objectives import Objectives
from evonas.records import Candidate, Epoch
from evonas.runtime.sandbox.silence import LOOK_S, Silence
from tests.evaluation.small import ConvNets, bars_task, config, conv_net, job


class Heard:
    """Who hears the beats, with a clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.beats: list[tuple[float, float]] = []

    def beat(self, silence_s: float, epoch_s: float) -> None:
        self.beats.append((silence_s, epoch_s))

    def pulse(self, watched: bool = True) -> Pulse:
        return Pulse(watched, self.beat, lambda: self.now)

    def epoch(self, pulse: Pulse, seconds: float, steps: int = 4) -> None:
        pulse.begin()
        for _ in range(steps):
            self.now += seconds / steps
            pulse.step()
        pulse.end()


def test_the_first_epoch_says_how_long_a_silence_may_be_and_steps_are_told_once_a_second() -> None:
    heard = Heard()
    pulse = heard.pulse()
    heard.epoch(pulse, 40.0)
    assert not heard.beats
    heard.epoch(pulse, 64.0, steps=128)
    assert heard.beats == [(400.0, 40.0)] * 65 + [(math.inf, 40.0)], "what comes behind an epoch may take its time"
    pulse.begin()
    assert heard.beats[-1] == (640.0, 64.0)


def test_a_silence_of_two_minutes_is_allowed_always_for_a_measurement_may_take_one() -> None:
    heard = Heard()
    pulse = heard.pulse()
    heard.epoch(pulse, 0.1)
    pulse.begin()
    assert heard.beats == [(LEAST_S, pytest.approx(0.1))]


def test_who_is_not_watched_or_tells_of_no_steps_says_nothing() -> None:
    heard = Heard()
    for pulse, steps in ((heard.pulse(watched=False), 4), (heard.pulse(), 0)):
        for _ in range(3):
            pulse.begin()
            heard.now += 40.0
            for _ in range(steps):
                pulse.step()
            pulse.end()
    assert not heard.beats


class Learner:
    trains = True

    def epochs(self, network: nn.Module, candidate: Candidate, setup: TrainingSetup) -> Iterator[Epoch]:
        for epoch in (1, 2):
            setup.checkpoint()
            yield Epoch(epoch, 1.0, 1.0, 0.5, {"error": 0.5})


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_on_a_gpu_a_training_is_watched_until_it_ends_and_on_a_cpu_not(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard, of, task = Heard(), config({"epochs": 2}), bars_task(n=8)
    monkeypatch.setattr(heartbeat._Watcher, "send", staticmethod(heard.beat))
    evaluate = Evaluator(ConvNets(), task, of, Objectives(of, task.spec), learner=Learner())
    data: Any = SimpleNamespace(device=torch.device(device))
    setup = TrainingSetup(task, data, of.training)
    list(evaluate._learning.learn(conv_net(2, task.spec), job(), Draft([]), setup))
    silences = [silence for silence, _ in heard.beats]
    assert silences == ([LEAST_S, math.inf] * 2 if device == "cuda" else [])


def test_silence_is_counted_in_looks() -> None:
    now = 0.0
    silence = Silence(lambda: now)
    now = 1e6
    assert not silence.passed()
    assert silence.look_s == math.inf
    silence.heard(10.0, 1.0)
    assert silence.look_s == LOOK_S
    for _ in range(10):
        now += 1.0
        assert not silence.passed()
    now += 1.0
    assert silence.passed()
    silence.heard(10.0, 1.0)
    now += 1e6  # this process was stopped, or the machine slept
    assert not silence.passed()
    silence.expect_none()
    for _ in range(100):
        now += 1.0
        assert not silence.passed()
