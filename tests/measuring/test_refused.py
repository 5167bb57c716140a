"""What a runtime refuses though the network was converted for it is named: the call, its module and its line."""

import re
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evonas.config import TargetConfig
from evonas.errors import UserError
from evonas.exporters import EXPORTERS, written
from evonas.measuring.backends.backend import BACKENDS
from evonas.measuring.backends.export import ExportError, to_file
from evonas.measuring.backends.refused import Refused, plain, refusing
from evonas.measuring.remote.client import MeasureError, Remote
from evonas.measuring.remote.server import serve_here
from evonas.records import Endpoint
from tests.measuring.small import INPUT, Applied, by_the_sign

PLACE = r": module 1 \(Applied\), small\.py:\d+$"


def of_another_dtype(x: Tensor) -> Tensor:
    return F.elu(x.double()).to(x.dtype)


def in_5_axes(x: Tensor) -> Tensor:
    grid = x.flatten(1)[:, :12].reshape(-1, 2, 2, 1, 3).tanh()
    return x + F.grid_sample(x[:, None], grid, align_corners=True).mean()


def refused(backend: str, function: Callable[[Tensor], Tensor], **options: Any) -> str:
    network = nn.Sequential(nn.Tanh(), Applied(function))
    config = TargetConfig.model_validate({"backend": backend, "batch": 2, **options})
    with pytest.raises(ExportError) as caught:
        BACKENDS[backend]("pi", config).load(network, INPUT)
    return str(caught.value)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_onnxruntime_has_no_kernel_for_a_dtype(dtype: str) -> None:
    said = refused("onnxruntime", of_another_dtype, dtype=dtype)
    line = r"onnxruntime cannot run this call of aten\.elu: it has no kernel of Elu\(\d+\) for float64" + PLACE
    assert re.fullmatch(("it cannot be converted: " if dtype == "int8" else "") + line, said), said


def test_onnx_itself_lacks_an_operator_for_a_dtype() -> None:
    said = refused("onnxruntime", lambda x: x + (x > 0).cumsum(1))
    line = r"onnxruntime cannot run this call of aten\.cumsum: ONNX has no CumSum for bool" + PLACE
    assert re.fullmatch(line, said), said


def test_numbers_of_two_types() -> None:
    said = refused("onnxruntime", lambda x: F.conv2d(x, torch.ones(3, 3, 2, 2), padding="same"), dtype="float16")
    assert re.search(r"aten\.conv2d: \w+ takes numbers of one type, not float16 and float32" + PLACE, said), said


def test_openvino_lacks_an_operator() -> None:
    said = refused("openvino", in_5_axes)
    line = r"openvino cannot run this call of aten\.grid_sampler: GridSample is only supported for 4D .* rank: 5"
    assert re.fullmatch(line + PLACE, said), said
    said = refused("openvino", lambda x: x + torch.linalg.det(x)[..., None, None])
    assert re.fullmatch(r"openvino cannot run this call of aten\.linalg_det: it has no Det of ONNX" + PLACE, said), said


def test_a_call_that_is_not_found_out_has_its_module() -> None:
    said = refused("onnxruntime", lambda x: torch.unique(x.int())[:1] * x)  # which PyTorch cannot write down
    assert re.fullmatch(r"onnxruntime does not run it: it has no kernel of Unique\(11\) for what .*: module 1", said)


def test_an_export_names_it() -> None:
    network = nn.Sequential(nn.Tanh(), Applied(of_another_dtype)).eval()
    line = r"^export: the file does not run: onnxruntime cannot run this call of aten\.elu: .* float64" + PLACE
    with pytest.raises(UserError, match=line):
        written(EXPORTERS["onnx"], network, torch.zeros(2, 3, 8, 8))


def test_an_operator_that_another_is_made_of_has_its_place() -> None:
    said = refused("onnxruntime", lambda x: torch.erfinv(x.tanh()))
    assert re.fullmatch(r"it cannot be converted: ONNX has no \w+\.erf_?inv" + PLACE, said), said
    said = refused("onnxruntime", lambda x: torch.fake_quantize_per_tensor_affine(x, 0.1, 0, -8, 7))
    assert re.search(r"ONNX cannot convert this call of aten\.fake_quantize_per_tensor_affine: .*" + PLACE, said), said


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_a_board_s_row_says_what_one_of_this_machine_does(backend: str) -> None:
    function = of_another_dtype if backend == "onnxruntime" else in_5_axes
    place = serve_here("127.0.0.1")
    config = TargetConfig.model_validate({"backend": backend, "batch": 2, "max_seconds": 0.3, "address": place.url})
    network = nn.Sequential(nn.Tanh(), Applied(function))
    with pytest.raises(MeasureError) as caught:
        Remote("pi", config).measure(network, INPUT, place)
    assert str(caught.value) == f"target pi at {place.url}: {refused(backend, function)}"


def test_a_board_s_refusal_stands_as_it_is_where_nothing_here_can_tell_more(monkeypatch: pytest.MonkeyPatch) -> None:
    config, place = TargetConfig(backend="onnxruntime"), Endpoint("http://pi:1", "token")
    error = MeasureError("target pi at http://pi:1: onnxruntime does not run it: it has no Erf(13)")
    error.__cause__ = Refused("onnxruntime", "it has no Erf(13)")
    network = nn.Sequential(nn.Tanh(), Applied(torch.sin))
    assert Remote("pi", config)._named(error, network, INPUT, place) is error, "this machine's runs it"
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert Remote("pi", config)._named(error, network, INPUT, place) is error, "this machine has none"


BY_TORCH: dict[str, tuple[Callable[[Tensor], Tensor], type[Exception], str]] = {
    "its own error": (lambda x: x[:, 99], IndexError, r"^index 99 is out of bounds for dimension 1"),
    "a number of Python": (by_the_sign, ExportError, r"branches on, a value of its input as a .* \(small\.py:\d+\)$"),
    "an argument": (lambda x: (x * 1j).abs(), ExportError, r"send this call of aten\.mul: .* of type complex" + PLACE),
    "an operator": (
        lambda x: torch.ops.aten._softmax(x, 1, False),
        ExportError,
        r"send this call of aten\._softmax: the operator _softmax\.default is not one that a server runs"
        + ".*"
        + PLACE,
    ),
}


@pytest.mark.parametrize("what", BY_TORCH)
def test_what_a_board_is_not_sent_is_named(what: str) -> None:
    function, kind, line = BY_TORCH[what]
    with pytest.raises(kind, match=line):
        to_file(nn.Sequential(nn.Tanh(), Applied(function)), INPUT, TargetConfig(address="http://pi:1"))


SAID = {
    "[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : Could not find an implementation for Where(16) node with name ''": (
        "it has no kernel of Where(16) for what it is given"
    ),
    "[ONNXRuntimeError] : 1 : FAIL : Node (/Slice_1) Op (Slice) [ShapeInferenceError] Unexpected axis value: 1": (
        "Slice: Unexpected axis value: 1"
    ),
    "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code returned while running Reshape node. "
    "Name:'/Reshape' Status Message: /src/core/reshape_helper.h:91 onnxruntime::ReshapeHelper::ReshapeHelper(const "
    "onnxruntime::TensorShape&, bool) input_shape_size == requested_shape_size was false. It cannot be reshaped": (
        "Reshape: It cannot be reshaped"
    ),
    "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code returned while running MatMul node. "
    "Name:'/a/MatMul' Status Message: matmul_helper.h:59 Compute MatMul dimension mismatch": (
        "MatMul: Compute MatMul dimension mismatch"
    ),
    "[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : Protobuf parsing failed.": "Protobuf parsing failed",
    "Exception from src/inference/src/cpp/core.cpp:117:\nException from src/inference/src/dev/plugin.cpp:54:\n"
    "Check 'jitter != jitters.end()' failed at src/target_machine.cpp:31:\n"
    "Supported precisions set is not available for Mish operation.\n\n": (
        "Supported precisions set is not available for Mish operation"
    ),
    "Exception from src/inference/src/cpp/core.cpp:105:": "Exception from src/inference/src/cpp/core.cpp:105:",
    "": "it does not say why",
}


@pytest.mark.parametrize("text", SAID)
def test_what_runtimes_say_in_plain_words(text: str) -> None:
    assert plain(text) == SAID[text]


def test_memory_that_has_run_out_is_no_refusal() -> None:
    text = "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : BFCArena: Failed to allocate memory for requested buffer"
    for error in (RuntimeError(text), MemoryError(), UserError("no such device")):
        with pytest.raises(type(error)) as caught, refusing("onnxruntime"):
            raise error
        assert not isinstance(caught.value, Refused)
