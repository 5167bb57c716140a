"""The parameters of a network by where they stand, so that two networks of a space share those of one place."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from evonas.spaces.places import place_of

AXES_OF_CHANNELS = 2
"""Behind them are those of a kernel."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A parameter where it stands.

    Args:
        key: the place, the kind of its module and the parameter's name there; equal for what networks share.
        parameter: of the network.
        centred: the first axis along which a smaller tensor is the middle of a larger one; along those before it is
            the beginning.
    """

    key: str
    parameter: nn.Parameter
    centred: int

    @property
    def tensor(self) -> Tensor:
        """The parameter's numbers, which no gradient follows."""
        return self.parameter.data


def places(network: nn.Module) -> list[Place]:
    """The parameters of floating-point numbers of a network, each once, in their order.

    Args:
        network: of a space; `evonas.spaces.places` says where modules stand whose names do not.
    """
    seen: set[int] = set()
    found, names = [], Counter[str]()
    for path, module in _walked(network, ""):
        for name, parameter in module._parameters.items():
            if parameter is None or id(parameter) in seen or not parameter.is_floating_point():
                continue
            seen.add(id(parameter))
            key = f"{path}:{_kind(module)}.{name}"
            names[key] += 1
            key = key if names[key] == 1 else f"{key}#{names[key]}"  # two modules say that they stand in one place
            centred = AXES_OF_CHANNELS if isinstance(module, _ConvNd) else parameter.ndim
            found.append(Place(key, parameter, centred))
    return found


def _walked(module: nn.Module, path: str) -> Iterator[tuple[str, nn.Module]]:
    yield path, module
    for name, part in module._modules.items():
        if part is not None:
            yield from _walked(part, ".".join(filter(None, (path, place_of(part, name)))))


def _kind(module: nn.Module) -> str:
    """Its class, and what its weights mean besides their shape."""
    words = [type(module).__name__]
    words += ["grouped"] if getattr(module, "groups", 1) not in (1, None) else []
    dilation = getattr(module, "dilation", 1)
    apart = dilation if isinstance(dilation, tuple) else (dilation,)
    words += [f"dilated {'x'.join(map(str, apart))}"] if set(apart) != {1} else []
    if isinstance(module, nn.RNNBase | nn.RNNCellBase):  # gates one behind the other: a narrower one is no beginning
        words.append(f"of {module.hidden_size}")
    if isinstance(module, nn.MultiheadAttention):  # likewise queries, keys and values
        words.append(f"of {module.embed_dim}")
    return " ".join(words)
