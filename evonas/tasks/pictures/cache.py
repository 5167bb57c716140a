"""Decoded pictures on the disk, for all processes and searches that want the same: a folder for each set of pictures.

It comes into its place by being renamed when it is whole. What is decoded before that, `.part`, is gone on with by who
comes next, as it notes which blocks have reached the disk; it is taken for nothing else. What is not used for long goes
where the cache would become larger than it may be (`bound.py`).
"""

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evonas.errors import UserError
from evonas.tasks.pictures.bound import ABOUT, make_room, use
from evonas.tasks.pictures.decoding import decode, depth_of
from evonas.tasks.pictures.images import DECODING, pillow
from evonas.tasks.pictures.part import BLOCKS, PIXELS, Part
from evonas.tasks.pictures.progress import Progress
from evonas.tasks.pictures.sources import Becomes, Sources
from evonas.tasks.pictures.tally import Tally
from evonas.tasks.task import Array

GIVEN_UP_S = 7 * 86400.0
"""What was not written to for so long nobody goes on with."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Decoded pictures on the disk.

    Args:
        file: a .npy file, (n, channels, height, width).
        tally: what they were.
    """

    file: Path
    tally: Tally


def mapped(file: Path) -> Array:
    """The array of a .npy file, mapped into memory, read-only.

    Raises:
        FileNotFoundError: it is not there, or not on this machine.
        ValueError: it is none, or not whole.
    """
    return np.asarray(np.lib.format.open_memmap(file, mode="r"))


def key_of(sources: Sources, form: Becomes) -> str | None:
    """What tells these pictures in this form from any other, in 16 hexadecimal digits; None where nothing does."""
    state = sources.state()
    if state is None:
        return None
    version = f"{DECODING} {pillow('image_folder', 'images').__version__} {form.shape}"
    digest = hashlib.sha256(version.encode())
    for line in state:
        digest.update(f"\n{line}".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]


def kept(
    sources: Sources,
    form: Becomes,
    folder: Path,
    name: str,
    progress: Progress,
    key: str,
    threads: int | None = None,
) -> Kept:
    """Decoded pictures, from the cache or into it.

    Args:
        sources: the pictures.
        form: what they become.
        folder: the cache, which is made.
        name: `key_of` the pictures.
        progress: is told how far it is.
        key: of the config that says where the pictures are, for messages.
        threads: that decode; default: one for each core.

    Raises:
        UserError: some pictures cannot be read; it names them.
        OSError: the cache cannot be written, or has no room.
    """
    own = folder / f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', sources.name).lstrip('.') or 'pictures'}-{name}"
    shape = (len(sources), *form.shape)
    if found := _opened(own, shape):
        return found
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(folder / f".{own.name}.lock", progress):
        if found := _opened(own, shape):
            return found
        if own.exists():
            progress.say(f"{own} is damaged; the pictures are decoded again")
            shutil.rmtree(own)
        _sweep(folder)
        make_room(folder, int(np.prod(shape)), progress)
        made = _decoded(sources, form, folder / f".{own.name}.{platform.node()}.part", progress, key, threads)
        os.rename(made, own)
    found = _opened(own, shape)
    if found is None:
        raise OSError(0, "what was written is not there", str(own))
    return found


def _decoded(sources: Sources, form: Becomes, where: Path, progress: Progress, key: str, threads: int | None) -> Path:
    """A folder with all pictures, for whoever holds the lock."""
    depth = depth_of(sources, form)
    part = Part(where, (len(sources), *form.shape), depth, form)
    try:
        progress.begin(sources.name, len(sources), part.pictures)
        noted = part.write, part.finished
        decode(sources, form, depth, *noted, progress, key=key, done=part.done, threads=threads)
        part.flush()
        about = {"shape": part.shape, "dtype": depth.dtype.name, "tally": part.tally.plain()}
        (where / ABOUT).write_text(json.dumps(about))
    except (UserError, OSError):  # repaired pictures are others, and a full disk wants its room back
        shutil.rmtree(where, ignore_errors=True)
        raise
    finally:
        part.close()
    return where


def _sweep(folder: Path) -> None:
    """Remove what was begun and is not gone on with."""
    for part in folder.glob(".*.part"):
        with contextlib.suppress(OSError):
            if time.time() - (part / BLOCKS).stat().st_mtime > GIVEN_UP_S:
                shutil.rmtree(part, ignore_errors=True)


def _opened(own: Path, shape: tuple[int, ...]) -> Kept | None:
    """What is there, if it is whole."""
    try:
        about: Any = json.loads((own / ABOUT).read_text())
        found = Kept(own / PIXELS, Tally.of_plain(about["tally"]))
        pixels = mapped(found.file)
        use(own)
        return found if pixels.shape == shape and pixels.dtype.name == about["dtype"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextlib.contextmanager
def _alone(lock: Path, progress: Progress) -> Iterator[None]:
    """One process of all that want to decode the same; the others wait, and read."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say("another process decodes the same pictures; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
