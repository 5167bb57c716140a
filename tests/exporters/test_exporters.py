"""Every exporter writes a network that computes the same elsewhere; the suffix of the file decides which one it is."""

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

EVERY = pytest.mark.parametrize("name", EXPORTERS)


class Scaled(nn.Module):
    """What a task does to stored examples."""

    def forward(self, x: Any) -> Any:
        return {**x, "image": x["image"].float() / 255} if isinstance(x, dict) else x.float() / 255


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear, self.embedding = nn.Linear(4, 3), nn.Embedding(7, 3)

    def forward(self, image: Tensor, tokens: Tensor) -> Tensor:
        out: Tensor = self.linear(image) + self.embedding(tokens).mean(1)
        return out


def one_input() -> tuple[nn.Module, Any]:
    return shipped(Scaled(), nn.Sequential(nn.Flatten(), nn.Linear(64, 5))), torch.randint(0, 255, (2, 1, 8, 8)).byte()


def several_inputs() -> tuple[nn.Module, Any]:
    x = {"image": torch.randint(0, 255, (2, 4)).byte(), "tokens": torch.randint(0, 7, (2, 6))}
    return shipped(Scaled(), TwoInputs()), x


@EVERY
@pytest.mark.parametrize("make", [one_input, several_inputs])
def test_a_file_computes_what_the_network_does_for_any_number_of_examples(name: str, make: Any) -> None:
    network, x = make()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    file, checked = written(EXPORTERS[name], network, x)
    assert file
    assert ("differs by" in checked) is (EXPORTERS[name].run is not None)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_a_file_that_computes_something_else_is_refused() -> None:
    network, x = one_input()
    wrong = Exporter(lambda network, x: b"file", lambda file, x: np.zeros((3, 5), np.float32), "")
    with pytest.raises(UserError, match=r"output differs by .* of the largest"):
        written(wrong, network, x)
    other_shape = Exporter(lambda network, x: b"file", lambda file, x: np.zeros((3, 4), np.float32), "")
    with pytest.raises(UserError, match="output differs by inf"):
        written(other_shape, network, x)


def test_a_network_that_cannot_be_converted_is_one_line() -> None:
    class Moody(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum().item() > 0 else -x

    with pytest.raises(UserError, match="the network cannot be converted: ") as found:
        written(EXPORTERS["pt2"], Moody().eval(), torch.ones(2, 3))
    assert "\n" not in str(found.value)


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
        (["--out", "net"], None),
        (["--format", "tflite"], "unknown 'tflite'"),
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
