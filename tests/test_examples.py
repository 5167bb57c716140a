"""What the README and the examples show runs as it is."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import evonas

ROOT = Path(__file__).parents[1]
FIRST_SPACE = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def test_the_first_space_of_the_readme_is_twenty_lines() -> None:
    assert FIRST_SPACE
    code = [line for line in FIRST_SPACE[1].splitlines() if line.strip()]
    assert len(code) <= 20


def test_no_placeholder_is_left() -> None:
    for path in (ROOT / "README.md", ROOT / "benchmarks" / "RESULTS.md"):
        assert not re.findall(r"@[A-Z0-9]+@", path.read_text()), path


def test_every_file_that_the_readme_names_is_there() -> None:
    for name in re.findall(r"\b(?:configs|examples|benchmarks|docs)/[\w./-]+\w", (ROOT / "README.md").read_text()):
        assert (ROOT / name).exists(), name


BETTER_THAN = {
    "pictures.py": ("error", "<", 0.15),  # 0.9 by chance
    "parameter_limit.py": ("error", "<", 0.2),
    "table.py": ("f1", ">", 0.8),  # 0.5 by chance
    "speech.py": ("error", "<", 0.2),  # 0.67 by chance
    "characters.py": ("bits_per_character", "<", 3.7),  # 4.7 by the frequencies of characters
    "series.py": ("mse", "<", 0.02),  # 1 by chance
    "masks.py": ("iou", ">", 0.55),  # 0.29 where all pixels are taken
}
"""Scripts with data as users have them -> what the best network of their front reaches, far from chance."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["custom_space.py", "custom_task.py", "README.md", *BETTER_THAN])
def test_it_runs(name: str, tmp_path: Path) -> None:
    assert FIRST_SPACE
    script = ROOT / "examples" / name
    if name == "README.md":
        script = tmp_path / "first.py"
        script.write_text(FIRST_SPACE[1].replace("configs/", f"{ROOT}/configs/"))
    answer = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert answer.returncode == 0, answer.stderr
    assert "candidate" in answer.stdout
    if name in BETTER_THAN:
        metric, sign, bound = BETTER_THAN[name]
        front = evonas.load(tmp_path / "runs" / script.stem).front()
        best = {"<": front[metric].min() < bound, ">": front[metric].max() > bound}
        assert best[sign], front[metric].tolist()
        goes_on = [line.partition(": evonas ")[2] for line in answer.stdout.splitlines() if ": evonas " in line]
        assert [line.split()[0] for line in goes_on] == ["report", "export"]
        for line in goes_on:
            words = line.replace("CANDIDATE", str(front["candidate"].iloc[0])).replace("examples/", f"{ROOT}/examples/")
            command = [sys.executable, "-m", "evonas", *words.split()]
            said = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
            assert said.returncode == 0, said.stderr


@pytest.mark.slow
def test_a_forest_is_tuned(tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "examples" / "tune_searcher.py"]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert answer.returncode == 0, answer.stderr
    front = re.findall(r"^error (\S+)  nodes +(\S+)  {", answer.stdout, re.M)
    assert float(front[0][0]) < 0.08  # 0.9 by chance
    assert all(float(nodes.replace(",", "")) <= 20_000 for _, nodes in front)


def test_the_journeys_are_short() -> None:
    for name in (*BETTER_THAN, "tune_searcher.py"):
        assert len((ROOT / "examples" / name).read_text().splitlines()) <= 60, name
