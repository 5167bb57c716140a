"""Exported files give the classes of the network in environments that have their runtime and no evonas: on 1,000
images, for the spaces of evonas and one of the user's own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import evonas
from evonas import Arch, Choice, Space, Split, Splits, TaskSpec
from evonas import spaces as registry
from evonas.commands.export import Wanted, export
from tests.exporters.environments import environment, run

pytestmark = pytest.mark.slow

WITHOUT_EVONAS = """
import importlib.util, sys, numpy as np
assert importlib.util.find_spec("evonas") is None
x = np.load(sys.argv[2])
"""
SCRIPTS = {
    "pt2": "import torch; y = torch.export.load(sys.argv[1]).module()(torch.from_numpy(x)).detach().numpy()",
    "onnx": "import onnxruntime; y = onnxruntime.InferenceSession(sys.argv[1]).run(None, {'input': x})[0]",
    "py": "import torch; sys.path.insert(0, sys.argv[1].rpartition('/')[0]); import net; "
    "y = net.load()(torch.from_numpy(x)).detach().numpy()",
}
PACKAGES = {"pt2": "torch", "py": "torch", "onnx": "onnxruntime"}
CLASSES = {
    "onnx": "import onnxruntime; "
    "classes = json.loads(onnxruntime.InferenceSession(sys.argv[1]).get_modelmeta().custom_metadata_map['classes'])",
    "pt2": "import torch; extra = {'metadata.json': ''}; torch.export.load(sys.argv[1], extra_files=extra); "
    "classes = json.loads(json.loads(extra['metadata.json'])['classes'])",
    "py": "import torch; sys.path.insert(0, sys.argv[1].rpartition('/')[0]); import net; "
    "classes = json.loads(net.METADATA['classes'])",
}
"""As docs/how-to/export.md has it."""
TESTED = 1000


class Branching(nn.Module):
    """Looks at its input, as no tracer of layers follows."""

    def __init__(self, width: int, task: TaskSpec) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(64, width), nn.Linear(width, task.outputs)
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        flat = x.view(x.shape[0], -1) if x.ndim > 2 and x.dtype == torch.float32 else x
        output: Tensor = self.last(torch.tanh(self.first(flat)) * self.scale)
        return output


class Own(Space):
    width = Choice(8, 12, 16)

    def build(self, arch: Arch, task: TaskSpec) -> nn.Module:
        return Branching(arch.width, task)


SPACES: dict[str, tuple[Any, tuple[int, ...]]] = {
    "mobile": ({"kind": "mobile", "stages": 2, "widths": [8, 12], "depths": [1]}, (1, 8, 8)),
    "cell": ({"kind": "cell", "stages": 1, "channels": [6]}, (1, 8, 8)),
    "mlp": ({"kind": "mlp"}, (64,)),
    "tcn": ({"kind": "tcn"}, (8, 8)),
    "own": (Own(), (1, 8, 8)),
}
"""Name -> the section of the config or the space, and the shape of an example."""


@pytest.fixture(scope="module")
def pythons(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    return {
        name: environment(tmp_path_factory.mktemp(name) / "env", name, "numpy") for name in ("torch", "onnxruntime")
    }


@pytest.mark.parametrize("name", SPACES)
def test_files_give_the_classes_of_the_network_without_evonas(
    name: str, pythons: Mapping[str, Path], tmp_path: Path
) -> None:
    space, shape = SPACES[name]
    from sklearn.datasets import load_digits  # which takes a second to import

    images = load_digits()
    x, y = images.images.astype(np.uint8).reshape(-1, *shape), images.target
    np.save(tmp_path / "x.npy", x[:TESTED])
    parts = [slice(TESTED, 1600), slice(1600, None), slice(TESTED)]
    task = evonas.classification("digits", Splits(*(Split(x[part], y[part]) for part in parts)))
    found = evonas.search(
        _config(space), space=None if isinstance(space, dict) else space, task=task, run=tmp_path / "run"
    )
    best = int(found.front()["candidate"].iloc[0])
    with torch.inference_mode():
        expected = found.build(best)(task.prepare(torch.from_numpy(x[:TESTED]))).numpy()
    registry.SPACES["Own"] = Own
    try:
        for form, script in SCRIPTS.items():
            out = tmp_path / f"net.{form}"
            list(export(str(tmp_path / "run"), best, Wanted(str(out))))
            save = f"{WITHOUT_EVONAS}{script}; np.save(sys.argv[3], y)"
            run(pythons[PACKAGES[form]], save, str(out), str(tmp_path / "x.npy"), str(tmp_path / "y.npy"))
            output = np.load(tmp_path / "y.npy")
            assert (output.argmax(1) == expected.argmax(1)).all()
            assert np.allclose(output, expected, atol=1e-4 * np.abs(expected).max())
    finally:
        del registry.SPACES["Own"]


def _config(space: Any) -> dict[str, Any]:
    return {
        "space": space if isinstance(space, dict) else {"kind": "Own"},
        "task": {"kind": "digits"},
        "objectives": [{"metric": "error"}, {"metric": "params"}],
        "strategy": {"population": 2},
        "training": {"epochs": 2},
        "budget": {"evaluations": 2},
        "runtime": {"kind": "serial"},
    }


def test_classes_are_read_where_only_the_runtime_is(pythons: Mapping[str, Path], tmp_path: Path) -> None:
    found = evonas.search(_config(SPACES["mobile"][0]), run=tmp_path / "run")
    best = int(found.front()["candidate"].iloc[0])
    for form, script in CLASSES.items():
        out = tmp_path / f"net.{form}"
        list(export(str(tmp_path / "run"), best, Wanted(str(out))))
        printed = run(pythons[PACKAGES[form]], f"import json, sys; {script}; print(classes)", str(out))
        assert printed.strip() == str([str(digit) for digit in range(10)])
