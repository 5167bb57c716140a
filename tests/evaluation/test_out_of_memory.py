"""A candidate too large for its batches gets one more try with half of them."""

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load
from torch import Tensor, nn

import evonas.evaluation.evaluate
from evonas.config import TrainingConfig
from evonas.evaluation import Evaluator
from evonas.evaluation.learners import FromScratch, TrainingSetup
from evonas.evaluation.training.loop import Trainer
from evonas.evaluation.training.scoring import score, validation_batch
from evonas.evaluation.untrained import costs
from evonas.measuring.device_lock import DeviceLock
from evonas.objectives.objectives import Objectives
from evonas.records import Candidate, Epoch, RungReport, Status
from evonas.spaces.genes import Arch, Choice
from evonas.spaces.space import Space
from tests.evaluation.small import bars_task, config, conv_net, evaluator, job, run


class Fits(nn.Module):
    """Trains with up to `most` examples at once, or with any number for `steps` steps. In a cycle, as networks may be:
    reference counts do not free it.
    """

    def __init__(self, network: nn.Module, most: int, steps: int = 0) -> None:
        super().__init__()
        self.network, self.most, self.steps = network, most, steps
        self.__dict__["itself"] = self

    def forward(self, x: Tensor) -> Tensor:
        self.steps -= self.training
        if self.training and len(x) > self.most and self.steps < 0:
            raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {len(x)} GiB")
        out: Tensor = self.network(x)
        return out


class Tight(Space):
    width = Choice(2, 4)

    def __init__(self, most: int, steps: int = 0) -> None:
        self.most, self.steps = most, steps
        self.built: list[weakref.ref[nn.Module]] = []
        self.alive_at_build: list[int] = []

    def build(self, arch: Arch, task: Any) -> nn.Module:
        self.alive_at_build.append(sum(ref() is not None for ref in self.built))
        network = Fits(conv_net(arch.width, task), self.most, self.steps)
        self.built.append(weakref.ref(network))
        return network


class Allocator:
    """Of a GPU that is shared: a network that is beside others has less room than one that is alone."""

    shared = True

    def __init__(self, room: int) -> None:
        self.room, self.is_alone = room, False
        self.tidied = 0

    @contextmanager
    def alone(self, lock: DeviceLock, name: str) -> Iterator[None]:
        assert lock.measuring() is None
        self.is_alone = True
        yield
        self.is_alone = False

    def tidy(self) -> None:
        assert not self.is_alone
        self.tidied += 1


class Shared(Tight):
    """Its networks find room for `most` examples at once beside others, and for the allocator's `room` alone."""

    def __init__(self, most: int, allocator: Allocator) -> None:
        super().__init__(most)
        self.allocator, self.tries = allocator, list[bool]()

    def build(self, arch: Arch, task: Any) -> nn.Module:
        self.tries.append(self.allocator.is_alone)
        network = super().build(arch, task)
        assert isinstance(network, Fits)
        network.most = self.allocator.room if self.allocator.is_alone else self.most
        return network


THREE = {"epochs": 3, "rungs": [1, 2]}


def test_it_is_the_training_with_half_the_batch_and_half_the_rate() -> None:
    _, last = run(evaluator(Tight(16), of=config({**THREE, "learning_rate": 0.1})), job())
    half = config({**THREE, "learning_rate": 0.05, "batch_size": 16})
    _, expected = run(evaluator(Tight(16), of=half), job())
    assert (last.status, last.batch_size) == (Status.OK, 16)
    assert last.message == "out of memory at batch size 32; trained at 16"
    assert (expected.message, expected.batch_size) == ("", 16)
    assert last.curve == expected.curve
    assert last.weights == expected.weights


def test_memory_that_could_not_be_measured_is_not_less_than_it_would_be() -> None:
    _, last = run(evaluator(Tight(16)), job())
    _, half = run(evaluator(Tight(32), of=config({"batch_size": 16})), job())
    _, whole = run(evaluator(Tight(32)), job())
    assert last.metrics["train_memory_mb"] == 2 * half.metrics["train_memory_mb"]
    assert last.metrics["train_memory_mb"] >= whole.metrics["train_memory_mb"]
    assert last.metrics["params"] == whole.metrics["params"]


def test_what_was_measured_and_reported_before_stays() -> None:
    # 6 batches an epoch: memory runs out in the third epoch
    passed, last = run(evaluator(Tight(16, steps=14), of=config(THREE)), job())
    _, whole = run(evaluator(Tight(32), of=config(THREE)), job())
    _, half = run(evaluator(Tight(32), of=config({**THREE, "batch_size": 16, "learning_rate": 0.05})), job())
    assert last.message == "out of memory at batch size 32; trained at 16"
    assert [progress.rung for progress in passed] == [0, 1]
    assert last.rungs[:2] == tuple(passed) == whole.rungs[:2]
    assert last.curve == half.curve
    assert last.metrics == {**whole.metrics, "error": half.metrics["error"]}


@pytest.mark.parametrize(
    ("most", "room", "tries", "batch", "message"),
    [
        (32, 32, [False], 32, ""),
        (16, 32, [False, True], 32, "out of memory in its share of the GPU; trained alone on it"),
        (16, 16, [False, True, False], 16, "out of memory at batch size 32; trained at 16"),
        (8, 16, [False, True, False], 16, "out of memory at batch sizes 32 and 16: OutOfMemoryError"),
    ],
)
def test_on_a_shared_gpu_it_is_alone_before_its_batch_is_halved(
    most: int, room: int, tries: list[bool], batch: int, message: str
) -> None:
    space = Shared(most, allocator := Allocator(room))
    evaluate = evaluator(space)
    evaluate.memory = allocator  # type: ignore[assignment]
    _, last = run(evaluate, job())
    assert (space.tries, last.batch_size) == (tries, batch)
    assert last.message.startswith(message)
    assert allocator.tidied == 1
    if batch == 32:
        _, whole = run(evaluator(Tight(32)), job())
        assert last.curve == whole.curve


def test_alone_on_a_card_nothing_is_told_of_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    @contextmanager
    def clocked(wanted: bool, *others: Any) -> Iterator[Callable[[], None]]:
        asked.append(wanted)
        yield lambda: None

    monkeypatch.setattr(evonas.evaluation.evaluate, "clocked", clocked)
    worker = evaluator(Shared(16, allocator := Allocator(32)))
    worker.memory = allocator  # type: ignore[assignment]
    run(worker, replace(job(), clocked=True))
    assert asked == [False]


def test_what_the_first_try_held_is_free_before_the_second() -> None:
    space = Tight(16)
    run(evaluator(space), job())
    assert space.alive_at_build == [0, 0]


def test_memory_that_runs_out_again_is_a_failure_with_both_sizes() -> None:
    _, last = run(evaluator(Tight(8)), job())
    assert last.status is Status.FAILED_OOM
    assert last.message.startswith("out of memory at batch sizes 32 and 16: OutOfMemoryError: CUDA out of memory.")
    assert last.batch_size == 16


def test_another_failure_of_the_second_try_says_what_was_before() -> None:
    class Worse(Tight):
        def build(self, arch: Arch, task: Any) -> nn.Module:
            network = super().build(arch, task)
            if len(self.built) > 1:
                raise ValueError("not again")
            return network

    _, last = run(evaluator(Worse(16)), job())
    assert last.status is Status.FAILED_BUILD
    assert last.message.startswith("ValueError: not again (test_out_of_memory.py:")
    assert last.message.endswith("(at batch size 16, after out of memory at 32)")


def test_where_the_batch_is_not_to_blame_there_is_no_second_try() -> None:
    class Huge(Tight):
        def build(self, arch: Arch, task: Any) -> nn.Module:
            super().build(arch, task)
            raise MemoryError

    for space, settings in ((Huge(32), config()), (Tight(0), config({"batch_size": 1}))):
        _, last = run(evaluator(space, of=settings), job())
        assert last.status is Status.FAILED_OOM
        assert len(space.built) == 1
        assert last.batch_size == (1 if type(space) is Tight else 0)


def test_the_batch_is_no_larger_than_the_data() -> None:
    _, last = run(evaluator(Tight(16), bars_task(n=20)), job())
    assert last.message == "out of memory at batch size 20; trained at 10"


def test_weights_are_those_of_the_recorded_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory runs out when everything is trained and the weights are written down."""
    save: Callable[..., bytes] = evonas.evaluation.evaluate.save
    calls: list[int] = []

    def once(tensors: Any) -> bytes:
        calls.append(1)
        if len(calls) == 1:
            raise MemoryError
        return save(tensors)

    monkeypatch.setattr(evonas.evaluation.evaluate, "save", once)
    evaluate = evaluator(of=config({"epochs": 2, "rungs": [1]}))
    passed, last = run(evaluate, job())
    assert (last.status, last.batch_size) == (Status.OK, 16)
    assert [progress.rung for progress in passed] == [0]
    assert last.weights is not None
    network = conv_net(4, evaluate.task.spec)
    network.load_state_dict(load(last.weights))
    network.eval()
    data = evaluate.data
    error = score(network, data.valid, data, evaluate.task).metrics["error"]
    assert error == pytest.approx(last.metrics["error"])


def test_what_an_interrupted_attempt_reported_is_kept() -> None:
    reached = RungReport(5, 0, {"params": 1.0, "macs": 2.0, "train_memory_mb": 3.0, "error": 0.75})
    passed, last = run(evaluator(Tight(16), of=config(THREE)), job(reached=(reached,)))
    assert [progress.rung for progress in passed] == [1]
    assert last.rungs[0] == reached
    assert last.metrics["train_memory_mb"] == 3.0


def gpu_data(shape: tuple[int, ...], parts: int = 1) -> Any:
    """Data on a GPU of which only the shapes are there."""
    batch = torch.empty(1, *shape, dtype=torch.uint8, device="meta"), torch.empty(1, device="meta")
    examples = SimpleNamespace(in_order=lambda _: iter([batch]))
    return SimpleNamespace(device=torch.device("cuda"), valid=examples, validation_parts=parts)


@pytest.mark.parametrize(
    ("shape", "batch", "parts", "expected"),
    [
        ((1, 8, 8), 64, 1, 2048),
        ((3, 32, 32), 512, 1, 2048),
        ((3, 224, 224), 64, 1, 445),
        ((3, 224, 224), 512, 1, 512),
        ((3, 224, 224), 256, 2, 222),
        ((3, 32, 32), 256, 2, 1024),
        ((3, 4096, 4096), 1, 2, 1),
    ],
)
def test_a_validation_pass_on_a_gpu_is_bounded_and_halved_with_the_batch(
    shape: tuple[int, ...], batch: int, parts: int, expected: int
) -> None:
    data = gpu_data(shape, parts)
    assert validation_batch(data, data.valid, TrainingConfig(batch_size=batch)) == expected


def test_the_second_try_has_smaller_validation_passes_too() -> None:
    seen: list[int] = []

    class Learner:
        trains = True

        def epochs(self, network: nn.Module, candidate: Candidate, setup: TrainingSetup) -> Iterator[Epoch]:
            seen.append(setup.data.validation_parts)
            return FromScratch().epochs(network, candidate, setup)

    of, task = config(), bars_task()
    evaluate = Evaluator(Tight(16, steps=4), task, of, Objectives(of, task.spec), learner=Learner())
    _, last = run(evaluate, job())
    assert (last.status, seen) == (Status.OK, [1, 2])


def test_memory_of_training_on_a_gpu_is_that_of_a_validation_pass_where_it_is_higher(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An allocator whose peak is the largest number of examples that ever went through the network."""
    seen: list[tuple[bool, int]] = []
    evaluate = evaluator()
    network = conv_net(2, evaluate.task.spec)

    class Seeing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Tensor) -> Tensor:
            seen.append((self.training, len(x)))
            out: Tensor = self.network(x)
            return out

    monkeypatch.setattr(costs, "Generator", lambda _: torch.Generator())
    monkeypatch.setattr(costs, "seeded", lambda *_: nullcontext())
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _: None)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _: seen.clear())
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 0)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: 10**9 * max(count for _, count in seen))

    def here(network: nn.Module, data: Any, *others: Any, **named: Any) -> Trainer:
        return Trainer(network, evaluate.data, *others, **named)

    monkeypatch.setattr(costs, "Trainer", here)
    data = replace(evaluate.data, device=torch.device("cuda"))
    found = costs.train_memory_mb(Seeing(), evaluate.task, data, evaluate.training)
    assert seen == [(True, 32), (False, 192)]
    assert found == pytest.approx(192e3, rel=1e-3)
