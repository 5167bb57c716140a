"""Pictures of any size and mode as the arrays that tasks hold. Pillow is the extra `images`."""

from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np

from evonas.errors import UserError
from evonas.installing import how_to_install
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
DECODING = 1
"""The version of what this file makes of a picture; another one is not taken from a cache."""


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


class Traits(NamedTuple):
    """What a picture was before it became pixels.

    Attributes:
        size: height and width, upright.
        mode: Pillow's name of how its pixels are stored.
        deep: it has more than 8 bits a channel.
        grey: it has one channel.
        transparent: something was seen through it, and is no more.
        turned: it was turned upright as its EXIF orientation says.
    """

    size: tuple[int, int]
    mode: str
    deep: bool
    grey: bool
    transparent: bool
    turned: bool


@dataclass(frozen=True, slots=True)
class Form:
    """What pictures become, each by itself and in any thread.

    Pictures of 8 bits become uint8; those of more, also of floating-point numbers, keep their values as float32.

    Args:
        height, width: pictures are scaled to these (bilinear), their proportions not kept.
        channels: 1 for grey, 3 for RGB, 4 for RGB with transparency; grey and RGB are laid on a grey background where
            they have some.
    """

    height: int
    width: int
    channels: Channels

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        return self.channels, self.height, self.width

    def pixels(self, picture: Any) -> tuple[Array, Traits]:
        """Decode a picture.

        Args:
            picture: of Pillow, opened.

        Returns:
            (channels, height, width) in uint8 or float32, and what it was.

        Raises:
            OSError, ValueError, SyntaxError, AttributeError, TypeError, PIL.Image.DecompressionBombError: it is
                damaged, too large, or no picture.
        """
        upright, turned = _upright(picture)
        deep = upright.mode in ("I", "F") or upright.mode.startswith("I;")
        grey = deep or upright.mode in GREY
        flat, transparent = (self._deep_grey(upright), False) if deep else self._flat(upright)
        array = np.asarray(self._scaled(flat))
        if deep:
            array = np.repeat(array[None], self.channels, 0)
        else:
            array = array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)
        return array, Traits(upright.size[::-1], upright.mode, deep, grey, transparent, turned)

    def _flat(self, picture: Any) -> tuple[Any, bool]:
        """In the mode that is wanted, and whether transparency was laid on the background; or it is kept."""
        see_through = picture.mode in ALPHA or "transparency" in picture.info
        hidden = False
        if see_through and self.channels != 4:
            image = pillow("image_folder", "images")
            picture = picture.convert("RGBA")
            if hidden := picture.getextrema()[3][0] < 255:
                behind = image.new("RGBA", picture.size, (BACKGROUND,) * 3 + (255,))
                picture = image.alpha_composite(behind, picture)
        return picture.convert(MODES[self.channels]), hidden

    def _deep_grey(self, picture: Any) -> Any:
        if self.channels == 4:
            raise ValueError("channels: 4 is for pictures of 8 bits")
        return (picture if picture.mode in ("I", "F") else picture.convert("I")).convert("F")

    def _scaled(self, picture: Any) -> Any:
        wanted = self.width, self.height
        return picture if picture.size == wanted else picture.resize(wanted, resample=2)  # 2 is bilinear in any Pillow


def _upright(picture: Any) -> tuple[Any, bool]:
    """Turned and mirrored as its camera says (EXIF), and whether it was."""
    picture.load()  # with which Pillow turns a TIFF itself
    way = picture.getexif().get(ORIENTATION, 1)
    return (picture.transpose(TURNS[way]), True) if way in TURNS else (picture, False)
