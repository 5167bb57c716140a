"""What a fork server imports before it forks leaves CUDA alone.

One `torch.cuda.is_available()` at the import of any module makes all forks of its process unfit for CUDA ("Cannot
re-initialize CUDA in forked subprocess"), and nothing of that is seen on a machine without a GPU.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evonas.evaluation import Evaluator
from evonas.runtime.sandbox.packing import pack

ROOT = Path(__file__).parents[1]
WATCHED = """
import json, sys, traceback
import torch
import torch.cuda
calls = []
def watched(name, answer):
    def call(*arguments, **options):
        where = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_stack()[:-1]]
        calls.append([name, *[place for place in where if "importlib" not in place][-3:]])
        return answer
    return call
torch.version.cuda = "13.0"  # as a build for CUDA has it
for name, answer in {"is_available": True, "device_count": 1, "_lazy_init": None, "current_device": 0}.items():
    setattr(torch.cuda, name, watched(name, answer))
torch._C._cuda_getDeviceCount = watched("_cuda_getDeviceCount", 1)
for module in sys.argv[1:]:
    __import__(module)
print(json.dumps(calls))
"""


def calls_of(*modules: str, path: str = "") -> list[list[str]]:
    """What asks CUDA for something while modules are imported, each with where."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), path])}
    command = [sys.executable, "-c", WATCHED, *modules]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    found: list[list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_what_a_fork_server_preloads_leaves_cuda_alone() -> None:
    preload = pack(Evaluator).preload
    assert preload == "evonas.evaluation.evaluate"
    assert f'PRELOAD = "{preload}"' in (ROOT / "benchmarks/gpu/fork_probe.py").read_text()
    assert calls_of(preload) == []


@pytest.mark.slow
@pytest.mark.parametrize("call", ["is_available", "device_count", "_lazy_init"])
def test_a_module_that_asks_is_seen(call: str, tmp_path: Path) -> None:
    (tmp_path / "asks.py").write_text(f"import torch\ntorch.cuda.{call}()\n")
    ((name, *where),) = calls_of("asks", path=str(tmp_path))
    assert name == call
    assert where[-1] == f"{tmp_path}/asks.py:2"
