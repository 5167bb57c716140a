"""Every script in benchmarks/ and examples/ runs with --smoke: a few candidates, in seconds."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = [
    path.relative_to(ROOT)
    for folder in ("benchmarks", "examples")
    for path in sorted((ROOT / folder).glob("*.py"))
    if not path.name.startswith("_")  # what the scripts share
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


def test_there_is_something_to_run() -> None:
    assert {Path("benchmarks/throughput.py"), Path("examples/custom_space.py")} <= set(SCRIPTS)
