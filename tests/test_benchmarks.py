"""Every script in benchmarks/ and examples/ runs with --smoke: a few candidates, in seconds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = [
    path.relative_to(ROOT)
    for folder in ("benchmarks", "examples")
    for path in sorted((ROOT / folder).glob("*.py"))
    if not path.name.startswith("_")  # what the scripts share
    and path.stem != "gpu_session"  # below
]
SLOW = {
    *("audit", "latency", "quiet_search", "soak"),
    # which run as a whole in test_examples.py
    *("pictures", "parameter_limit", "table", "speech", "series", "tune_searcher"),
}
NONSENSE = ("nan", "inf", "Traceback")


@pytest.mark.parametrize(
    "script",
    [pytest.param(script, marks=pytest.mark.slow if script.stem in SLOW else (), id=str(script)) for script in SCRIPTS],
)
def test_it_runs_with_few_candidates(script: Path, binaries: Path, tmp_path: Path) -> None:
    answer = subprocess.run(
        [binaries / "run-script", ROOT / script, "--smoke"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout, "it says nothing"
    assert not set(NONSENSE) & set(answer.stdout.replace("%", " ").split()), answer.stdout


def test_a_session_on_a_gpu_is_rehearsed_with_every_section_and_goal(binaries: Path, tmp_path: Path) -> None:
    answer = subprocess.run(
        [binaries / "run-script", ROOT / "benchmarks/gpu_session.py", "--dry"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert answer.returncode == 0, answer.stderr
    rows = [json.loads(line) for line in (tmp_path / "gpu_rows.jsonl").read_text().splitlines()]
    assert not [row for row in rows if "error" in row]
    took = [row["section"] for row in rows if "took_s" in row and len(row) == 2]
    assert took == ["env", "fork", "failures", "memory", "energy", "step", "latency", "pack"]
    assert [row["status"] for row in rows if row.get("deed") == "error"] == ["failed:error"]
    assert all(row["right"] for row in rows if "deed" in row)
    assert {"processes": 2, "failed": 0}.items() <= rows[-2].items()
    goals = answer.stdout.split("these figures mean nothing")[-1].strip().splitlines()
    assert len(goals) == 10
    assert all(goal.split()[-1] in ("met", "MISSED", "measured") for goal in goals)


@pytest.mark.slow
def test_a_session_on_a_gpu_needs_nothing_that_a_bare_machine_lacks(tmp_path: Path) -> None:
    """What is imported is in the docstring that names the wheels: neither Ray nor readers of tables."""
    lacking = ("ray", "pymoo", "pyarrow", "pandas", "moocore", "rich", "sklearn", "plotille", "torchmetrics")
    code = (
        f"import runpy, sys; sys.modules.update(dict.fromkeys({lacking})); sys.argv[1:] = ['--dry', 'failures']; "
        f"sys.path[0] = '{ROOT}/benchmarks'; runpy.run_path('{ROOT}/benchmarks/gpu_session.py', run_name='__main__')"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=600
    )
    assert answer.returncode == 0, answer.stderr
    assert '"error": ' not in answer.stdout


def test_there_is_something_to_run() -> None:
    assert {Path("benchmarks/throughput.py"), Path("examples/custom_space.py")} <= set(SCRIPTS)
