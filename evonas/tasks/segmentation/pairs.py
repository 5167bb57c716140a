"""Pictures and their masks, found by names: images/a.jpg and masks/a.png."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evonas.errors import UserError
from evonas.tasks.class_folders import count, listed, natural
from evonas.tasks.files_below import files_below
from evonas.tasks.pictures.image_folder import SUFFIXES
from evonas.tasks.splitting import parts_among

PICTURES, MASKS = "images", "masks"
LOSSLESS = frozenset((".png", ".bmp", ".gif", ".tif", ".tiff", ".pgm", ".ppm", ".pbm", ".pnm"))
"""Suffixes of masks: what JPEG makes of a class is another class."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A picture and the file with the class of each of its pixels."""

    picture: Path
    mask: Path


def pairs(root: Path) -> tuple[dict[str, list[Pair]], list[str]]:
    """The pairs of each part, in natural order of their names, and notes of what is not used.

    Args:
        root: with folders images and masks, or with folders train, valid, test that have these.

    Raises:
        UserError: there is no such folder, or a picture has no mask.
    """
    if not root.is_dir():
        raise UserError(f"task.path: no folder {root.absolute()}")
    parts = parts_among((each.name for each in root.iterdir() if each.is_dir()), f"task.path: {root}")
    folders = {part: root / name for part, name in parts.items()} if "train" in parts else {"train": root}
    notes: list[str] = []
    return {part: _paired(folder, notes) for part, folder in folders.items()}, notes


def _paired(folder: Path, notes: list[str]) -> list[Pair]:
    pictures, masks = _named(folder / PICTURES, SUFFIXES), _named(folder / MASKS, LOSSLESS)
    if lonely := sorted(pictures.keys() - masks.keys(), key=natural):
        raise UserError(
            f"task.path: {count(len(lonely), 'picture')} of {folder / PICTURES} without a mask of the same name in "
            f"{folder / MASKS}: {listed(lonely)}"
        )
    if not pictures:
        raise UserError(f"task.path: no pictures in {folder / PICTURES} ({', '.join(sorted(SUFFIXES))})")
    if spare := sorted(masks.keys() - pictures.keys(), key=natural):
        notes.append(f"{count(len(spare), 'mask')} without a picture in {folder}: {listed(spare)}")
    return [Pair(pictures[name], masks[name]) for name in sorted(pictures, key=natural)]


def _named(folder: Path, suffixes: frozenset[str]) -> Mapping[str, Path]:
    """Name without suffix -> file.

    Raises:
        UserError: there is no such folder, or two files have one name.
    """
    if not folder.is_dir():
        raise UserError(f"task.path: no folder {folder.absolute()}; it takes {PICTURES} and {MASKS}")
    found: dict[str, Path] = {}
    for file in sorted(file for file in files_below(folder) if file.suffix.lower() in suffixes):
        name = file.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise UserError(f"task.path: {found[name]} and {file} have one name; keep one")
        found[name] = file
    return found
