"""Pictures of any size and mode as the arrays that tasks hold. Pillow is the extra `images`."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, Literal

import numpy as np

from evonas.errors import UserError
from evonas.installing import how_to_install
from evonas.tasks.class_folders import count, unreadable
from evonas.tasks.room import check_room
from evonas.tasks.task import Array

Channels = Literal[1, 3, 4]
Size = int | tuple[int, int]
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
GREY = ("1", "L", "LA", "La", "I", "F")
ALPHA = ("RGBA", "RGBa", "LA", "La", "PA")
ORIENTATION = 0x0112
TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
"""EXIF's orientation -> PIL.Image.Transpose that undoes it; 1 is upright."""
SIDEWAYS = (5, 6, 7, 8)
"""Orientations whose height and width change places."""
BACKGROUND = 128
"""Of pictures with transparency: neither a black nor a white shape disappears on it."""


def pillow(kind: str, extra: str) -> ModuleType:
    """PIL.Image, or a UserError that names the extra to install."""
    try:
        from PIL import Image
    except ImportError:
        raise UserError(f"task {kind} needs Pillow: {how_to_install(extra)}") from None
    return Image


def sides(size: Size) -> tuple[int, int]:
    """Height and width of the option `size`; UserError where one of them is none."""
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 1:
        raise UserError(f"task.size: must be 1 or more, not {size}")
    return height, width


class Pictures:
    """Makes pictures alike, and knows what became of them.

    Pictures of 8 bits are uint8; those of more, also of floating-point numbers, keep their values as float32.

    Args:
        image: PIL.Image.
        size: height and width, or both of a square; pictures are scaled (bilinear), their proportions not kept.
        channels: 1 for grey, 3 for RGB, 4 for RGB with transparency; grey and RGB are laid on a grey background where
            they have some.

    Raises:
        UserError: the size is below 1.
    """

    def __init__(self, image: ModuleType, size: Size, channels: Channels) -> None:
        self._image, self._channels = image, channels
        self._height, self._width = sides(size)
        self._deep: bool | None = None  # whether they have more than 8 bits
        self._first = ""
        self._failed: list[str] = []
        self._read = self._grey = self._transparent = self._turned = 0
        self._sizes: Counter[tuple[int, int]] = Counter()

    def read(self, sources: Sequence[tuple[str, Callable[[], Any]]]) -> Array:
        """Read pictures; one that cannot be read is a row of zeros, and `check` names it.

        Args:
            sources: the name of each, and what opens it as a PIL image.

        Returns:
            (n, channels, height, width) in uint8 or float32.
        """
        x = np.zeros((len(sources), self._channels, self._height, self._width), np.uint8)
        for row, (name, opened) in enumerate(sources):
            try:
                with opened() as picture:
                    pixels = self._pixels(self._upright(picture), name)
            except (OSError, ValueError, SyntaxError, AttributeError, TypeError, self._bomb) as error:
                self._failed.append(f"{name}: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
                continue
            if self._deep and x.dtype == np.uint8:
                x = np.zeros(x.shape, np.float32)
            x[row] = pixels
        return x

    def check_room(self, key: str, number: int, drawn: bool) -> None:
        """Make sure, before any is read, that pictures of 8 bits fit into memory.

        Args:
            key: of the config that says where they are.
            number: of pictures.
            drawn: whether splits are drawn from them.

        Raises:
            UserError: they do not fit.
        """
        shape = f"{self._channels} x {self._height} x {self._width}"
        size = number * self._channels * self._height * self._width
        check_room(key, f"{count(number, 'picture')} of {shape}", size, drawn)

    def check(self, key: str) -> None:
        """
        Raises:
            UserError: some picture could not be read; it names them.
        """
        if self._failed:
            raise unreadable(key, count(len(self._failed), "picture"), self._failed)

    def notes(self) -> Iterator[str]:
        """What pictures become that are not as a task holds them."""
        others = Counter({size: n for size, n in self._sizes.items() if size != (self._height, self._width)})
        if others:
            (low, high), sizes = (min(others), max(others)), len(others)
            of = f"{low[0]} x {low[1]}" + (f" to {high[0]} x {high[1]}" if sizes > 1 else "")
            kept = all(height * self._width == width * self._height for height, width in others)
            proportions = "" if kept else ", their proportions are not kept"
            yield (
                f"{count(others.total(), 'picture')} of {of} (height x width) are scaled to "
                f"{self._height} x {self._width}{proportions}; task.size sets another size"
            )
        if self._grey and self._channels != 1:
            yield f"{count(self._grey, 'grey picture')} become {MODES[self._channels]}; channels: 1 keeps them grey"
        if self._read - self._grey and self._channels == 1:
            yield f"{count(self._read - self._grey, 'picture')} in colour become grey; channels: 3 keeps the colours"
        if self._transparent:
            yield (
                f"{count(self._transparent, 'picture')} with transparency are laid on grey ({BACKGROUND} of 255); "
                "channels: 4 keeps transparency as a channel"
            )
        if self._turned:
            yield f"{count(self._turned, 'picture')} are turned upright, as their EXIF orientation says"
        if self._deep:
            yield "the pictures have more than 8 bits a channel: their values are kept, as float32"

    @property
    def _bomb(self) -> type[Exception]:
        bomb: type[Exception] = self._image.DecompressionBombError
        return bomb

    def _upright(self, picture: Any) -> Any:
        """Turned and mirrored as its camera says (EXIF)."""
        picture.load()  # with which Pillow turns a TIFF itself
        way = picture.getexif().get(ORIENTATION, 1)
        if way not in TURNS:
            return picture
        self._turned += 1
        return picture.transpose(TURNS[way])

    def _pixels(self, picture: Any, name: str) -> Array:
        """(channels, height, width)."""
        deep = picture.mode in ("I", "F") or picture.mode.startswith("I;")
        if self._deep is None:
            self._deep, self._first = deep, name
        if deep != self._deep:
            raise ValueError(f"it is of mode {picture.mode}, {self._first} is not: convert all to 8 bits or to 16")
        self._sizes[picture.size[::-1]] += 1
        self._grey += picture.mode in GREY or deep
        self._read += 1
        array = np.asarray(self._scaled(self._deep_grey(picture) if deep else self._flat(picture)))
        if deep:
            return np.repeat(array[None], self._channels, 0)
        return array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)

    def _flat(self, picture: Any) -> Any:
        """In the mode that is wanted; transparency is kept or laid on the background."""
        see_through = picture.mode in ALPHA or "transparency" in picture.info
        if see_through and self._channels != 4:
            picture = picture.convert("RGBA")
            if picture.getextrema()[3][0] < 255:
                self._transparent += 1
                behind = self._image.new("RGBA", picture.size, (BACKGROUND,) * 3 + (255,))
                picture = self._image.alpha_composite(behind, picture)
        return picture.convert(MODES[self._channels])

    def _deep_grey(self, picture: Any) -> Any:
        if self._channels == 4:
            raise ValueError("channels: 4 is for pictures of 8 bits")
        return (picture if picture.mode in ("I", "F") else picture.convert("I")).convert("F")

    def _scaled(self, picture: Any) -> Any:
        wanted = self._width, self._height
        return picture if picture.size == wanted else picture.resize(wanted, resample=2)  # 2 is bilinear in any Pillow
