"""Every exporter writes a network that computes the same elsewhere; the suffix of the file decides which one it is."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import evonas
from evonas.cli import main
from evonas.errors import UserError
from evonas.exporters import EXPORTERS, Exporter, shipped, written
from evonas.measuring.backends.conversion import reason
from evonas.testing import check_exporter

EVERY = pytest.mark.parametrize("name", [name for name in EXPORTERS if name not in ("pte", "tflite")])


class Scaled(nn.Module):
    """What a task does to stored examples."""

    def forward(self, x: Any) -> Any:
        return x.float() / 255


def one_input() -> tuple[nn.Module, Any]:
    return shipped(Scaled(), nn.Sequential(nn.Flatten(), nn.Linear(64, 5))), torch.randint(0, 255, (2, 1, 8, 8)).byte()


@EVERY
def test_an_exporter_keeps_its_contract(name: str) -> None:
    check_exporter(EXPORTERS[name])


@EVERY
def test_a_file_is_checked_where_something_can_run_it(name: str) -> None:
    _, checked = written(EXPORTERS[name], *one_input())
    assert ("differs by" in checked) is (EXPORTERS[name].run is not None)


def test_a_file_that_computes_something_else_is_refused() -> None:
    network, x = one_input()
    wrong = Exporter(lambda network, x: b"file", lambda file, x: np.zeros((3, 5), np.float32), "")
    with pytest.raises(UserError, match=r"output differs by .* of the largest"):
        written(wrong, network, x)
    other_shape = Exporter(lambda network, x: b"file", lambda file, x: np.zeros((3, 4), np.float32), "")
    with pytest.raises(UserError, match=r"has the shape \(3, 4\), not \(3, 5\)"):
        written(other_shape, network, x)


@pytest.mark.slow
def test_what_the_tracer_does_not_know_becomes_onnx_with_prepare() -> None:
    network = shipped(Scaled(), nn.Sequential(nn.Flatten(), nn.RMSNorm(64), nn.Linear(64, 5)))
    x = torch.randint(0, 255, (3, 1, 8, 8)).byte()
    file, _ = written(EXPORTERS["onnx"], network, x[:2])
    assert EXPORTERS["onnx"].run
    assert np.allclose(EXPORTERS["onnx"].run(file, x.numpy()), network(x).detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("name", ["pt2", "py", "onnx"])
def test_a_network_that_cannot_be_converted_is_one_line(
    name: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    class Moody(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum().item() > 0 else -x

    with pytest.raises(UserError, match="the network cannot be converted: ") as found:
        written(EXPORTERS[name], Moody().eval(), torch.ones(2, 3))
    assert "\n" not in str(found.value)
    logged = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert (capfd.readouterr(), logged) == (("", ""), []), "nothing but the line"


class Odd(torch.autograd.Function):
    """What the tracer says something of from C++, past Python's standard error."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.special.bessel_j0(x)


def test_a_tracer_writes_nothing_itself(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UserError, match="bessel_j0"):
        written(EXPORTERS["onnx"], Applied(Odd.apply).eval(), torch.ones(2, 3))  # type: ignore[arg-type]
    assert capfd.readouterr() == ("", "")


class Applied(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.register_buffer("factor", torch.tensor(2.0))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x) * float(self.factor)  # a weight is the same for all inputs


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda x: x * 2 if float(x.sum()) > 0 else x, "as a number of Python (test_exporters.py:"),
        (lambda x: x * 2 if x.detach().numpy().sum() > 0 else x, "as a number of Python (test_exporters.py:"),
        (lambda x: x * 2 if torch.equal(x[:1], x[-1:]) else x, "as a number of Python (test_exporters.py:"),
        (lambda x: x * 2 if len(x) > 1 else x, "the file's output differs by 1 of the largest"),
    ],
    ids=["sign", "numpy", "equal", "number of examples"],
)
def test_a_tracer_freezes_no_branch(
    function: Callable[[Tensor], Tensor], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)  # the slower converter finds out by itself
    with pytest.raises(UserError) as found:
        written(EXPORTERS["onnx"], Applied(function).eval(), torch.ones(2, 3))
    assert says in str(found.value)


def test_what_hangs_on_sizes_and_weights_can_be_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    network = Applied(lambda x: x * int(x.shape[1]) if x.shape[1] > 2 else -x).eval()
    assert "differs by 0" in written(EXPORTERS["onnx"], network, torch.ones(2, 3))[1]


def test_a_converter_is_quoted_with_operator_and_line() -> None:
    """Chains of errors as PyTorch 2.14 and LiteRT give them."""
    node = "Error when translating node %bessel_j0 : call_function[target=torch.ops.prims.bessel_j0.default](args)"
    long = "Failed to convert the program. \x1b[96mThis is step 3/3\x1b[0m of it, after torch.ops.aten.conv2d.default"
    first = ValueError("No decompositions registered")
    for text in (node, long):
        later = RuntimeError(text)
        later.__cause__, first = first, later
    assert reason(first) == "ValueError: No decompositions registered (prims.bessel_j0)"
    where = f'Original traceback:\nFile "{Path("odd.py").absolute()}", line 9, in forward'
    lite = RuntimeError(f"torch.complex64\n\nWhile executing [target=torch.ops.aten._to_copy.default](args)\n{where}")
    assert reason(lite) == "RuntimeError: torch.complex64 (aten._to_copy, odd.py:9)"
    assert reason(RuntimeError("\x1b[96mThis\x1b[0m fails")) == "RuntimeError: This fails"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> evonas.Run:
    config = {
        "space": {"kind": "cell", "stages": 1, "channels": [4, 6]},
        "task": {"kind": "digits"},
        "objectives": [{"metric": "error"}, {"metric": "params"}],
        "strategy": {"population": 2},
        "training": {"epochs": 1},
        "budget": {"evaluations": 2},
        "runtime": {"kind": "serial"},
    }
    return evonas.search(config, run=tmp_path_factory.mktemp("exports") / "run")


@EVERY
def test_the_suffix_decides(name: str, run: evonas.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    best = str(run.front()["candidate"].iloc[0])
    out = tmp_path / f"net.{name}"
    assert main(["export", str(run.folder), best, "--out", str(out)]) == 0
    assert f"{out}: takes uint8 (N, 1, 8, 8)" in capsys.readouterr().out
    assert out.stat().st_size > 100
    exporter = EXPORTERS[name]
    if exporter.run:
        stored = run.task().splits.test.x[:5]
        with torch.inference_mode():
            expected = run.build(int(best))(run.task().prepare(torch.from_numpy(stored)))
        assert np.allclose(exporter.run(out.read_bytes(), stored), expected.numpy(), atol=1e-4)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--out", "net.onxx"], "unknown 'onxx'; did you mean 'onnx'?"),
        ([], None),
        (["--out", "net"], "its suffix decides the format: .pt2, .onnx"),
        (["--out", "net.coreml"], "unknown 'coreml' (known: onnx, pt2, pte, py, safetensors, tflite)"),
        (["--int8"], "--int8 is for onnx, pte, tflite, not for pt2"),
        (["--licence", "CC0"], "give --card FILE"),
        (["--set", "task.path=x"], "--int8 alone needs"),
        (["--out", "net.onnx", "--card", "net.onnx"], "is the file of --out"),
        (["--out", "net.onnx", "--card", "no/such/card.md"], "No such file or directory"),
        (["--format", "coreml"], "unknown 'coreml'"),
        (["--out", "net.onnx", "--format", "pt2"], "do not agree"),
        (["--out", "no/such/folder/net.pt2"], "No such file or directory"),
    ],
)
def test_a_wrong_suffix_or_format_is_one_line(
    words: list[str],
    says: str | None,
    run: evonas.Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    best = str(run.front()["candidate"].iloc[0])
    assert main(["export", str(run.folder), best, *words]) == (2 if says else 0)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == bool(says)
    assert says is None or says in lines[0]
