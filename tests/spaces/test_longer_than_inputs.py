"""Options that are larger than what a task gives are refused, or said before a search starts."""

from typing import Any

import pytest

from evonas.errors import UserError
from evonas.records import InputSpec, TaskSpec
from evonas.spaces import SPACES
from evonas.start import prepare

PICTURE = TaskSpec("pictures", InputSpec((1, 8, 8)), (4,))
WIDE = TaskSpec("wide", InputSpec((3, 6, 40)), (4,))
SERIES = TaskSpec("series", InputSpec((2, 6)), (4,))
WORDS = TaskSpec("words", InputSpec((6,), "int64", 9), (4,))
ROWS = TaskSpec("rows", {"numbers": InputSpec((2,)), "categories": InputSpec((1,), "int64", 5)}, (2,))
MASKS = TaskSpec("masks", InputSpec((1, 8, 8)), (2, 8, 8))


@pytest.mark.parametrize(
    ("options", "task", "says"),
    [
        ({"patches": [4, 9, 16]}, PICTURE, r"^patches: 9, 16: larger than an input of 8 x 8; take 8 or less$"),
        ({"patches": 8}, WIDE, r"^patches: 8: larger than an input of 6 x 40; take 6 or less$"),
        ({"frames": [1, 7]}, SERIES, r"^frames: 7: larger than an input of 6 places; take 6 or less$"),
    ],
)
def test_what_cuts_an_input_is_no_larger_than_it(options: dict[str, Any], task: TaskSpec, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        SPACES["transformer"](**options).check_task(task)
    SPACES["transformer"](**{name: [1, 6] for name in options}).check_task(task)


@pytest.mark.parametrize(
    ("kind", "options", "task", "names"),
    [
        (
            "transformer",
            {"windows": [3, 4, 8], "kernels": [3, 5], "patches": 4},
            PICTURE,
            ["windows: 4, 8", "kernels: 5"],
        ),
        ("transformer", {"windows": [4, 8], "kernels": [3, 5], "patches": [2, 4]}, PICTURE, []),
        (
            "transformer",
            {"windows": [4, 5], "patches": 4, "kernels": 3, "pools": ["mean", "class"]},
            PICTURE,
            ["windows: 5"],
        ),
        ("transformer", {"windows": [2, 3], "kernels": [3, 4]}, ROWS, ["windows: 3", "kernels: 4"]),
        ("transformer", {"mixers": ["full"]}, ROWS, []),
        ("transformer", {"windows": 6, "kernels": 7}, WORDS, ["windows: 6", "kernels: 7"]),
        (
            "conv1d",
            {"stem_kernels": [3, 9], "strides": [1, 6], "kernels": [5, 8], "dilations": [5, 6], "factors": [2, 6]},
            SERIES,
            ["stem_kernels: 9", "kernels: 8", "dilations: 6", "strides: 6", "factors: 6"],
        ),
        ("conv1d", {"stem_kernels": 3, "kernels": 1, "dilations": 8}, SERIES, []),
        ("tcn", {"kernels": [6, 7], "dilations": [5, 6]}, SERIES, ["kernels: 7", "dilations: 6"]),
        ("tcn", {"kernels": 3, "dilations": [2, 8]}, WORDS, ["dilations: 8"]),
        ("unet", {"levels": [2, 5]}, MASKS, ["levels: 4, 5"]),
        ("unet", {"levels": [1, 3]}, MASKS, []),
        ("mobile", {"kernels": [7, 9]}, PICTURE, ["kernels: 9"]),
        ("mobile", {"stages": 3, "strides": [1, 2]}, PICTURE, []),
        ("mobile", {"stages": 3, "strides": 2}, PICTURE, ["stages: 3"]),
        ("cell", {"stages": 3}, PICTURE, []),
        ("cell", {"stages": 4}, PICTURE, ["stages: 4"]),
        ("cell", {"stages": 6}, WIDE, []),
    ],
)
def test_what_reaches_beyond_an_input_is_said(
    kind: str, options: dict[str, Any], task: TaskSpec, names: list[str]
) -> None:
    said = list(SPACES[kind](**options).task_notes(task))
    assert [line.removeprefix("space: ").rpartition(": ")[0] for line in said] == names
    assert all("\n" not in line for line in said)


def test_a_search_says_it_before_it_starts() -> None:
    config: dict[str, Any] = {
        "space": {"kind": "transformer", "mixers": ["local"], "windows": [3, 4], "patches": 4},
        "task": {"kind": "digits"},
        "objectives": [{"metric": "error"}, {"metric": "params"}],
        "budget": {"evaluations": 1},
    }
    assert any(
        note == "space: windows: 4: local attention of so many sees all 4 tokens, as full attention does"
        for note in prepare(config).notes
    )
    config["space"]["patches"] = [4, 16]
    with pytest.raises(UserError, match=r"^space: patches: 16: larger than an input of 8 x 8; take 8 or less$"):
        prepare(config)
