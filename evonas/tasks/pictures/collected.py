"""All pictures of a task: in memory where they fit, else read from the disk batch by batch."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evonas.errors import UserError
from evonas.tasks.class_folders import count
from evonas.tasks.pictures.cache import Kept, kept, key_of
from evonas.tasks.pictures.decoding import decode, depth_of
from evonas.tasks.pictures.place import Cache, place_of
from evonas.tasks.pictures.progress import Progress, Spoken
from evonas.tasks.pictures.sources import Becomes, Sources
from evonas.tasks.pictures.stored import DecodedPictures
from evonas.tasks.pictures.tally import Tally
from evonas.tasks.room import check_room, fits
from evonas.tasks.stored_array import Column, selected
from evonas.tasks.task import Array
from evonas.text import clock

SMALLER = "set a smaller task.size, or let task.cache keep them on the disk, from which they are streamed"


@dataclass(frozen=True, slots=True, eq=False)
class Collected:
    """Pictures as a task holds them.

    Args:
        columns: of each part, in order.
        tally: what they were.
    """

    columns: tuple[Column, ...]
    tally: Tally


def collected(
    sources: Sources,
    form: Becomes,
    sizes: Sequence[int],
    cache: Cache,
    key: str,
    *,
    drawn: bool,
    pictures_key: str = "",
    beside: int = 0,
) -> Collected:
    """Decode pictures, or find them decoded.

    Args:
        sources: the pictures of all parts, one part behind another.
        form: what they become.
        sizes: of each part.
        cache: of the config.
        key: of the config that says where the pictures are.
        drawn: whether splits are drawn from them.
        pictures_key: key of the config that messages about pictures name; default: `key`.
        beside: bytes of what memory is to hold as well.

    Raises:
        UserError: some pictures cannot be read, memory has no room for them and nothing may be kept on the disk, or the
            folder that the config names for them cannot be written.
    """
    progress = Spoken(sources.noun)
    needed = not fits(len(sources) * int(np.prod(form.shape)) + beside, drawn)
    found = _kept(sources, form, cache, pictures_key or key, needed, progress)
    if found is None:
        x, tally = in_memory(
            sources, form, key, drawn=drawn, progress=progress, pictures_key=pictures_key, beside=beside
        )
        return Collected(tuple(np.split(x, np.cumsum(sizes)[:-1])), tally)
    elsewhere = cache if isinstance(cache, bool) else str(place_of(cache))  # workers have a working folder of their own
    stored = DecodedPictures(found, sources, form, elsewhere, key)
    rows = np.split(np.arange(len(sources)), np.cumsum(sizes)[:-1])
    size = int(np.prod(stored.shape)) * stored.dtype.itemsize
    if fits(size + beside, drawn):
        return Collected(tuple(stored.rows(own) for own in rows), found.tally)
    progress.say(
        f"{size / 1e9:.3g} GB of {sources.noun}s are more than memory holds: training reads them from {found.file}"
    )
    return Collected(tuple(selected(stored, own) for own in rows), found.tally)


def in_memory(
    sources: Sources,
    form: Becomes,
    key: str,
    *,
    drawn: bool,
    progress: Progress,
    pictures_key: str = "",
    beside: int = 0,
) -> tuple[Array, Tally]:
    """Decode pictures into memory.

    Returns:
        (n, channels, height, width), and what they were.

    Raises:
        UserError: some pictures cannot be read, or they do not fit.
    """
    _check_fit(sources, form, key, drawn, beside)
    depth, tally = depth_of(sources, form), Tally()
    _check_fit(sources, form, key, drawn, beside, each=depth.dtype.itemsize)
    x = np.empty((len(sources), *form.shape), depth.dtype)

    def write(start: int, pixels: Array) -> None:
        x[start : start + len(pixels)] = pixels

    began = time.monotonic()
    progress.begin(sources.name, len(sources))
    decode(sources, form, depth, write, lambda _, own: tally.merge(own), progress, key=pictures_key or key)
    progress.say(f"{count(len(sources), sources.noun)} decoded in {clock(time.monotonic() - began)}")
    return x, tally


def _check_fit(sources: Sources, form: Becomes, key: str, drawn: bool, beside: int, each: int = 1) -> None:
    """
    Raises:
        UserError: pictures of so many bytes a number do not fit into memory, beside what else it holds.
    """
    what = f"{count(len(sources), sources.noun)} of {' x '.join(map(str, form.shape))}"
    if beside:
        what += f", with {beside / 1e9:.3g} GB beside them,"
    check_room(key, what, len(sources) * each * int(np.prod(form.shape)) + beside, drawn, SMALLER)


def _kept(sources: Sources, form: Becomes, cache: Cache, key: str, needed: bool, progress: Progress) -> Kept | None:
    """The pictures in the cache; None where there is none, and they fit into memory."""
    folder = place_of(cache)
    name = key_of(sources, form) if folder else None
    if folder is None or name is None:
        return None
    began = time.monotonic()
    before = _Told(progress)
    try:
        found = kept(sources, form, folder, name, before, key)
    except OSError as error:
        why = f"{folder} cannot keep decoded pictures: {error.strerror or error}"
        if needed or isinstance(cache, str):
            raise UserError(f"task.cache: {why}; give another folder, or make room there") from None
        progress.say(f"note: {why}; they are decoded at each start (task.cache names another folder)")
        return None
    if before.decoded:
        size = found.file.stat().st_size / 1e6
        number, spent = count(len(sources), sources.noun), clock(time.monotonic() - began)
        progress.say(f"{number} decoded in {spent}; {size:,.3g} MB of {found.file.parent} keep them (task.cache)")
    return found


class _Told:
    """A progress that knows whether anything was decoded."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self.decoded = progress, False
        self.done, self.say = progress.done, progress.say

    def begin(self, what: str, total: int, already: int = 0) -> None:
        self.decoded = True
        self._progress.begin(what, total, already)
