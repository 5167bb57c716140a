"""Networks as files: what is in them, what becomes of the network, and when a file is not trusted."""

import copy
import importlib.util
import logging
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch import Tensor, nn

from evonas.config import TargetConfig
from evonas.errors import UserError
from evonas.inputs import example
from evonas.measuring.backends import aten_graph
from evonas.measuring.backends.backend import BACKENDS
from evonas.measuring.backends.export import ExportError, check, file_size, to_file
from tests.measuring.small import COMMON, INPUT, Applied, by_the_sign, noisy, small, state_of
from tests.measuring.test_backends import eager

ONNX = ["onnxruntime", "openvino"]


def config(backend: str = "torch", **options: Any) -> TargetConfig:
    return TargetConfig(backend=backend, **options)  # type: ignore[arg-type]


class Recurrent(nn.Module):
    def __init__(self, kind: Callable[..., nn.Module]) -> None:
        super().__init__()
        self.layers, self.head = kind(64, 8, batch_first=True), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers(x.flatten(2))[0][:, -1])  # type: ignore[no-any-return]


class Attentive(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(64, 4, 16, batch_first=True)
        self.layers, self.head = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(64, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers(x.flatten(2)).mean(1))  # type: ignore[no-any-return]


class Odd(nn.Module):
    """What networks also do: constants of their own, operators in place, several results, weights used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.twice = nn.Conv2d(4, 4, 3, padding="same", padding_mode="circular")
        self.slope, self.head = nn.Parameter(torch.ones(4, 1, 1)), nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = x.double().tanh().to(x.dtype)
        y = torch.cat([x, torch.arange(8, dtype=x.dtype, device=x.device).expand(x.shape[0], 1, 8, 8)], 1)
        first, second = self.twice(self.twice(y) * self.slope).chunk(2, 1)
        first.clamp_(min=-0.5, max=float("inf"))
        second[:, 0] = 0
        y = nn.functional.gelu(torch.stack([first, second], 1).flatten(1, 2), approximate="tanh")
        y = nn.functional.interpolate(y, scale_factor=2, mode="bilinear")
        return self.head(nn.functional.adaptive_avg_pool2d(y, 2).flatten(1))  # type: ignore[no-any-return]


def tied() -> nn.Module:
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 192), nn.Linear(192, 192), nn.Linear(192, 5))
    network[2].weight = network[1].weight
    return network


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "convolutions": small,
    "lstm": lambda: Recurrent(nn.LSTM),
    "gru": lambda: Recurrent(nn.GRU),
    "attention": Attentive,
    "odd": Odd,
    "tied": tied,
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("batch", [1, 3])
def test_the_calls_of_a_network_are_the_network(name: str, batch: int) -> None:
    torch.manual_seed(0)
    network, target = NETWORKS[name](), config(batch=batch)
    again = aten_graph.from_bytes(to_file(network, INPUT, target), torch.device("cpu"))
    with torch.inference_mode():
        found = again(torch.from_numpy(example(INPUT, batch))).numpy()
    np.testing.assert_allclose(found, eager(network, target), atol=1e-6)


@pytest.mark.parametrize("backend", COMMON)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_network_is_left_as_it_was(backend: str, dtype: str) -> None:
    network = small()
    before = state_of(network)
    first = to_file(network, INPUT, config(backend, dtype=dtype))
    file_size(network, INPUT, config(backend, dtype=dtype))
    check(network, INPUT, config(backend), eager(network, config()))
    assert state_of(network) == before
    assert to_file(network, INPUT, config(backend, dtype=dtype)) == first


@pytest.mark.parametrize("backend", COMMON)
def test_the_random_state_is_left_as_it_was(backend: str) -> None:
    network, target = Applied(noisy), config(backend)
    expected = eager(network, target)
    before = torch.get_rng_state()
    to_file(network, INPUT, target)
    check(network, INPUT, target, expected)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("backend", COMMON)
def test_nothing_is_written_to_the_terminal(
    backend: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    recwarn: pytest.WarningsRecorder,
) -> None:
    to_file(Applied(torch.Tensor.abs), INPUT, config(backend))
    with pytest.raises(ExportError):
        to_file(Applied(lambda x: x * (torch.linalg.eigvals(x).abs().sum() > len(x.unique()))), INPUT, config(backend))
    logged = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert (capfd.readouterr(), logged, list(recwarn)) == (("", ""), [], [])


def test_a_network_that_depends_on_values_is_no_list_of_calls() -> None:
    with pytest.raises(ExportError, match=r"^it cannot be converted for torch: ") as caught:
        to_file(Applied(by_the_sign), INPUT, config())
    assert "\n" not in str(caught.value)


def test_what_the_fast_exporter_does_not_know_the_other_does() -> None:
    pytest.importorskip("onnxscript")
    network, target = Applied(torch.sinc), config("onnxruntime")
    found = BACKENDS["onnxruntime"]("pi", target).load(network, INPUT).output()
    np.testing.assert_allclose(found, eager(network, target), atol=1e-5)


def test_onnx_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert importlib.util.find_spec("onnx") is None
    with pytest.raises(UserError, match=r"pip install .*\[onnxruntime\]'.*, or the extra `openvino`$"):
        to_file(small(), INPUT, config("onnxruntime"))


@pytest.mark.parametrize(("dtype", "allowed"), [("float32", 0.01), ("float16", 0.05), ("bfloat16", 0.2)])
def test_an_output_may_differ_by_rounding_and_no_more(dtype: str, allowed: float) -> None:
    network, target = small(), config(dtype=dtype, batch=2)
    expected = eager(network, target)
    shift = np.zeros_like(expected)
    shift[1, 3] = np.abs(expected).max()
    check(network, INPUT, target, expected + 0.9 * allowed * shift)
    with pytest.raises(ExportError, match=rf"by {1.1 * allowed:.2g} of the largest; {allowed:g} is allowed$"):
        check(network, INPUT, target, expected + 1.1 * allowed * shift)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_no_number_is_no_output(wrong: float) -> None:
    with pytest.raises(ExportError, match="output differs"):
        check(small(), INPUT, config(), np.full((1, 5), wrong))


def test_an_output_of_another_shape() -> None:
    with pytest.raises(ExportError, match=r"the shape \(5,\) instead of \(1, 5\)$"):
        check(small(), INPUT, config(), np.zeros(5).tolist())


def test_an_output_of_zeros() -> None:
    network = small()
    nn.init.zeros_(network[-1].weight)  # type: ignore[index,arg-type]
    nn.init.zeros_(network[-1].bias)  # type: ignore[index,arg-type]
    check(network, INPUT, config(), np.zeros((1, 5)))
    with pytest.raises(ExportError):
        check(network, INPUT, config(), np.ones((1, 5)))


@pytest.mark.parametrize("backend", ["torch", "torch.compile"])
def test_the_size_in_torch_is_that_of_the_weights(backend: str) -> None:
    network = small()
    size = file_size(network, INPUT, config(backend))
    header = len(save({})) + 100 * len(network.state_dict())
    assert size < len(save(network.state_dict())) < size + header
    counters = sum(t.nbytes for t in network.state_dict().values() if not t.is_floating_point())
    assert file_size(network, INPUT, config(backend, dtype="bfloat16")) - counters == (size - counters) // 2
    assert file_size(tied(), INPUT, config(backend)) == 4 * (192 * 192 + 2 * 192 + 193 * 5)


@pytest.mark.parametrize("backend", ONNX)
def test_the_size_in_onnx_is_that_of_the_file(backend: str) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 1000), nn.Linear(1000, 5))
    size = file_size(network, INPUT, config(backend))
    weights = sum(p.nbytes for p in network.parameters())
    assert weights < size == len(to_file(network, INPUT, config(backend))) < weights + 2000
    assert weights / 2 < file_size(network, INPUT, config(backend, dtype="float16")) < weights / 2 + 2000
    assert BACKENDS[backend]("t", config(backend)).load(network, INPUT).size_mb == size / 1e6  # type: ignore[attr-defined]


def test_memory_that_runs_out_is_no_fault_of_the_conversion() -> None:
    def too_much(x: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        to_file(Applied(too_much), INPUT, config())


def test_a_copy_is_converted() -> None:
    """A network whose state changes when it runs is the same afterwards."""

    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head, self.runs = nn.Linear(192, 5), nn.Buffer(torch.zeros(1))

        def forward(self, x: Tensor) -> Tensor:
            self.runs += 1
            return self.head(x.flatten(1)) * self.runs

    network = Counting()
    before = copy.deepcopy(network.state_dict())
    for backend in COMMON:
        to_file(network, INPUT, config(backend))
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in before.items())
