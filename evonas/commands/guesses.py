"""What data are, by looking at how they lie there: the section `task` of a config for them."""

import itertools
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from evonas.commands.guess import CLASSES, LONGEST, MOST_CLASSES, Guess
from evonas.commands.table_guesses import of_table
from evonas.errors import UserError

LOOKED_AT = 200
"""Files whose sizes are looked at."""
LARGEST = 64
"""Pixels: larger pictures are scaled down to it at first, so that a first search takes minutes."""
COMES_WITH_IT = "digits"
"""In the place of a path: data to try it with."""


def guessed(data: str) -> Guess:
    """The section `task` for a file, a folder or the data that come with evonas.

    Raises:
        UserError: nothing is there that evonas reads.
    """
    from evonas.paths import expanded

    path = expanded(data, "PATH")
    if data == COMES_WITH_IT and not path.exists():
        return Guess({"kind": data})
    if not path.exists():
        raise UserError(f"PATH: no file or folder {path.absolute()}")
    for fits, options in GUESSES:
        if fits(path):
            return options(data, path)
    raise UserError(
        f"PATH: {path}: no pictures, WAV or .txt files in class folders, .npz, folder with x_train.npy, CSV, Parquet "
        "or .txt; other data are a task of your own: docs/tutorials/own-data.md"
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


def _is_sounds(path: Path) -> bool:
    """An npz file with arrays that are called as the task `audio` calls them."""
    import numpy as np

    if path.suffix.lower() != ".npz":
        return False
    try:
        with np.load(path, allow_pickle=False) as file:
            return {"pcm16", "label", "rate"} <= {*file.files}
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, AttributeError):
        return False  # the task says what is wrong with it


def _are_pairs(path: Path) -> bool:
    from evonas.tasks.segmentation.pairs import MASKS, PICTURES

    return any((folder / PICTURES).is_dir() and (folder / MASKS).is_dir() for folder in (path, path / "train"))


def _pairs(data: str, path: Path) -> Guess:
    """As large as pictures in class folders are taken."""
    found = _image_folder(data, path if (path / "images").is_dir() else path / "train").section
    return Guess({**found, "kind": "segmentation"})


def _is_image_folder(path: Path) -> bool:
    return path.is_dir() and next(_pictures(path), None) is not None


def _pictures(path: Path) -> Iterator[Path]:
    from evonas.tasks.files_below import files_below
    from evonas.tasks.pictures.image_folder import SUFFIXES

    return (file for file in files_below(path) if file.suffix.lower() in SUFFIXES)


def _npz(data: str, path: Path) -> Guess:
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as file:
            name = next((name for name in file.files if name.startswith("y_train")), "")
            y = file[name] if name else None
    except (zipfile.BadZipFile, OSError, ValueError, EOFError):
        name, y = "", None  # the task says what is wrong with it
    return _of_arrays("npz", data, name, y)


def _npy(data: str, path: Path) -> Guess:
    import numpy as np

    try:
        file = next(iter(sorted(path.glob("y_train*.npy"))))
        name, y = file.stem, np.load(file, allow_pickle=False)
    except (StopIteration, OSError, ValueError, EOFError):
        name, y = "", None
    return _of_arrays("npy", data, name, y)


def _of_arrays(kind: str, data: str, name: str, y: Any) -> Guess:
    """Values are predicted where y, which is called `name`, is no classes."""
    import numpy as np

    from evonas.tasks.labels import whole

    section = {"kind": kind, "path": data}
    if y is None or not y.ndim or y.dtype.kind not in "fiu":
        return Guess(section)
    if y.ndim > 1:
        what, classes = f"has {y.ndim} axes", ""
    elif y.dtype.kind == "f":
        what, classes = "is float", CLASSES if whole(y) else ""
    elif (different := len(np.unique(y))) > max(MOST_CLASSES, len(y) // 10):
        what, classes = f"has {different:,} different whole numbers", CLASSES
    else:
        return Guess(section)
    return Guess({**section, "target": "values"}, (f"{name} {what}: values are predicted{classes}",))


def _image_folder(data: str, path: Path) -> Guess:
    from evonas.tasks.pictures.images import GREY, pillow

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
    return Guess({"kind": "image_folder", "path": data, "size": size, "channels": 1 if grey and all(grey) else 3})


def _is_audio_folder(path: Path) -> bool:
    return path.is_dir() and next(_recordings(path), None) is not None


def _recordings(path: Path) -> Iterator[Path]:
    from evonas.tasks.audio.recordings import SUFFIXES
    from evonas.tasks.files_below import files_below

    return (file for file in files_below(path) if file.suffix.lower() in SUFFIXES)


def _audio_folder(data: str, path: Path) -> Guess:
    """As long as the longest of some, and 2 s at most."""
    import wave

    seconds = []
    for file in itertools.islice(_recordings(path), LOOKED_AT):
        try:
            with wave.open(str(file)) as opened:
                seconds.append(opened.getnframes() / opened.getframerate())
        except (OSError, EOFError, wave.Error, ZeroDivisionError):
            continue  # the task names it, or reads what this does not
    return Guess({"kind": "audio_folder", "path": data, "seconds": round(min(2.0, max(seconds, default=1.0)), 2)})


def _is_text(path: Path) -> bool:
    from evonas.tasks.splitting import NAMES
    from evonas.tasks.texts.vocabulary import SUFFIXES, text_files

    if path.is_dir():
        return any(name.lower() in NAMES["train"] for name in text_files(path))
    return path.suffix.lower() in SUFFIXES


def _texts(path: Path) -> Iterator[Path]:
    from evonas.tasks.files_below import files_below
    from evonas.tasks.texts.vocabulary import SUFFIXES

    return (file for file in files_below(path) if file.suffix.lower() in SUFFIXES and file.parent != path)


def _text_folder(data: str, path: Path) -> Guess:
    """As long as the longest of some, and `LONGEST` at most."""
    from evonas.tasks.texts.vocabulary import read_text

    lengths = []
    for file in itertools.islice(_texts(path), LOOKED_AT):
        try:
            lengths.append(len(read_text(file)))
        except UserError:
            continue  # the task names it
    return Guess(
        {"kind": "text_folder", "path": data, "characters": max(1, min(LONGEST, max(lengths, default=LONGEST)))}
    )


GUESSES: list[tuple[Callable[[Path], bool], Callable[[str, Path], Guess]]] = [
    (_is_sounds, lambda data, path: Guess({"kind": "audio", "path": data})),
    (_are_pairs, _pairs),
    (lambda path: path.suffix.lower() == ".npz", _npz),
    (_is_npy_folder, _npy),
    (_is_table, of_table),
    (_is_hub_folder, lambda data, path: Guess({"kind": "huggingface", "name": data})),
    (_is_image_folder, _image_folder),
    (_is_audio_folder, _audio_folder),
    (_is_text, lambda data, path: Guess({"kind": "characters", "path": data})),
    (lambda path: path.is_dir() and next(_texts(path), None) is not None, _text_folder),
]
"""What a path may be, and the section of its task, with what was decided where there was a choice."""
