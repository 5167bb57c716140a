"""`evonas init PATH`."""

import argparse
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evonas.commands.arguments import printable
from evonas.errors import UserError

if TYPE_CHECKING:
    from evonas.tasks import Task

LOOKED_AT = 200
"""Pictures whose sizes are looked at."""
LARGEST = 64
"""Pixels: larger pictures are scaled down to it at first, so that a first search takes minutes."""
MOST_CLASSES = 50
"""Whole numbers of more different values are taken for values to predict."""
COMES_WITH_IT = "digits"
"""In the place of a path: data to try it with."""
LABELS = ("label", "labels", "class", "target", "y", "category", "species", "diagnosis", "outcome")
SPACES_FOR = {
    3: "{kind: mobile, stages: 3, widths: [8, 16, 24, 32], depths: [0, 1, 2]}",
    1: "{kind: mlp, layers: [1, 3], widths: [8, 16, 32, 64]}",
}
"""Axes of an example -> networks for it."""
CONFIG = """\
# Made by `evonas init`. It runs as it is:  evonas search {out}
# Every key: docs/reference/config.md
# Found: {found}
seed: 0
task: {task}
# The networks to search: mobile and cell take pictures, mlp takes vectors; your own is a class.
space: {space}
# Two goals or more; the search finds the best trade-offs between them. With a target, what a device takes can be one:
#   - {{metric: latency_ms, target: cpu}}
objectives:
  - {{metric: {metric}}}
  - {{metric: params}}
# targets:
#   cpu: {{backend: torch, device: cpu, threads: 1, batch: 1}}
# Networks over a limit are never trained:
# limits:
#   - {{metric: params, at_most: 100_000}}
strategy: {{kind: nsga2, population: 16}}
# A candidate trains for so many epochs; at a rung it stops where too many others are better in every objective.
training: {{epochs: 8, batch_size: {batch}, learning_rate: {rate}, rungs: [2], promote: 0.5}}
# How many networks are tried. The same line with more of them goes on.
budget: {{evaluations: 64}}
# A worker a core; {{kind: serial}} is one process, for a debugger.
runtime: {{kind: ray, workers: auto}}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    text = "pictures or WAV files in class folders, .npz, a folder of .npy, CSV, Parquet; or digits, to try it"
    parser.add_argument("data", metavar="PATH", help=text)
    parser.add_argument("--out", default="config.yaml", metavar="FILE", help="default: config.yaml")


def run(options: argparse.Namespace) -> int:
    for line in init(options.data, options.out):
        print(printable(line))
    return 0


def init(data: str, out: str = "config.yaml") -> Iterator[str]:
    """Write a config for data as they lie there, which is tried by loading them.

    Args:
        data: a file or folder, which the config names as it is given here, or "digits".
        out: the file to write.

    Yields:
        Lines: what was found, and what to do next.

    Raises:
        UserError: nothing is there that evonas reads, it cannot be read, or `out` exists.
    """
    import yaml

    from evonas.config import PartConfig
    from evonas.config.options import construct
    from evonas.tasks import TASKS
    from evonas.tasks.data_record import data_record, in_words

    if Path(out).exists():
        raise UserError(f"--out {out}: it exists; give another name, or remove it")
    section = guessed(data)
    task = construct(TASKS, PartConfig.model_validate(section), "task")
    found = in_words(data_record(task))
    yield f"{section['kind']}: {found}"
    yield from (f"note: {note}" for note in task.notes)
    axes = len(task.spec.input_shape)
    if axes not in SPACES_FOR:
        yield f"note: no space of evonas takes inputs of {axes} axes: the config names mlp, which flattens them"
    text = CONFIG.format(
        out=out,
        found=printable(found),
        task=yaml.safe_dump(section, default_flow_style=True, sort_keys=False, width=10**6).strip(),
        space=SPACES_FOR.get(axes, SPACES_FOR[1]),
        metric=task.spec.metric,
        batch=_batch(task),
        rate=0.1 if axes == 3 else 0.02,
    )
    try:
        with open(out, "x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UserError(f"--out {out}: {error.strerror}") from None
    yield f"wrote {out}; to search: evonas search {out}"


def guessed(data: str) -> dict[str, Any]:
    """The section `task` for a file, a folder or the data that come with evonas.

    Raises:
        UserError: nothing is there that evonas reads.
    """
    from evonas.paths import expanded

    path = expanded(data, "PATH")
    if data == COMES_WITH_IT and not path.exists():
        return {"kind": data}
    if not path.exists():
        raise UserError(f"PATH: no file or folder {path.absolute()}")
    for fits, options in GUESSES:
        if fits(path):
            return options(data, path)
    raise UserError(
        f"PATH: {path}: no pictures or WAV files in class folders, .npz, folder with x_train.npy, CSV or Parquet; "
        "other data are a task of your own: docs/tutorials/own-data.md"
    )


def _is_hub_folder(path: Path) -> bool:
    return any((path / name).exists() for name in ("dataset_dict.json", "state.json"))


def _is_npy_folder(path: Path) -> bool:
    return path.is_dir() and any(path.glob("x_train*.npy"))


def _is_table(path: Path) -> bool:
    from evonas.tasks.table import SUFFIXES

    if path.is_dir():
        return any(file.suffix.lower() in SUFFIXES and file.stem.lower().startswith("train") for file in path.iterdir())
    return path.suffix.lower() in SUFFIXES


def _is_image_folder(path: Path) -> bool:
    return path.is_dir() and next(_pictures(path), None) is not None


def _pictures(path: Path) -> Iterator[Path]:
    from evonas.tasks.image_folder import SUFFIXES

    return (file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and not file.name.startswith("."))


def _npz(data: str, path: Path) -> dict[str, Any]:
    import zipfile

    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as file:
            names = [name for name in file.files if name.startswith("y_train")]
            y = file[names[0]] if names else None
    except (zipfile.BadZipFile, OSError, ValueError, EOFError):
        y = None  # the task says what is wrong with it
    return {"kind": "npz", "path": data, **_target(y)}


def _npy(data: str, path: Path) -> dict[str, Any]:
    import numpy as np

    try:
        y = np.load(next(iter(sorted(path.glob("y_train*.npy")))), allow_pickle=False)
    except (StopIteration, OSError, ValueError, EOFError):
        y = None
    return {"kind": "npy", "path": data, **_target(y)}


def _target(y: Any) -> dict[str, str]:
    import numpy as np

    if y is None:
        return {}
    many = y.ndim != 1 or len(np.unique(y)) > max(MOST_CLASSES, len(y) // 10)
    return {"target": "values"} if y.dtype.kind == "f" or (y.dtype.kind in "iu" and many) else {}


def _table(data: str, path: Path) -> dict[str, Any]:
    from evonas.tasks.table import read, table_files

    rows = read(table_files(path)["train"])
    columns = rows.column_names
    label = next((name for name in columns if name.lower() in LABELS), columns[-1])
    kind = str(rows[label].type)
    different = len(rows[label].unique())
    values = kind.startswith(("float", "double")) or (kind.startswith("int") and different > MOST_CLASSES)
    ignore = [
        name
        for name in columns
        if name != label and str(rows[name].type).startswith("int") and len(rows[name].unique()) == len(rows) > 1
        and (name.lower() in ("", "id", "index", "unnamed: 0") or name.lower().endswith("_id"))
    ]  # fmt: skip
    return {
        "kind": "table",
        "path": data,
        "label": label,
        **({"target": "values"} if values else {}),
        **({"ignore": ignore} if ignore else {}),
    }


def _image_folder(data: str, path: Path) -> dict[str, Any]:
    from evonas.tasks.images import GREY, pillow

    image = pillow("image_folder", "images")
    sizes, grey = [], []
    for file in itertools.islice(_pictures(path), LOOKED_AT):
        try:
            with image.open(file) as picture:
                sizes.append(picture.size[::-1])
                grey.append(picture.mode in GREY or picture.mode.startswith("I;"))
        except (OSError, ValueError, SyntaxError):
            continue  # the task names it
    side = [sorted(lengths)[len(lengths) // 2] for lengths in zip(*sizes, strict=True)] or [32, 32]
    scale = min(1.0, LARGEST / max(side))
    height, width = (max(1, round(length * scale)) for length in side)
    size: Any = height if height == width else [height, width]
    return {"kind": "image_folder", "path": data, "size": size, "channels": 1 if grey and all(grey) else 3}


def _is_audio_folder(path: Path) -> bool:
    return path.is_dir() and next(_recordings(path), None) is not None


def _recordings(path: Path) -> Iterator[Path]:
    from evonas.tasks.audio_folder import SUFFIXES

    return (file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and not file.name.startswith("."))


def _audio_folder(data: str, path: Path) -> dict[str, Any]:
    """As long as the longest of some, and 2 s at most."""
    import wave

    seconds = []
    for file in itertools.islice(_recordings(path), LOOKED_AT):
        try:
            with wave.open(str(file)) as opened:
                seconds.append(opened.getnframes() / opened.getframerate())
        except (OSError, EOFError, wave.Error, ZeroDivisionError):
            continue  # the task names it, or reads what this does not
    return {"kind": "audio_folder", "path": data, "seconds": round(min(2.0, max(seconds, default=1.0)), 2)}


GUESSES: list[tuple[Callable[[Path], bool], Callable[[str, Path], dict[str, Any]]]] = [
    (lambda path: path.suffix.lower() == ".npz", _npz),
    (_is_npy_folder, _npy),
    (_is_table, _table),
    (_is_hub_folder, lambda data, path: {"kind": "huggingface", "name": data}),
    (_is_image_folder, _image_folder),
    (_is_audio_folder, _audio_folder),
]
"""What a path may be, and the section of its task."""


def _batch(task: "Task") -> int:
    """So large that an epoch has some steps."""
    return max(8, min(64, len(task.splits.train) // 16))
