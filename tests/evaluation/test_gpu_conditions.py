"""What a row says of the GPU that its network trained on, with a GPU that is made up."""

from types import SimpleNamespace

import pytest
import torch

from evonas.evaluation import Evaluator, evaluate
from evonas.measuring.backends import mps
from tests.evaluation.small import bars_task, config


@pytest.mark.parametrize("daemon", [True, False])
def test_memory_of_the_gpu_and_of_the_data_on_it_and_whether_there_is_mps(
    monkeypatch: pytest.MonkeyPatch, daemon: bool
) -> None:
    cuda = {
        "get_device_properties": lambda device: SimpleNamespace(total_memory=80e9, uuid="1"),
        "get_device_name": lambda device: "NVIDIA H100",
        "memory_allocated": lambda device: 3.9e9,  # ImageNet at 32 x 32: every process of a GPU has it
        "is_bf16_supported": lambda including_emulation: True,
    }
    for name, fake in cuda.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    monkeypatch.setattr(evaluate, "placed", lambda *data: "")
    monkeypatch.setattr(mps, "is_running", lambda: daemon)
    worker = SimpleNamespace(device=torch.device("cuda", 0), training=config().training, task=bars_task(n=4))
    found = Evaluator._conditions(worker)  # type: ignore[arg-type]
    assert (found["gpu_memory_mb"], found["gpu_data_mb"]) == ("80000", "3900")
    assert found["float32"] == "matmul ieee, conv tf32, rnn tf32"
    assert found["mps"] == ("yes" if daemon else "no")
