"""Which operator a conversion has failed of, found without the library that it is of."""

import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.fx import GraphModule

from evonas.code_owner import distance
from evonas.measuring.backends.conversion import NoOperator, reason
from evonas.measuring.backends.export import FORMS
from evonas.measuring.backends.graph_parts import calls
from evonas.measuring.backends.operators import missing, name_of
from tests.measuring.small import Applied, by_the_sign

X = (torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)),)
ODD: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "linalg_inv": (lambda x: torch.linalg.inv(x.tanh() + 9 * torch.eye(8)).abs(), "they fail"),
    "linalg_svd": (lambda x: torch.linalg.svd(x + 1)[0].tanh(), "they fail"),  # of several outputs
    "view_as_complex": (
        lambda x: torch.view_as_complex(x.view(1, 3, 8, 4, 2)).abs().repeat(1, 1, 1, 2),
        "it has no complex numbers",
    ),
    "nonzero": (lambda x: x + (x > 0).nonzero().float().mean(), "how many numbers there are depends on the values"),
}


def converter(operator: str, tried: list[int]) -> Callable[[GraphModule], object]:
    """What has all operators but one, and does not say which."""

    def convert(module: GraphModule) -> None:
        tried.append(len(calls(module)))
        module(*X)  # parts of a network are networks
        if any(name_of(call) == f"aten.{operator}" for call in calls(module)):
            raise ValueError("they fail\nat length")

    return convert


@pytest.mark.parametrize("operator", ODD)
def test_a_call_is_found_by_what_can_be_converted(operator: str) -> None:
    function, why = ODD[operator]
    network, tried = nn.Sequential(nn.Tanh(), Applied(function)).eval(), list[int]()
    found = missing("toy", network, X, converter(operator, tried), ValueError("they fail"))
    start = f"toy cannot convert this call of aten.{operator}: {'ValueError: ' * (why == 'they fail')}{why}"
    assert reason(found or Exception()).startswith(start)
    assert re.search(r": module 1 \(Applied\), small\.py:\d+$", str(found))
    assert len(tried) <= 5, "it is halved, and not tried call by call"


def test_a_call_that_the_error_names_is_looked_up() -> None:
    network = nn.Sequential(nn.Tanh(), Applied(torch.erfinv)).eval()
    never: Any = None
    node = "While executing %erfinv : [num_users=1] = call_function[target=torch.ops.aten.erfinv.default](args)"
    for text in (
        f"Lowering not found: aten.erfinv.default\n\n{node}",
        "Operator torch._ops.aten.erfinv.default is not in Core ATen opset (https://pytorch.org/docs)",
    ):
        found = missing("toy", network, X, never, RuntimeError(text))
        assert str(found).startswith("toy has no aten.erfinv: module 1 (Applied)")
    of_conv = "Operator torch._ops.aten.convolution.default is not in Core ATen opset"  # which conv2d is made of
    found = missing("toy", network, X, never, RuntimeError(of_conv))
    assert str(found).startswith("toy has no aten.convolution: module 1.head.0 (Conv2d)")
    key = missing("toy", network, X, never, KeyError(f"torch.complex64\n\n{node}"))
    assert "this call of aten.erfinv: it has no complex numbers: module 1" in str(key)


def test_what_is_no_single_call_is_left_to_the_error() -> None:
    network = nn.Sequential(Applied(torch.erfinv)).eval()
    assert missing("toy", network, X, converter("nothing", []), ValueError("too large")) is None
    assert missing("toy", Applied(by_the_sign).eval(), X, converter("erfinv", []), ValueError("x")) is None
    assert reason(NoOperator("toy", "aten.erfinv", "")) == "toy has no aten.erfinv"


def test_of_complex_numbers_the_first_call_that_gives_some_is_named() -> None:
    network = nn.Sequential(Applied(lambda x: torch.fft.fft(x.tanh()).mT.abs())).eval()
    found = missing("toy", network, X, converter("abs", []), ValueError("they fail"))
    assert str(found).startswith("toy cannot convert this call of aten.fft_fft: it has no complex numbers: module 0")


def test_of_several_outputs_those_that_the_network_takes_are_tried() -> None:
    """Without the places of the largest numbers a converter may take another way, which its runtime has not."""
    network = nn.Sequential(Applied(lambda x: x * x.topk(3).values.sum())).eval()

    def convert(module: GraphModule) -> None:
        found = module(*X)
        if all(part.dtype != torch.int64 for part in found):
            raise ValueError("Didn't find op for builtin opcode 'STABLEHLO_SORT'")

    found = missing("toy", network, X, lambda module: convert(module) if "topk" in module.code else None, OSError())
    assert str(found).startswith("toy has no aten.topk: module 0 (Applied)")


@pytest.mark.skipif(find_spec("onnxscript") is None, reason="needs the extra onnxruntime")
def test_what_onnx_has_no_operator_for_is_named_by_the_line_that_calls_it() -> None:
    """PyTorch makes a call of another namespace of it before the converter looks it up."""
    network = nn.Sequential(nn.Tanh(), Applied(lambda x: torch.lgamma(x.abs() + 1))).eval()
    with pytest.raises(NoOperator, match=r"^ONNX has no aten\.lgamma: module 1 \(Applied\), small\.py:\d+$"):
        FORMS["onnxruntime"](network, *X, ())
    network = nn.Sequential(nn.Tanh(), Applied(torch.special.bessel_j0)).eval()
    with pytest.raises(NoOperator, match=r"^ONNX has no aten\.special_bessel_j0: module 1 \(Applied\)"):
        FORMS["onnxruntime"](network, *X, ())


def test_the_users_line_is_found_whatever_environment_torch_is_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment may take packages of another one."""
    monkeypatch.setattr("evonas.code_owner.SITE", ("/nowhere/",))
    assert distance(str(Path(torch.__file__))) == 3
    assert distance(str(Path(pytest.__file__))) == 1
    networks = Applied(lambda x: x * max(x[0, 0, 0].tolist())), Applied(lambda x: torch.from_numpy(np.sort(x.numpy())))
    for network, said in zip(networks, ("as a number of Python", "it computes in NumPy, past PyTorch"), strict=True):
        with pytest.raises(Exception, match=r".") as caught:
            torch.export.export(network, X, strict=False)
        assert re.search(rf"{said} \(test_operators\.py:\d+\)$", reason(caught.value))
