"""A search by a surrogate that was recorded on one kind of processor is verified on another, whose last digits differ.

`recorded/surrogate` is one, with `bayes` and with rung 0, which is verified on whatever machine the tests run. Where
what a model says has changed on purpose, record it again: `python -m tests.test_other_cpu tests/recorded/surrogate`.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evonas
from tests.synthetic import CURVES, SPEC, Toy

RECORDED = Path(__file__).parent / "recorded" / "surrogate"
SETTINGS: dict[str, Any] = {
    "seed": 5,
    "space": {"kind": "Toy"},
    "task": {"kind": "synthetic"},
    "objectives": [{"metric": "error"}, {"metric": "params"}],
    "training": {"epochs": 9, "rungs": [0, 3], "before": {"kind": "surrogate", "promote": 0.5}},
    "strategy": {"kind": "bayes", "pool": 60},
    "schedule": {"generation": 32},
    "budget": {"evaluations": 64},
    "runtime": {"kind": "serial"},
}
OTHER = {
    "OPENBLAS_CORETYPE": "Nehalem",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA",
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
}
"""A processor of 2008, as far as OpenBLAS, numpy, libm, PyTorch and MKL know."""


def record(folder: Path) -> evonas.Run:
    return evonas.search(SETTINGS, space=Toy(), task=SPEC, evaluator=CURVES, run=folder, progress=False)


def last_digits() -> str:
    """A digest of what processors compute differently: products, exponentials, logarithms."""
    numbers = np.random.default_rng(0).random((60, 60))
    found = [numbers @ numbers.T, np.exp(-numbers), np.log(numbers)]
    return hashlib.sha256(b"".join(one.tobytes() for one in found)).hexdigest()


def is_predicted(run: evonas.Run) -> bool:
    """Whether of many candidates something was expected, by the strategy and at rung 0."""
    rows = run.evaluations
    return bool((rows["predicted"].map(len) > 0).sum() > 30 and rows["before.error"].notna().sum() > 15)


def test_a_recorded_search_by_a_surrogate_is_verified_on_this_machine() -> None:
    run = evonas.load(RECORDED, Toy())
    assert is_predicted(run)
    verdict = run.verify()
    assert (verdict.difference, verdict.candidates, verdict.bred) == ("", 64, True)


@pytest.mark.slow
def test_a_search_by_a_surrogate_is_verified_on_another_kind_of_processor(tmp_path: Path) -> None:
    run = record(tmp_path / "run")
    assert is_predicted(run)
    line = [sys.executable, "-m", "tests.test_other_cpu", "--verify", str(tmp_path / "run")]
    there = subprocess.run(line, env={**os.environ, **OTHER}, capture_output=True, text=True, check=True)
    digits, verdict = there.stdout.splitlines()
    if digits == last_digits():
        pytest.skip("this machine cannot play another processor: its last digits stay")
    assert verdict == "verified 64"


if __name__ == "__main__":
    if sys.argv[1] == "--verify":
        verdict = evonas.load(sys.argv[2], Toy()).verify()
        print(last_digits(), verdict.difference or f"verified {verdict.candidates}", sep="\n")
    else:
        record(Path(sys.argv[1]))
