"""A step of training waits for nothing, so that it can be captured; a captured one trains like one that is not.

The capture is that of tests/evaluation/recorder.py; CUDA's own has not been run.
"""

from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Generator, Tensor, nn

from evonas.config import TrainingConfig
from evonas.evaluation.batches.device_data import to_device
from evonas.evaluation.learners import FromScratch, TrainingSetup, scratch
from evonas.evaluation.training.distillation import Teacher
from evonas.evaluation.training.graph import WARM_UP_STEPS, CudaCapture
from evonas.evaluation.training.loop import Trainer
from evonas.measuring.torch_state import seeded
from evonas.records import Candidate, Epoch, Evaluation
from evonas.spaces.blocks import Residual
from tests.evaluation.recorder import RecordedCapture, RefusedOperator, Spy
from tests.evaluation.small import bars_task, conv_net, evaluator, job, run

TASK = bars_task()
DATA = to_device(TASK, "cpu")
RECIPE: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 16,
    "label_smoothing": 0.1,
    "augment": {"crop": 1, "flip": "alternating", "cutout": 2},
    "batchnorm_bias_rate": 4.0,
    "average": 0.5,
}
MORE: dict[str, Any] = {
    "average": 0.0,
    "ema": 0.9,
    "stochastic_depth": 0.5,
    "augment": {"random_ops": 2, "mixup": 0.4, "cutmix": 1.0, "flip": True},
}
"""What a recipe may have besides."""


def network(*more: nn.Module) -> nn.Module:
    with seeded(5):
        return nn.Sequential(nn.Dropout(0.2), Residual(nn.Conv2d(1, 1, 3, padding=1)), conv_net(4, TASK.spec), *more)


def config(**changes: Any) -> TrainingConfig:
    return TrainingConfig.model_validate({**RECIPE, **changes})


def captured(net: nn.Module, training: TrainingConfig) -> tuple[Trainer, RecordedCapture]:
    trainer: Trainer

    def changed() -> list[Tensor]:
        scale = trainer._step.scale
        kept = [t for own in trainer.optimizer.state.values() for t in own.values()]
        return [*net.state_dict().values(), *kept, trainer._total, *(scale.state_dict().values() if scale else [])]

    capture = RecordedCapture(changed)
    trainer = Trainer(net, DATA, TASK, training, 3, capture=capture)
    return trainer, capture


class AsItIs(RecordedCapture):
    """Captures nothing, so that the step that a graph would hold runs by itself."""

    def record(self, *args: Any) -> Any:
        raise RuntimeError("no graph")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": "adamw", "learning_rate": 0.01},
        {"precision": "float16"},
        {"momentum": 0.0, "grad_clip": 0},
        {"optimizer": "muon", "learning_rate": 0.01, "accumulate": 3, **MORE},
        {"optimizer": "muon", "precision": "float16", "learning_rate": 0.01},
    ],
    ids=str,
)
def test_a_captured_step_trains_like_one_that_is_not(changes: dict[str, Any]) -> None:
    """To the bit: what a replay reads and draws is what a step reads and draws."""
    ours, theirs = network(), network()
    trainer, capture = captured(ours, config(**changes))
    replayed = list(trainer.epochs())
    plain = list(Trainer(theirs, DATA, TASK, config(**changes), 3, capture=AsItIs(list)).epochs())
    assert capture.replays == 2 * trainer.steps - WARM_UP_STEPS > 0
    assert replayed == plain
    assert all(torch.equal(p, q) for p, q in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True))
    assert trainer.graph_note == "graph"


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_step_of_a_graph_gives_the_curve_of_the_step_of_a_cpu(optimizer: str) -> None:
    """But for rounding: one kernel updates all, and its learning rate is a float32."""
    training = config(optimizer=optimizer, learning_rate=0.05 if optimizer == "sgd" else 0.005)
    fused = Trainer(network(), DATA, TASK, training, 3, capture=AsItIs(list))
    plain = Trainer(network(), DATA, TASK, training, 3)
    losses = [[(epoch.train_loss, epoch.valid_loss) for epoch in trainer.epochs()] for trainer in (fused, plain)]
    assert torch.allclose(torch.tensor(losses[0]), torch.tensor(losses[1]), rtol=1e-4), losses


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("taught", [False, True])
@pytest.mark.parametrize("more", [{}, {**MORE, "optimizer": "muon", "accumulate": 2}], ids=["", "more"])
def test_a_step_asks_no_tensor_what_it_is(precision: str, taught: bool, more: dict[str, Any]) -> None:
    teacher = Teacher(conv_net(4, TASK.spec).eval(), 0.5, 2.0, classes=True) if taught else None
    net = network().train()
    trainer = Trainer(net, DATA, TASK, config(precision=precision, **more), 3, teacher=teacher, capture=AsItIs(list))
    x, y = DATA.sample(16)
    trainer.step(x, y, Generator().manual_seed(0))
    with Spy() as spy, trainer._depth.applied():
        trainer.step(x, y, Generator().manual_seed(0))
    assert len(spy.calls) > 20


@pytest.mark.parametrize(
    "asks",
    [lambda x: x * float(x.mean()), lambda x: x[x > 0], lambda x: x.nonzero(), lambda x: x if x.sum() > 0 else -x],
)
def test_the_spy_sees_what_asks(asks: Any) -> None:
    with Spy(), pytest.raises(RefusedOperator):
        asks(torch.ones(3))


class Asks(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if float(x.detach().abs().sum()) >= 0 else -x


def test_a_network_that_cannot_be_captured_trains_as_it_is_and_its_row_says_why() -> None:
    notes: dict[str, str] = {}
    setup = TrainingSetup(TASK, DATA, config(), note=notes.__setitem__)
    net = network(Asks())
    trainer, capture = captured(net, config())
    curve: list[Epoch] = list(trainer.epochs())
    assert capture.replays == 0
    assert trainer.graph_note == (
        "eager: RefusedOperator: operation not permitted when stream is capturing: _local_scalar_dense"
    )
    assert curve == list(Trainer(network(), DATA, TASK, config(), 3, capture=AsItIs(list)).epochs())
    list(FromScratch().epochs(network(), Candidate(0, (), (), "test", 0, 3), setup))
    assert notes == {}, "nobody asked for a graph"


def test_the_row_says_how_its_steps_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "Trainer", partial(Trainer, capture=AsItIs(list)))
    *_, last = run(evaluator(), job())
    assert isinstance(last, Evaluation)
    assert last.conditions["train_step"] == "eager: RuntimeError: no graph"


class Drawing:
    """A generator of a GPU, as far as a capture needs one."""

    def __init__(self, seed: int) -> None:
        self.own = Generator().manual_seed(seed)
        self.replaced = False

    def get_state(self) -> Tensor:
        return self.own.get_state()

    def graphsafe_set_state(self, other: Generator) -> None:
        self.own, self.replaced = other, True


@pytest.mark.parametrize("refused", [False, True])
def test_generators_can_draw_on_after_a_capture_that_was_refused(
    refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CUDA's own capture, with a stand-in for CUDA: a generator that a capture has begun with draws nothing outside."""
    own, default, registered = Drawing(1), Drawing(2), list[Any]()
    graph = SimpleNamespace(register_generator_state=registered.append, replay="replay")
    fakes = {"Stream": lambda _: SimpleNamespace(device_index=0), "CUDAGraph": lambda: graph}
    fakes["graph"] = lambda graph, stream, capture_error_mode: nullcontext()
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    monkeypatch.setattr(torch.cuda, "default_generators", [default])

    def work() -> None:
        for drawing in (own, default):
            torch.rand(3, generator=drawing.own)
        if refused:
            raise RuntimeError("operation not permitted when stream is capturing")

    states = [own.get_state(), default.get_state()]
    capture = CudaCapture(torch.device("cpu"))
    with pytest.raises(RuntimeError) if refused else nullcontext():
        assert capture.record(work, [own]) == "replay"  # type: ignore[list-item]
    assert registered == [own]
    assert own.replaced is default.replaced is refused
    if refused:
        assert all(torch.equal(a, b.get_state()) for a, b in zip(states, (own, default), strict=True))


def test_out_of_memory_in_a_capture_is_out_of_memory() -> None:
    class Full(RecordedCapture):
        def record(self, *args: Any) -> Any:
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        list(Trainer(network(), DATA, TASK, config(), 3, capture=Full(list)).epochs())
