"""What a candidate changes for all of its process is undone before the next one, and its row says so."""

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from evonas.config import RuntimeConfig
from evonas.measuring.torch_state import seeded
from evonas.records import Evaluation, Status
from evonas.runtime import global_state
from evonas.runtime.global_state import GlobalState, _owners
from evonas.runtime.sandbox.packing import pack
from evonas.runtime.sandbox.worker_process import WorkerProcess
from evonas.runtime.serial import Serial
from tests.evaluation.small import evaluator, job, run
from tests.misbehaving import CHANGES, Misdeeds, factory

OF_THE_PROCESS = ("the environment", "a signal handler", "a timer")
GENE = {deed: i for i, deed in enumerate(Misdeeds.deed.values)}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_found_and_can_be_put_back(change: str) -> None:
    state = GlobalState()
    CHANGES[change]()
    assert state.restore() == [change]
    assert not state.changes()


def test_training_and_compiling_are_no_changes() -> None:
    state = GlobalState()
    _, last = run(evaluator(), job(1))
    assert last.status is Status.OK
    assert not state.changes()


def test_what_torch_itself_puts_around_its_functions_is_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    state = GlobalState()
    wrapped = torch._dynamo.disable(torch.optim.Adam.step)
    monkeypatch.setattr(torch.optim.Adam, "step", wrapped)
    assert not state.changes()
    monkeypatch.setattr(torch.optim.Adam, "step", torch._dynamo.disable(nn.Linear.forward))
    assert state.changes() == ["torch.optim.adam.Adam.step"]


def test_a_state_is_that_of_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Although most of it is taken from the one before it."""
    first, names = GlobalState(), ["torch.nn.modules.linear.Another", "torch.nn.modules.linear.Linear.forward"]
    with monkeypatch.context() as patch:
        patch.setattr(nn.Linear, "forward", nn.Identity.forward)
        second = GlobalState()
        patch.setattr("torch.nn.modules.linear.Another", type("Another", (), {}), raising=False)
        third = GlobalState()
        assert (first.changes(), second.changes(), third.changes()) == (names[1:], [], [])
    assert (first.changes(), second.changes(), third.changes()) == ([], names[1:], names)
    assert not GlobalState().changes()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerProcess]:
    process = WorkerProcess(pack(factory(tmp_path_factory.mktemp("deeds"))))
    try:
        process.ready(120)
        yield process
    finally:
        process.close()


@pytest.mark.parametrize("change", ["torch's default dtype", "torch.nn.modules.linear.Linear.forward", "a timer"])
def test_the_next_candidate_of_a_worker_is_none_the_worse(sandbox: WorkerProcess, change: str) -> None:
    def last_of(deed: str) -> Evaluation:
        *_, last = sandbox.run(job(GENE[deed]), 60.0, 60.0)
        assert isinstance(last, Evaluation)
        return last

    before = last_of("none")
    assert f"it changed {change} for all of its process, which was undone" in last_of(change).message
    after = last_of("none")
    assert (after.status, after.message, after.metrics) == (before.status, "", before.metrics)


def test_nor_is_that_of_the_serial_runtime(tmp_path: Path) -> None:
    serial = Serial(factory(tmp_path), RuntimeConfig(kind="serial"))

    def last_of(deed: str) -> Evaluation:
        serial.submit(job(GENE[deed]))
        while not (found := [m for m in serial.wait(1.0) if isinstance(m, Evaluation)]):
            pass
        return found[0]

    before = last_of("none")
    for change in CHANGES:
        if change not in OF_THE_PROCESS:
            assert change in last_of(change).message
    after = last_of("none")
    assert (after.status, after.message, after.metrics) == (before.status, "", before.metrics)


def test_networks_that_draw_from_any_generator_depend_on_their_seed_alone() -> None:
    def draws(seed: int) -> tuple[float, ...]:
        with seeded(seed):
            return random.random(), float(np.random.random()), float(torch.rand(1))  # noqa: NPY002

    outside = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    assert draws(2**62) == draws(2**62) != draws(1)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == outside  # noqa: NPY002


def test_no_class_that_is_left_out_can_be_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = {owner for _, owner in _owners() if isinstance(owner, type)}
    monkeypatch.setattr(global_state, "IMMUTABLE", 0)
    left_out = {owner for _, owner in _owners() if isinstance(owner, type)} - looked_at
    assert {int, np.int16, torch.FloatTensor} <= left_out
    for one in left_out:
        with pytest.raises(TypeError):
            one.__doc__ = "changed"
