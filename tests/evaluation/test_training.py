import copy
import itertools
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evonas.config import AugmentConfig, TrainingConfig
from evonas.evaluation.batches.device_data import to_device
from evonas.evaluation.training.loop import Diverged, Trainer
from evonas.evaluation.training.optimizers import Optimizer
from evonas.evaluation.training.schedules import cosine, one_cycle
from evonas.measuring.torch_state import seeded
from evonas.records import Epoch
from evonas.tasks import Split, Splits, classification, regression
from evonas.tasks.task import Task
from tests.evaluation.small import bars_task, conv_net, global_state

TASK = bars_task()
DATA = to_device(TASK, "cpu")


def trained(config: TrainingConfig, seed: int, network: nn.Module | None = None) -> tuple[list[Epoch], nn.Module]:
    if network is None:
        with seeded(seed):
            network = conv_net(4, TASK.spec)
    return list(Trainer(network, DATA, TASK, config, seed).epochs()), network


@pytest.mark.parametrize(
    ("progress", "rate"),
    # rises from 1/25 to 1 at 30 %; then half a cosine: 1/2 halfway between 0.3 and 1, 0 at the end
    [(0.0, 0.04), (0.15, 0.52), (0.3, 1.0), (0.65, 0.5), (0.475, 0.5 + 0.5**1.5), (1.0, 0.0)],
)
def test_one_cycle_by_hand(progress: float, rate: float) -> None:
    assert one_cycle(progress) == pytest.approx(rate, abs=1e-12)


def test_cosine_by_hand() -> None:
    assert [cosine(p) for p in (0.0, 0.5, 1.0)] == pytest.approx([1.0, 0.5, 0.0])


def test_the_optimiser_is_given_the_schedule_a_step() -> None:
    rates = []

    class Watched(Trainer):
        def step(self, x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
            rates.append(self.optimizer.rate)
            return super().step(x, y, generator)

    config = TrainingConfig(epochs=2, batch_size=64, learning_rate=0.2, schedule="cosine")
    list(Watched(conv_net(2, TASK.spec), DATA, TASK, config, 0).epochs())
    assert rates == pytest.approx([0.2 * cosine(i / 6) for i in range(6)])


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("schedule", ["one_cycle", "cosine"])
def test_it_learns(optimizer: str, schedule: str) -> None:
    config = TrainingConfig.model_validate(
        {
            "epochs": 5,
            "batch_size": 16,
            "optimizer": optimizer,
            "schedule": schedule,
            "learning_rate": 0.1 if optimizer == "sgd" else 0.01,
        }
    )
    curve, _ = trained(config, 0)
    assert [epoch.epoch for epoch in curve] == [1, 2, 3, 4, 5]
    assert curve[-1].valid_metric < 0.1
    assert curve[-1].valid_loss < curve[0].train_loss


def test_the_same_seed_gives_the_same_bits() -> None:
    config = TrainingConfig(epochs=2, batch_size=32, augment=AugmentConfig(crop=1, flip=True, cutout=2))
    runs = []
    for noise, seed in ((1, 5), (2, 5), (3, 6)):
        with seeded(5):
            fresh = nn.Sequential(nn.Dropout(0.3), conv_net(4, TASK.spec))
        torch.manual_seed(noise)  # what others draw must not matter
        runs.append(trained(config, seed, fresh))
    (first, a), (same, b), (other, _) = runs
    assert first == same
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
    assert first != other


def test_augmentation_changes_the_curve() -> None:
    plain, _ = trained(TrainingConfig(epochs=1), 0)
    shifted, _ = trained(TrainingConfig(epochs=1, augment=AugmentConfig(crop=1)), 0)
    assert plain != shifted


def test_the_process_is_left_as_it_was_between_epochs() -> None:
    torch.manual_seed(11)
    before = global_state()
    threads = []
    network = conv_net(2, TASK.spec)
    torch.manual_seed(11)
    network.register_forward_hook(lambda *_: threads.append(torch.get_num_threads()))
    for _ in Trainer(network, DATA, TASK, TrainingConfig(epochs=2, threads=2), 0).epochs():
        assert global_state() == before
    assert set(threads) == {2}


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_step_is_that_of_torchs_own_class(kind: str, momentum: float) -> None:
    """To the bit, and so is the state; one parameter gets no gradient at first."""
    ours = conv_net(2, TASK.spec)
    theirs = copy.deepcopy(ours)
    config = TrainingConfig.model_validate({"optimizer": kind, "momentum": momentum, "weight_decay": 0.1})
    optimizer = Optimizer(ours, config)
    groups = [
        {"params": [p for p in theirs.parameters() if p.ndim > 1], "weight_decay": 0.1},
        {"params": [p for p in theirs.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    reference: torch.optim.Optimizer = (
        torch.optim.AdamW(groups, 0.1, betas=(momentum, 0.999))
        if kind == "adamw"
        else torch.optim.SGD(groups, 0.1, momentum, nesterov=momentum > 0)
    )
    generator = torch.Generator().manual_seed(0)
    for step in range(3):
        optimizer.rate = reference.param_groups[0]["lr"] = reference.param_groups[1]["lr"] = 0.1 / (step + 1)
        optimizer.zero_grad()
        for i, (p, q) in enumerate(zip(ours.parameters(), theirs.parameters(), strict=True)):
            p.grad = torch.randn(p.shape, generator=generator) if i or step else None
            q.grad = p.grad
        optimizer.step()
        reference.step()
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert torch.equal(p, q)
    wanted = {
        f"{index}.{name}": tensor
        for index, kept in reference.state_dict()["state"].items()
        for name, tensor in kept.items()
        if isinstance(tensor, Tensor)
    }
    state = optimizer.state_dict()
    assert state.keys() == wanted.keys()
    assert all(torch.equal(state[name], wanted[name]) for name in state)


def test_training_imports_no_compiler(binaries: Path) -> None:
    """Which takes seconds, in each worker."""
    program = """
import sys
from tests.evaluation.small import evaluator, job, run
*_, last = run(evaluator(), job())
assert last.status == "ok", last
print([name for name in ("torch._dynamo", "sympy") if name in sys.modules])
"""
    command = [str(binaries / "run-code"), program]
    answer = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert answer.stdout == "[]\n", answer.stderr


def test_vectors_do_not_decay() -> None:
    network = conv_net(2, TASK.spec)
    optimizer = Optimizer(network, TrainingConfig(weight_decay=0.1))
    decay = {id(p): group.weight_decay for group in optimizer.groups for p in group.parameters}
    assert {p.ndim: decay[id(p)] for p in network.parameters()} == {4: 0.1, 2: 0.1, 1: 0.0}


@pytest.mark.parametrize(("examples", "batches"), [(20, [20]), (64, [64]), (100, [64]), (130, [64, 64])])
def test_the_last_partial_batch_is_dropped_unless_it_is_the_only_one(examples: int, batches: list[int]) -> None:
    task = bars_task(n=examples)
    sizes = []
    network = conv_net(2, task.spec)
    network.register_forward_pre_hook(lambda module, x: sizes.append(len(x[0])) if module.training else None)
    list(Trainer(network, to_device(task, "cpu"), task, TrainingConfig(epochs=1, batch_size=64), 0).epochs())
    assert sizes == batches


def test_every_epoch_shuffles_anew_and_covers_all() -> None:
    x = np.arange(64, dtype=np.float32)[:, None]
    split = Split(x, x[:, 0])
    task = regression("numbers", Splits(split, split, split))
    seen: list[list[float]] = []
    network = nn.Linear(1, 1)
    network.register_forward_pre_hook(
        lambda module, x: seen.append(x[0].flatten().tolist()) if module.training else None
    )
    config = TrainingConfig(epochs=2, batch_size=16, learning_rate=1e-3)
    list(Trainer(network, to_device(task, "cpu"), task, config, 0).epochs())
    first, second = (list(itertools.chain(*part)) for part in (seen[:4], seen[4:]))
    assert first != second
    assert sorted(first) == sorted(second)
    assert len(set(first)) == 64


def test_losses_and_metric_are_means_over_the_examples() -> None:
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bias = nn.Parameter(torch.zeros(1))

        def forward(self, x: Tensor) -> Tensor:
            return self.bias.expand(len(x), 1)

    x = np.zeros((3000, 1), np.float32)  # several validation passes of different sizes
    y = np.r_[np.full(750, 2.0), np.zeros(2250)].astype(np.float32)
    split = Split(x, y)
    task = regression("constant", Splits(split, split, split))
    config = TrainingConfig(epochs=1, batch_size=3000, learning_rate=1e-30)
    (epoch,) = Trainer(Constant(), to_device(task, "cpu"), task, config, 0).epochs()
    assert (epoch.train_loss, epoch.valid_loss, epoch.valid_metric) == pytest.approx((1.0, 1.0, 1.0))


@pytest.mark.parametrize("what", ["rate", "loss"])
def test_what_is_not_finite_has_diverged(what: str) -> None:
    spec, splits, prepare = TASK.spec, TASK.splits, TASK.prepare
    tasks = {
        "rate": TASK,
        "loss": Task(spec, splits, prepare, loss=lambda output, target, smoothing: output.sum() * float("inf")),
    }
    config = TrainingConfig(epochs=3, learning_rate=1e30 if what == "rate" else 0.1, grad_clip=0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Linear(8, 2))
    with pytest.raises(Diverged, match="not finite after epoch"):
        list(Trainer(network, DATA, tasks[what], config, 0).epochs())


def test_label_smoothing_raises_the_training_loss_alone() -> None:
    config = TrainingConfig(epochs=4, batch_size=16)
    plain, _ = trained(config, 0)
    smooth, _ = trained(config.model_copy(update={"label_smoothing": 0.4}), 0)
    assert smooth[-1].train_loss > plain[-1].train_loss + 0.2


def test_examples_that_are_no_images_train_too() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 5)).astype(np.float32)
    split = Split(x, (x[:, 0] > 0).astype(np.int64))
    task = classification("sign", Splits(split, split, split))
    curve = list(
        Trainer(nn.Linear(5, 2), to_device(task, "cpu"), task, TrainingConfig(epochs=4, batch_size=16), 0).epochs()
    )
    assert curve[-1].valid_metric < 0.1


def test_bfloat16_trains_on_a_cpu_when_asked() -> None:
    curve, network = trained(TrainingConfig(epochs=5, batch_size=16, precision="bfloat16"), 0)
    assert curve[-1].valid_metric < 0.15
    assert all(p.dtype == torch.float32 for p in network.parameters())


@pytest.mark.gpu
def test_it_learns_on_a_gpu() -> None:
    config = TrainingConfig(epochs=5, batch_size=16, augment=AugmentConfig(crop=1))
    network = conv_net(4, TASK.spec).cuda()
    *_, last = Trainer(network, to_device(TASK, "cuda"), TASK, config, 0).epochs()
    assert last.valid_metric < 0.2
