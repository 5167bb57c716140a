from collections.abc import Callable

from evonas.spaces.cell import Cell
from evonas.spaces.genes import Arch, Choice, Group, Integer, OneOf, Optional, Repeat
from evonas.spaces.mlp import MLP
from evonas.spaces.mobile import Mobile
from evonas.spaces.space import Gene, Space
from evonas.spaces.tcn import TCN

SPACES: dict[str, Callable[..., Space]] = {"cell": Cell, "mobile": Mobile, "mlp": MLP, "tcn": TCN}
"""By the `kind` of a config's space section; its other keys are options of the constructor."""

__all__ = [
    "MLP",
    "SPACES",
    "TCN",
    "Arch",
    "Cell",
    "Choice",
    "Gene",
    "Group",
    "Integer",
    "Mobile",
    "OneOf",
    "Optional",
    "Repeat",
    "Space",
]
