from collections.abc import Callable

from evonas.spaces.cell import Cell
from evonas.spaces.conv1d import Conv1D
from evonas.spaces.genes import Arch, Choice, Group, Integer, OneOf, Optional, Repeat
from evonas.spaces.mlp import MLP
from evonas.spaces.mobile import Mobile
from evonas.spaces.places import placed
from evonas.spaces.space import Gene, Space
from evonas.spaces.tcn import TCN
from evonas.spaces.transformer import Transformer
from evonas.spaces.two_tower import TwoTower
from evonas.spaces.unet import UNet

SPACES: dict[str, Callable[..., Space]] = {
    "cell": Cell,
    "mobile": Mobile,
    "mlp": MLP,
    "tcn": TCN,
    "transformer": Transformer,
    "conv1d": Conv1D,
    "unet": UNet,
    "two_tower": TwoTower,
}
"""By the `kind` of a config's space section; its other keys are options of the constructor."""

__all__ = [
    "MLP",
    "SPACES",
    "TCN",
    "Arch",
    "Cell",
    "Choice",
    "Conv1D",
    "Gene",
    "Group",
    "Integer",
    "Mobile",
    "OneOf",
    "Optional",
    "Repeat",
    "Space",
    "Transformer",
    "TwoTower",
    "UNet",
    "placed",
]
