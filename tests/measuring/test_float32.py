"""In how many bits products of float32 are computed: it is told, and put back."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
import torch

from evonas.measuring import float32

AS_TORCH_COMES = {"float32": "matmul ieee, conv tf32, rnn tf32"}
BACKENDS = torch.backends
WAYS: list[tuple[Callable[[], object], str, str]] = [
    (lambda: torch.set_float32_matmul_precision("medium"), "matmul tf32, conv tf32, rnn tf32", "matmul bf16"),
    (lambda: setattr(BACKENDS.cudnn, "allow_tf32", False), "matmul ieee, conv ieee, rnn ieee", ""),
    (lambda: setattr(BACKENDS.cuda.matmul, "allow_tf32", True), "matmul tf32, conv tf32, rnn tf32", ""),
    (lambda: setattr(BACKENDS.cudnn.conv, "fp32_precision", "ieee"), "matmul ieee, conv ieee, rnn tf32", ""),
    (lambda: setattr(BACKENDS, "fp32_precision", "tf32"), "matmul tf32, conv tf32, rnn tf32", "matmul tf32"),
    (lambda: setattr(BACKENDS.mkldnn.matmul, "fp32_precision", "bf16"), AS_TORCH_COMES["float32"], "matmul bf16"),
]


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = float32.state(torch)
    yield
    float32.put_back(torch, before)


@pytest.mark.parametrize(("change", "cuda", "cpu"), WAYS)
def test_each_switch_is_told_and_put_back(change: Callable[[], object], cuda: str, cpu: str) -> None:
    before = float32.state(torch)
    change()
    assert float32.conditions(torch, "cuda") == {"float32": cuda}
    assert float32.conditions(torch, "cpu").get("float32", "").startswith(cpu)
    assert bool(cpu) is ("float32" in float32.conditions(torch, "cpu"))
    float32.put_back(torch, before)
    assert float32.conditions(torch, "cuda") == AS_TORCH_COMES
    assert float32.conditions(torch, "cpu") == {}
    assert float32.state(torch) == before
    assert torch.get_float32_matmul_precision() == "highest"


def test_the_environment_takes_it_from_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    assert float32.conditions(torch, "cuda") == {"float32": "matmul ieee, conv ieee, rnn ieee"}


@pytest.mark.parametrize(
    ("allowed", "said"), [(True, AS_TORCH_COMES["float32"]), (False, "matmul ieee, conv ieee, rnn ieee")]
)
def test_a_torch_from_before_the_newer_interface_tells_by_the_older_one(allowed: bool, said: str) -> None:
    matmul, cudnn = SimpleNamespace(allow_tf32=False), SimpleNamespace(allow_tf32=allowed)
    backends = SimpleNamespace(cuda=SimpleNamespace(matmul=matmul), cudnn=cudnn)
    old = SimpleNamespace(backends=backends, get_float32_matmul_precision=lambda: "medium")
    assert float32.conditions(old, "cuda") == {"float32": said}
    assert float32.conditions(old, "cpu") == {"float32": "matmul bf16, conv ieee, rnn ieee"}
    assert float32.state(old) == ("medium", allowed, {})
