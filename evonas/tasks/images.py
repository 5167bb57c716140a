"""Pictures of any size and mode as the arrays that tasks hold. Pillow is the extra `images`."""

from types import ModuleType
from typing import Any, Literal

import numpy as np

from evonas.errors import UserError
from evonas.tasks.task import Array

Channels = Literal[1, 3]
MODES = {1: "L", 3: "RGB"}


def pillow(kind: str, extra: str) -> ModuleType:
    """PIL.Image, or a UserError that names the extra to install."""
    try:
        from PIL import Image
    except ImportError:
        raise UserError(f"task {kind} needs Pillow: pip install 'evonas[{extra}]'") from None
    return Image


def pixels(picture: Any, size: int, channels: Channels) -> Array:
    """A PIL image -> (channels, size, size) uint8: grey or RGB, scaled (bilinear), its proportions not kept."""
    picture = picture.convert(MODES[channels])
    if picture.size != (size, size):
        picture = picture.resize((size, size), resample=2)  # 2 is bilinear in every version of Pillow
    array = np.asarray(picture, np.uint8)
    return array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)
