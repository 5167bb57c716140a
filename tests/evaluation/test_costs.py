import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evonas.config import TrainingConfig
from evonas.evaluation.batches.device_data import to_device
from evonas.evaluation.untrained.costs import COMPUTED, computed, multiply_accumulates, parameters, train_memory_mb
from evonas.measuring.backends.storage import StorageMeter
from evonas.records import InputSpec
from evonas.tasks import Split, Splits, regression
from tests.evaluation.small import bars_task, conv_net, global_state

TASK = bars_task()
DATA = to_device(TASK, "cpu")


def test_a_linear_layer() -> None:
    assert parameters(nn.Linear(10, 3)) == 33
    assert multiply_accumulates(nn.Linear(10, 3), InputSpec((10,))) == 30


def test_a_conv_net_by_hand() -> None:
    # width 4, 1 x 8 x 8: conv 1 -> 4 (8 x 8 outputs), conv 4 -> 8 at stride 2 (4 x 4 outputs), linear 8 -> 2
    network = conv_net(4, TASK.spec)
    assert parameters(network) == 4 * 9 + 2 * 4 + 8 * 4 * 9 + 2 * 8 + (8 * 2 + 2)
    assert multiply_accumulates(network, InputSpec((1, 8, 8))) == 4 * 9 * 64 + 8 * 4 * 9 * 16 + 8 * 2


def test_groups_and_attention_by_hand() -> None:
    assert multiply_accumulates(nn.Conv2d(8, 8, 3, groups=8, bias=False), InputSpec((8, 5, 5))) == 8 * 9 * 3 * 3

    class Attention(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            x = x[:, None]
            return torch.nn.functional.scaled_dot_product_attention(x, x, x)

    assert multiply_accumulates(Attention(), InputSpec((7, 16))) == 2 * 7 * 7 * 16


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        # 7 tokens of 16: queries, keys, values and output are 4 products of 7 x 16 x 16
        (nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 4 * 7 * 16 * 16 + 2 * 7 * 7 * 16 + 2 * 7 * 16 * 32),
        (nn.LSTM(16, 8, batch_first=True), 7 * 4 * 8 * (16 + 8)),
        (nn.Conv1d(7, 5, 3, padding=1), 5 * 7 * 3 * 16),
    ],
)
def test_layers_with_fused_kernels_by_hand(layer: nn.Module, expected: int) -> None:
    assert multiply_accumulates(layer, InputSpec((7, 16))) == expected


def test_frozen_and_shared_parameters() -> None:
    network = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False), nn.Linear(4, 4))
    network[1].weight = network[0].weight
    network[2].requires_grad_(False)
    assert parameters(network) == 16


def test_storages_are_counted_once_and_until_they_are_freed() -> None:
    meter = StorageMeter()
    with meter:
        a = torch.zeros(100)
        b = a.view(10, 10).t()
        c = a + 1
        del c
        d = b * 2.0
        a.add_(d.sum())
        assert meter.alive == 800
    assert meter.peak == 804  # a, d and the sum


def test_memory_of_a_linear_net_by_hand() -> None:
    rng = np.random.default_rng(0)
    split = Split(rng.normal(size=(64, 1000)).astype(np.float32), rng.normal(size=64).astype(np.float32))
    task = regression("values", Splits(split, split, split))
    data = to_device(task, "cpu")

    def memory(**training: object) -> float:
        config = TrainingConfig.model_validate({"batch_size": 64, "weight_decay": 0, "grad_clip": 0, **training})
        return train_memory_mb(nn.Sequential(nn.Linear(1000, 1000), nn.Linear(1000, 1)), task, data, config)

    one = 4 * (1000 * 1000 + 2 * 1000 + 1) / 1e6
    batch = 4 * 64 * 1000 / 1e6
    # Parameters and gradients; a batch stored, prepared and as hidden layer; the sum of squares is small.
    assert memory(momentum=0) == pytest.approx(2 * one + 3 * batch, rel=0.03)
    # One more copy for the momentum, and one that Nesterov's step makes while it lasts (activations are gone then).
    assert memory() == pytest.approx(4 * one + batch, rel=0.03)
    assert memory(optimizer="adamw") >= 4 * one + batch


def test_the_optimisers_state_is_there_while_activations_are() -> None:
    def memory(**training: object) -> float:
        config = TrainingConfig.model_validate({"batch_size": 64, **training})
        return train_memory_mb(conv_net(64, TASK.spec), TASK, DATA, config)

    one = 4 * parameters(conv_net(64, TASK.spec)) / 1e6
    assert memory(momentum=0) > 10 * one  # so the peak is in the backward pass
    assert memory() - memory(momentum=0) == pytest.approx(one, rel=1e-3)
    assert memory(optimizer="adamw") - memory(momentum=0) == pytest.approx(2 * one, rel=1e-3)


def test_memory_grows_with_width_and_batch_and_repeats_exactly() -> None:
    def memory(width: int, batch: int) -> float:
        return train_memory_mb(conv_net(width, TASK.spec), TASK, DATA, TrainingConfig(batch_size=batch))

    assert memory(4, 32) < memory(8, 32) < memory(16, 32) < memory(64, 32)
    assert memory(16, 16) < memory(16, 32) < memory(16, 64)
    assert memory(16, 64) == pytest.approx(2 * memory(16, 32), rel=0.15)  # activations dominate
    assert memory(16, 32) == memory(16, 32)


def test_the_network_and_the_process_are_left_as_they_were() -> None:
    network = conv_net(4, TASK.spec)
    network[1].eval()
    state = copy.deepcopy(network.state_dict())
    torch.manual_seed(5)
    before = global_state()
    found = dict(computed(COMPUTED, network, TASK, DATA, TrainingConfig()))
    assert {"params", "macs", "train_memory_mb", "kv_cache_mb"} < set(found) == set(COMPUTED)
    assert global_state() == before
    assert network.training
    assert not network[1].training
    assert all(p.grad is None for p in network.parameters())
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())
    assert all(p.is_contiguous() for p in network.parameters())


def test_no_module_is_hooked_to_count_and_the_state_of_an_optimiser_takes_two_examples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both are paid for by each candidate: hooks double the time of a count, a whole batch that of the memory."""
    batches: list[int] = []

    class Seen(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            batches.append(len(x))
            return x

    def refused(module: nn.Module, hook: object) -> None:
        raise AssertionError("a hook")

    monkeypatch.setattr(torch.utils.module_tracker, "register_module_forward_pre_hook", refused, raising=False)
    monkeypatch.setattr(torch.nn.modules.module, "register_module_forward_pre_hook", refused)
    network = nn.Sequential(Seen(), conv_net(4, TASK.spec))
    assert multiply_accumulates(network, InputSpec((1, 8, 8))) == 4 * 9 * 64 + 8 * 4 * 9 * 16 + 8 * 2
    batches.clear()
    train_memory_mb(network, TASK, DATA, TrainingConfig(batch_size=32))
    assert batches == [2, 32]
