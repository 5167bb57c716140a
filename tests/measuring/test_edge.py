"""ExecuTorch and LiteRT, in float32 and in 8 bits. Most of it needs their extras: `make test-edge`."""

import re
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evonas.commands.export import chosen
from evonas.config import TargetConfig
from evonas.errors import UserError
from evonas.exporters import EXPORTERS, shipped, written
from evonas.inputs import example
from evonas.measuring.backends.backend import BACKENDS, Backend
from evonas.measuring.backends.export import ExportError, check, to_file
from evonas.measuring.backends.running import RUNNERS
from evonas.testing import check_backend, check_exporter
from tests.measuring.small import EDGE, INPUT, Applied, by_the_sign, small
from tests.measuring.test_backends import eager

LIBRARY = {"executorch": "executorch", "litert": "litert_torch"}
IMPORTED = {"executorch": "executorch.runtime", "litert": "ai_edge_litert.interpreter"}
FORMAT = {"executorch": "pte", "litert": "tflite"}
BOTH = pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            marks=[
                pytest.mark.slow,
                pytest.mark.skipif(find_spec(LIBRARY[name]) is None, reason=f"needs the extra {name}"),
            ],
        )
        for name in EDGE
    ],
)


def config(name: str, **options: Any) -> TargetConfig:
    return TargetConfig.model_validate({"backend": name, **options})


def backend(name: str, **options: Any) -> Backend:
    return BACKENDS[name]("pi", config(name, **options))


@pytest.mark.parametrize("name", EDGE)
def test_a_library_that_is_not_installed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, IMPORTED[name], None)
    with pytest.raises(UserError, match=rf"^targets\.pi\.backend: {name} is not installed on .*\[{name}\]'.*$"):
        backend(name)
    monkeypatch.setitem(sys.modules, LIBRARY[name], None)
    monkeypatch.setitem(sys.modules, "executorch.exir", None)
    with pytest.raises(UserError, match=rf"^networks are converted with .*\[{name}\]'"):
        to_file(small(), INPUT, config(name))
    with pytest.raises(UserError, match=rf"^export: networks are converted with .*\[{name}\]'"):
        written(EXPORTERS[FORMAT[name]], small().eval(), torch.zeros(2, 3, 8, 8))


@BOTH
def test_a_backend_keeps_its_contract(name: str) -> None:
    check_backend(BACKENDS[name], config(name, batch=2))


@BOTH
def test_conditions_are_complete(name: str) -> None:
    found = backend(name, batch=2)
    assert set(found.conditions) == {"backend", "device", "dtype", "threads", "batch", name}
    assert found.device == "cpu"


@BOTH
def test_a_network_that_is_another_one_when_it_is_converted(name: str) -> None:
    with pytest.raises(Exception, match=r"output differs from PyTorch's|cannot be converted|data-dependent"):
        backend(name).load(Applied(by_the_sign), INPUT)


def square(x: Tensor) -> Tensor:
    return x.mean(1, keepdim=True) + 9 * torch.eye(8)


class Bessel(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.special.bessel_j0(x)


ODD: dict[str, Callable[[Tensor], Tensor]] = {
    "linalg_inv": lambda x: x + torch.linalg.inv(square(x)),
    "linalg_cholesky": lambda x: x + torch.linalg.cholesky(square(x) @ square(x).mT),
    "_linalg_svd": lambda x: x + torch.linalg.svd(square(x))[0],
    "linalg_lu": lambda x: x + torch.linalg.lu(square(x))[1],
    "erfinv": lambda x: torch.erfinv(x.tanh() * 0.9),
    "fft_fft": lambda x: torch.fft.fft(x).real,
    "view_as_complex": lambda x: torch.view_as_complex(x.view(*x.shape[:-1], 4, 2)).abs().repeat(1, 1, 1, 2),
    "(nonzero|index|_unique2)": lambda x: x + torch.unique(x.round()).mean(),
    "special_bessel_j0": Bessel.apply,
    "digamma": torch.digamma,
}


@BOTH
@pytest.mark.parametrize("operator", ODD)
def test_an_operator_that_it_has_not_is_named(name: str, operator: str) -> None:
    target, network = config(name), nn.Sequential(Applied(ODD[operator]))
    try:
        found = backend(name).load(network, INPUT).output()  # type: ignore[attr-defined]
    except Exception as error:
        line = str(error).splitlines()[0]
        assert re.search(rf"{name} (has no|cannot (convert|run) this call of) aten(\.|::){operator}", line), line
        assert "module 0 (Applied)" in line
    else:
        np.testing.assert_allclose(found, eager(network, target), atol=1e-4)


@BOTH
def test_8_bits_give_nearly_the_same_in_a_smaller_file(name: str) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(32 * 64, 5))
    exact, eight = (backend(name, dtype=dtype, batch=2).load(network, INPUT) for dtype in ("float32", "int8"))
    expected = eager(network, config(name, batch=2))
    off = np.abs(eight.output() - expected).max() / np.abs(expected).max()
    assert 1e-4 < off < 0.05, off
    assert eight.size_mb < 0.5 * exact.size_mb  # type: ignore[attr-defined]


@BOTH
def test_weights_with_their_channels_last(name: str) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 32, 3), nn.ReLU(), nn.Conv2d(32, 32, 3), nn.Flatten(), nn.Linear(512, 5))
    expected = backend(name, dtype="int8", batch=2).load(network, INPUT).output()  # type: ignore[attr-defined]
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    found = backend(name, dtype="int8", batch=2).load(network, INPUT).output()  # type: ignore[attr-defined]
    np.testing.assert_array_equal(found, expected)


class Dead(nn.Module):
    """Nothing passes its ReLU, as it happens behind a squeeze."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.behind = nn.Linear(192, 16), nn.Linear(16, 5)
        nn.init.constant_(self.before.bias, -100.0)

    def forward(self, x: Tensor) -> Tensor:
        return self.behind(torch.relu(self.before(x.flatten(1))))  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", ["onnxruntime", *BOTH.args[1]])
def test_8_bits_of_a_relu_that_nothing_passes(name: str) -> None:
    torch.manual_seed(0)
    network, target = Dead(), config(name, dtype="int8", batch=2)
    found = BACKENDS[name]("pi", target).load(network, INPUT).output()  # type: ignore[attr-defined]
    np.testing.assert_allclose(found, eager(network, target), atol=2e-3)


@BOTH
def test_a_file_runs_on_examples_of_ones_own(name: str) -> None:
    network, target = small(), config(name, batch=2)
    run = RUNNERS[name](to_file(network, INPUT, target), 1)
    others = [bytes(2**12 * i) for i in range(1, 200)]  # take the place of a file that nobody has kept
    for seed in (0, 1):
        x = example(INPUT, 2, seed)
        with torch.no_grad():
            expected = network.eval()(torch.from_numpy(x)).numpy()  # type: ignore[arg-type]
        np.testing.assert_allclose(run(x), expected, atol=1e-5)
    check(network, INPUT, target, run(example(INPUT, 2)))
    assert others


@BOTH
def test_an_exporter_keeps_its_contract(name: str) -> None:
    check_exporter(EXPORTERS[FORMAT[name]])


@BOTH
def test_an_exported_file_in_8_bits(name: str) -> None:
    class Scaled(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.float() / 255

    torch.manual_seed(0)
    network = shipped(Scaled(), nn.Sequential(nn.Flatten(), nn.Linear(64, 5)))
    x = np.random.default_rng(0).integers(0, 255, (70, 1, 8, 8), dtype=np.uint8)
    exporter = EXPORTERS[FORMAT[name]]
    assert exporter.int8
    assert exporter.session
    file = exporter.int8(network, b"", [x[:64], x[64:]])
    expected = network(torch.from_numpy(x)).detach().numpy()
    assert 0 < np.abs(exporter.session(file)(x) - expected).max() / np.abs(expected).max() < 0.05


class Gaps(nn.Module):
    """As of a table: columns in units of their own, days since 1970 beside ages, with gaps."""

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        scaled = (numbers - torch.tensor([19600.0, 50.0])) / torch.tensor([300.0, 12.0])
        return torch.cat([torch.where(numbers.isnan(), 0.0, scaled), categories.float()], 1)


class OfNamed(nn.Module):
    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        return Gaps()(**inputs)


class EachColumn(nn.Module):
    """Weights of its own for each of three columns, as embeddings of numbers have."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(3, 2, 4) * torch.tensor([1.0, 0.01, 3.0, 0.1]))

    def forward(self, x: Tensor) -> Tensor:
        waves = torch.stack([x.sin(), x.cos()], 2)  # (n, 3, 2)
        return torch.einsum("ncf,cfd->ncd", waves, self.weights).flatten(1)


@BOTH
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_8_bits_leave_units_and_gaps_of_a_table_to_float(name: str) -> None:
    rng = np.random.default_rng(0)
    numbers = rng.normal([19600, 50], [300, 12], (60, 2)).astype(np.float32)
    numbers[::7] = np.nan
    rows = {"numbers": numbers, "categories": rng.integers(0, 2, (60, 1), dtype=np.uint8)}
    torch.manual_seed(0)
    network = shipped(OfNamed(), nn.Sequential(EachColumn(), nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 2)))
    exporter = EXPORTERS[FORMAT[name]]
    assert exporter.int8
    assert exporter.session
    found = exporter.session(exporter.int8(network, b"", [rows]))(rows)
    expected = network(**{key: torch.from_numpy(part) for key, part in rows.items()}).detach().numpy()
    assert 0 < np.abs(found - expected).max() / np.abs(expected).max() < 0.05


@pytest.mark.slow
@pytest.mark.skipif(find_spec("executorch") is None, reason="needs the extra executorch")
def test_one_process_has_one_pool_of_threads() -> None:
    backend("executorch")
    with pytest.raises(UserError, match=r"^targets\.pi\.threads: executorch has one pool .* of 1, not of 2; give all"):
        backend("executorch", threads=2)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"dtype": "int8"}, "dtype int8 is for backends onnxruntime, executorch, litert, not for torch"),
        ({"backend": "litert", "dtype": "float16"}, "litert takes dtype float32 or int8, not float16"),
    ],
)
def test_a_dtype_that_a_backend_has_not(options: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        TargetConfig.model_validate(options)


def test_a_format_goes_by_the_name_of_its_runtime_too() -> None:
    assert [chosen(None, name) for name in EDGE] == [(FORMAT[name], EXPORTERS[FORMAT[name]]) for name in EDGE]


def with_eye(x: Tensor) -> Tensor:
    return x @ (torch.eye(8) + 1)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("litert_torch") is None, reason="needs the extra litert")
@pytest.mark.parametrize(
    ("function", "operator"),
    [(lambda x: x.sort(1).values, "sort"), (lambda x: x * x.topk(2).values.sum(), "topk"), (with_eye, "eye")],
)
def test_what_litert_converts_and_cannot_load_is_named(function: object, operator: str) -> None:
    with pytest.raises(ExportError, match=rf"^litert has no aten\.{operator}: module 1 \(Applied\), "):
        backend("litert").load(nn.Sequential(nn.Tanh(), Applied(function)).eval(), INPUT)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("executorch") is None, reason="needs the extra executorch")
def test_what_executorch_lowers_and_cannot_run_is_named() -> None:
    network = nn.Sequential(nn.Tanh(), Applied(lambda x: x.sort(1).values)).eval()
    with pytest.raises(ExportError, match=r"^executorch has no aten\.sort: module 1 \(Applied\), "):
        backend("executorch").load(network, INPUT)
    with pytest.raises(UserError, match=r"^export: the file does not run: executorch has no aten\.sort: module 1 "):
        written(EXPORTERS["pte"], network, torch.randn(2, 3, 8, 8))
