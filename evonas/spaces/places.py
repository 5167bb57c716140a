"""Where a module stands, in words that mean the same in every network of a space.

The name of a module counts what is before it: behind an optional layer, or behind as many blocks as a gene says, the
same layer has another one. Weights that several networks share go by places (`evonas.supernet`). Names of parameters in
files of weights are not changed by them.
"""

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch import nn

PLACE = "_evonas_place"
"""The attribute of a module that has one. Nothing else looks at it, and nothing that is computed depends on it."""
Module = TypeVar("Module", bound="nn.Module")


def placed(name: str, module: Module) -> Module:
    """Say where a module stands in its parent, in the place of its name there.

    Args:
        name: e.g. "stage_2.block_0-inverted": where, and what was chosen there of which the weights are no others';
            empty: its parts stand where it does.
        module: which may have no parameters.

    Returns:
        The module.
    """
    setattr(module, PLACE, name)
    return module


def place_of(module: "nn.Module", name: str) -> str:
    """Where a module stands in its parent.

    Args:
        module: of a network.
        name: under which its parent has it, which it is where nothing says more.
    """
    place: str = getattr(module, PLACE, name)
    return place
