"""Every backend keeps the contract; and what each has of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from torch import Tensor, nn

from evonas.config import TargetConfig
from evonas.errors import UserError
from evonas.inputs import called, example, mapped
from evonas.measuring.backends import aten_graph, export, onnx_runtime, pytorch
from evonas.measuring.backends.backend import BACKENDS, RUNS_ON, Array, Backend, check_device
from evonas.measuring.backends.export import TOLERANCE
from evonas.records import Inputs
from evonas.testing import check_backend
from tests.measuring.small import COMMON, INPUT, Applied, by_the_sign, noisy, small

FAST = [name for name in COMMON if name != "torch.compile"]
CONVERTING = ["onnxruntime", "openvino"]


def backend(name: str, **options: Any) -> Backend:
    return BACKENDS[name]("pi", TargetConfig(backend=name, **options))  # type: ignore[arg-type]


def eager(network: nn.Module, config: TargetConfig, inputs: Inputs = INPUT) -> Array:
    training = {module: module.training for module in network.modules()}
    with torch.no_grad():
        found = called(network.eval(), mapped(torch.from_numpy, example(inputs, config.batch))).numpy()
    for module, mode in training.items():
        module.training = mode
    return found


@pytest.mark.parametrize("name", COMMON)
def test_a_backend_keeps_its_contract(name: str) -> None:
    children = [child.pid for child in psutil.Process().children()]
    kinds = ["images", "tokens", "several inputs"] if name in FAST else ["images"]
    check_backend(BACKENDS[name], TargetConfig(backend=name, batch=2), kinds)  # type: ignore[arg-type]
    assert [child.pid for child in psutil.Process().children()] == children


@pytest.mark.parametrize("name", COMMON)
def test_conditions_are_complete(name: str) -> None:
    found = backend(name, batch=2)
    library = "torch" if name.startswith("torch") else name
    assert set(found.conditions) == {"backend", "device", "dtype", "threads", "batch", library}
    expected = {"backend": name, "dtype": "float32", "threads": "1", "batch": "2"}
    assert {key: found.conditions[key] for key in expected} == expected
    assert found.device == "cpu"
    assert all(float(value) > 0 for value in found.state.values())


@pytest.mark.parametrize("name", COMMON)
def test_a_file_gives_what_the_network_gives(name: str) -> None:
    config, network = TargetConfig(backend=name, batch=2), small()  # type: ignore[arg-type]
    loaded = backend(name, batch=2).load(export.to_file(network, INPUT, config), INPUT)
    np.testing.assert_allclose(loaded.output(), eager(network, config), atol=1e-5)
    assert len(loaded.passes(3)) == 3


@pytest.mark.parametrize("name", COMMON)
@pytest.mark.parametrize("device", ["cuda", "cuda:7", "npu"])
def test_a_device_that_is_not_there(name: str, device: str) -> None:
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(UserError, match=rf"^targets\.pi\.device: .*{device}.*(?i:cpu)") as caught:
        backend(name, device=device)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_dtypes(name: str, dtype: str) -> None:
    try:
        found = backend(name, dtype=dtype)
    except UserError as error:  # ONNX Runtime has no bfloat16, and OpenVINO what its device has
        pytest.skip(str(error))
    output, expected = found.load(small(), INPUT).output(), eager(small(), TargetConfig())
    off = np.abs(output - expected).max() / np.abs(expected).max()
    assert 0 < off < TOLERANCE[dtype]
    assert output.dtype == np.float32
    assert found.conditions["dtype"] == dtype


def test_onnxruntime_has_no_bfloat16() -> None:
    with pytest.raises(UserError, match=r"^targets\.pi\.dtype: onnxruntime takes float32 or float16, not bfloat16$"):
        backend("onnxruntime", dtype="bfloat16")


def test_openvino_computes_in_what_the_device_has() -> None:
    import openvino

    if "FP16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor computes in float16")
    with pytest.raises(UserError, match=r"^targets\.pi\.dtype: cpu of .* in float32.* openvino, not in float16$"):
        backend("openvino", dtype="float16")


@pytest.mark.parametrize("name", FAST)
def test_the_dtype_of_the_network_does_not_matter(name: str) -> None:
    np.testing.assert_allclose(
        backend(name).load(small().double(), INPUT).output(), eager(small(), TargetConfig()), atol=1e-5
    )


def test_torch_runs_with_the_threads_and_the_dtype_of_the_config() -> None:
    seen: list[tuple[int, torch.dtype, bool, bool, bool]] = []

    def look(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        modes = module.training, torch.is_inference_mode_enabled(), inputs[0].is_contiguous()
        seen.append((torch.get_num_threads(), output.dtype, *modes))

    network, before = small(), torch.get_num_threads()
    network[0].register_forward_hook(look)  # type: ignore[operator,index]
    backend("torch", threads=before + 1, dtype="bfloat16").load(network, INPUT).passes(2)
    assert seen == 2 * [(before + 1, torch.bfloat16, False, True, True)]
    assert torch.get_num_threads() == before


def test_onnxruntime_and_openvino_run_with_the_threads_of_the_config(monkeypatch: pytest.MonkeyPatch) -> None:
    def loaded_by(name: str, method: str, threads: int) -> Any:
        """What the backend makes of a file before it sets its input."""
        found, seen = backend(name, threads=threads), list[Any]()
        own = getattr(found, method)
        monkeypatch.setattr(found, method, lambda first, inputs: (seen.append(first), own(first, inputs))[1])
        found.load(small(), INPUT)
        return seen[0]

    options = loaded_by("onnxruntime", "_bound", 3).get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (3, 1)
    compiled = loaded_by("openvino", "_request", 1)
    assert (compiled.get_property("INFERENCE_NUM_THREADS"), compiled.get_property("NUM_STREAMS")) == (1, 1)
    assert compiled.get_property("INFERENCE_PRECISION_HINT").to_string() == "f32"


@pytest.mark.parametrize("name", FAST)
def test_the_random_state_is_left_as_it_was(name: str) -> None:
    network = Applied(noisy)
    before = torch.get_rng_state()
    loaded = backend(name).load(network, INPUT)
    loaded.passes(2)
    loaded.output()
    loaded.memory_mb()
    assert torch.equal(torch.get_rng_state(), before)


def test_memory_in_torch_is_counted_in_bytes() -> None:
    """A linear layer: 192 inputs, 100 outputs; the input, the weights and biases, the flat view, the output."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 100))
    loaded = backend("torch", batch=3).load(network, INPUT)
    assert loaded.memory_mb() == 4 * (3 * 192 + 193 * 100 + 3 * 100) / 1e6
    assert backend("torch", batch=3, dtype="float16").load(network, INPUT).memory_mb() == loaded.memory_mb() / 2


@pytest.mark.parametrize("name", CONVERTING)
def test_a_network_that_is_another_one_when_it_is_converted(name: str) -> None:
    with pytest.raises(export.ExportError, match=r"branches on, a value of its input as a number of Python \(small"):
        backend(name).load(Applied(by_the_sign), INPUT)


@pytest.mark.parametrize(
    ("name", "library"),
    [("onnxruntime", "onnxruntime"), ("openvino", "openvino")],
)
def test_a_library_that_is_not_installed(name: str, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UserError, match=rf"^targets\.pi\.backend: {library} is not .*pip install .*\[{name}\]'.*$"):
        backend(name)


BOARD = """
import json, sys
sys.modules["torch"] = None
from evonas.config import TargetConfig
from evonas.measuring.backends.backend import BACKENDS
from evonas.records import InputSpec
config = TargetConfig(backend=sys.argv[1])
loaded = BACKENDS[config.backend]("pi", config).load(sys.stdin.buffer.read(), InputSpec((3, 8, 8)))
print(json.dumps([loaded.output().tolist(), list(loaded.passes(2)), loaded.memory_mb()]))
"""


@pytest.mark.parametrize("name", CONVERTING)
def test_a_board_needs_no_torch_and_reports_to_nobody(name: str, tmp_path: Path) -> None:
    file = export.to_file(small(), INPUT, TargetConfig(backend=name))  # type: ignore[arg-type]
    environment = {key: value for key, value in os.environ.items() if key not in ("CI", "ORT_DISABLE_TELEMETRY")}
    done = subprocess.run(
        [sys.executable, "-c", BOARD, name],
        input=file,
        capture_output=True,
        env={**environment, "HOME": str(tmp_path)},
        check=True,
    )
    output, times, memory = json.loads(done.stdout)
    np.testing.assert_allclose(output, eager(small(), TargetConfig()), atol=1e-5)
    assert (len(times), memory > 1, done.stderr) == (2, True, b"")
    assert list(tmp_path.rglob("*")) == []  # they keep an identity of the machine there


@pytest.mark.parametrize("name", CONVERTING)
@pytest.mark.parametrize("key", [b"\n\x08location", b"\n\x88\x00location"])
def test_a_file_that_names_another_file(name: str, key: bytes) -> None:
    with pytest.raises(ValueError, match="takes weights from other files"):
        backend(name).load(key + b"\x12\x0b/etc/passwd", INPUT)


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("owned",)


def crafted(steps: list[Any], weight: str = "w0") -> bytes:
    from safetensors.torch import save

    return save({weight: torch.ones(1)}, {"steps": json.dumps([["input", "x"], *steps, ["output", {"step": 1}]])})


MKDIR = '__import__("os").mkdir("owned")'
NAME = """x"),eval("__import__('os')\\x2emkdir('owned')"),(\""""  # torch refuses points in the names of weights
ATTACKS = {
    "a pickle": lambda file: torch.save(Evil(), file),
    "a script": lambda file: torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)), file),
    "nothing": lambda file: file.write(b""),
    "a weight's name": lambda file: file.write(crafted([["weight", NAME]], NAME)),
    "an argument's name": lambda file: file.write(crafted([["call", "relu.default", [], {f"x={MKDIR} or self": 1}]])),
    "a file to write": lambda file: file.write(crafted([["call", "save.default", [{"step": 0}, "owned"], {}]])),
    "a file to read": lambda file: file.write(crafted([["call", "from_file.default", ["/etc/passwd"], {}]])),
    "no operator": lambda file: file.write(crafted([["call", "__class__.mro", [], {}]])),
    "no checks": lambda file: file.write(crafted([["call", "_unsafe_index.Tensor", [{"step": 0}, []], {}]])),
    "a function": lambda file: file.write(crafted([["call", "relu.default", [{"torch": "load"}], {}]])),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of TorchScript
@pytest.mark.parametrize("attack", ATTACKS)
def test_torch_runs_nothing_but_operators_from_a_file(
    attack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open("network", "wb") as file:
        ATTACKS[attack](file)
    with pytest.raises(ValueError, match=r"^this is not a network as evonas sends it"):
        backend("torch").load(Path("network").read_bytes(), INPUT)
    assert os.listdir() == ["network"]


def test_text_in_a_file_is_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = f"'+{MKDIR}+'"
    network = aten_graph.from_bytes(
        crafted([["call", "gelu.default", [{"step": 0}], {"approximate": text}]]), torch.device("cpu")
    )
    with pytest.raises(RuntimeError, match="approximate"):
        network(torch.ones(2))
    assert os.listdir() == []


def test_compiling_a_network_leaves_those_before_it_compiled_and_wears_the_process_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from torch._dynamo.utils import counters

    monkeypatch.setattr(pytorch, "MOST_COMPILED", 2)
    found = backend("torch.compile")
    with torch._dynamo.config.patch(recompile_limit=1, fail_on_recompile_limit_hit=True):
        first = found.load(nn.Sequential(nn.Flatten(), nn.Linear(192, 3)), INPUT)
        assert not found.worn
        found.load(nn.Sequential(nn.Flatten(), nn.Linear(192, 5)), INPUT)
        compiled = counters["stats"]["unique_graphs"]
        first.passes(2)
    assert counters["stats"]["unique_graphs"] == compiled >= 2
    assert found.worn


def test_there_is_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(
        UserError, match=r"^targets\.pi\.backend: torch\.compile on cpu needs a C\+\+ .*no-such-compiler"
    ):
        backend("torch.compile")


@pytest.mark.gpu
@pytest.mark.parametrize(("name", "graphs"), [("torch", False), ("torch", True), ("torch.compile", False)])
def test_on_a_gpu(name: str, graphs: bool) -> None:
    found = backend(name, device="cuda", graph=graphs, batch=4)
    network = small()
    before = torch.cuda.get_rng_state()
    loaded = found.load(network, INPUT)
    assert all(ms > 0 for ms in loaded.passes(5))
    np.testing.assert_allclose(loaded.output(), eager(network, TargetConfig(batch=4)), atol=1e-2)
    assert loaded.memory_mb() > 0
    assert found.device.startswith("GPU-")
    assert {"cuda", "graph"} <= set(found.conditions)
    assert torch.equal(torch.cuda.get_rng_state(), before)


@pytest.mark.gpu
def test_a_gpu_has_one_name() -> None:
    from evonas.measuring.backends import devices

    assert devices.gpu(0) == (torch.cuda.get_device_name(0), backend("torch", device="cuda").device)


@pytest.mark.parametrize("name", FAST)
def test_a_network_that_ignores_its_input(name: str) -> None:
    class Constant(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.ones(x.shape[0], 5)

    loaded = backend(name, batch=2).load(Constant(), INPUT)
    assert min(loaded.passes(3)) > 0
    assert loaded.output().tolist() == [[1.0] * 5] * 2


class FallingBack:
    """An onnxruntime for GPUs whose provider does not load, and which says why on the standard error, from C++."""

    __version__ = "1.31.1"
    SAYS = (
        "\x1b[1;31m2026-11-01 10:00:00.1 [E:onnxruntime:Default, provider_bridge_ort.cc:2251 TryGetProviderInfo_CUDA] "
        "/src/provider_bridge_ort.cc:1844 Provider::Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load library "
        "libonnxruntime_providers_cuda.so with error: libcublasLt.so.12: cannot open shared object file\x1b[m\n"
    )

    def __init__(self) -> None:
        self.preloaded = 0

    def get_available_providers(self) -> list[str]:
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    def preload_dlls(self) -> None:
        self.preloaded += 1

    def InferenceSession(self, *_: object, **__: object) -> object:  # noqa: N802
        os.write(2, self.SAYS.encode())
        return type("Session", (), {"get_providers": lambda self: ["CPUExecutionProvider"]})()


def test_onnxruntime_says_itself_why_it_does_not_run_on_a_gpu(monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    pytest.importorskip("onnxruntime")
    fake = FallingBack()
    monkeypatch.setattr(onnx_runtime, "_imported", lambda name: fake)
    monkeypatch.setattr(onnx_runtime.OnnxRuntime, "_options", lambda self: None)
    monkeypatch.setattr(onnx_runtime.devices, "gpu", lambda position: ("NVIDIA L4", "GPU-abc"))
    found = backend("onnxruntime", device="cuda")
    with pytest.raises(UserError) as caught:
        found.load(small(), INPUT)
    assert str(caught.value) == (
        "targets.pi.device: onnxruntime cannot load what it needs for CUDAExecutionProvider: Failed to load library "
        "libonnxruntime_providers_cuda.so with error: libcublasLt.so.12: cannot open shared object file"
    )
    assert fake.preloaded == 1
    assert "libcublasLt" not in capfd.readouterr().err


def test_an_onnxruntime_for_cpus_is_taken_away_before_the_one_for_gpus_comes() -> None:
    with pytest.raises(UserError, match=r"pip uninstall -y onnxruntime onnxruntime-gpu; pip .*\[onnxruntime-gpu\]'$"):
        backend("onnxruntime", device="cuda")


def test_a_device_that_no_machine_has_for_a_backend() -> None:
    with pytest.raises(UserError, match=r"^targets\.pi\.device: onnxruntime does not run on npu, but on cpu, cuda$"):
        check_device("pi", TargetConfig(backend="onnxruntime", device="npu"))
    for name, kinds in RUNS_ON.items():
        for kind in kinds:
            check_device("pi", TargetConfig(backend=name, device=kind))  # type: ignore[arg-type]
    assert RUNS_ON.keys() == BACKENDS.keys()
