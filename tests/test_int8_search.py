"""`configs/int8.yaml`: a search with the error in 8 bits and the latencies of two runtimes as objectives."""

from importlib.util import find_spec
from pathlib import Path

import pytest

import evonas
from evonas.cli import main

CONFIG = Path(__file__).parent.parent / "configs" / "int8.yaml"
ONE_RUNTIME = [
    "objectives=[{metric: error, target: onnx}, {metric: latency_ms, target: onnx}]",
    "record=[error, 'size_mb[onnx]']",
    "targets={onnx: {backend: onnxruntime, dtype: int8, max_seconds: 0.2}}",
]
SMALL = ["budget.evaluations=4", "strategy.population=4", "training.epochs=2", "training.rungs=[1]"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        pytest.param(ONE_RUNTIME, id="onnxruntime"),
        pytest.param(
            [],
            id="both",
            marks=pytest.mark.skipif(find_spec("litert_torch") is None, reason="needs the extra litert"),
        ),
    ],
)
def test_a_search_by_the_error_in_8_bits(overrides: list[str], tmp_path: Path) -> None:
    settings = [word for text in (*SMALL, "runtime.kind=serial", *overrides) for word in ("--set", text)]
    assert main(["search", str(CONFIG), "--run", str(tmp_path), *settings]) == 0
    assert main(["verify", str(tmp_path)]) == 0
    run = evonas.Run(tmp_path)
    names = [name for name in run.front().columns if name.startswith(("error[", "latency_ms["))]
    assert len(names) == (2 if overrides else 4)
    assert run.front()[names].notna().all().all()
    stopped = run.evaluations[run.evaluations["status"] == "stopped"]
    assert stopped[names[-1]].notna().all()
