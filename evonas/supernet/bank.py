"""A bank of weights: tensors by place, each as large as the largest that a network had there.

A network has the beginning of each tensor along its channels, and the middle of its kernels: "prefix slices", as in
slimmable networks (Yu et al. 2019), Once-for-all (Cai et al. 2020) and AutoFormer (Chen et al. 2021).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from evonas.supernet.places import Place, places
from evonas.text import counted

Slices = tuple[slice, ...]


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a network got of a bank.

    Args:
        copied: numbers that are the bank's now.
        numbers: of all parameters.
        unseen: places that the bank does not have, or not as large; there the network is as it was built.
    """

    copied: int
    numbers: int
    unseen: tuple[str, ...]

    @property
    def share(self) -> float:
        """Of the numbers, those that are the bank's."""
        return self.copied / self.numbers if self.numbers else 1.0

    @property
    def lacking(self) -> str:
        """What is not the bank's, in words; empty where all is."""
        return f"{counted(len(self.unseen), 'place')}, {1 - self.share:.1%} of the weights" if self.unseen else ""


def overlap(shape: Sequence[int], other: Sequence[int], centred: int) -> tuple[Slices, Slices]:
    """Which part of two tensors of one place is the same.

    Args:
        shape: of one.
        other: of the other, of as many axes.
        centred: as of `Place`.

    Returns:
        The part of the first, and of the second.
    """
    parts = []
    for axis, (mine, yours) in enumerate(zip(shape, other, strict=True)):
        common = min(mine, yours)
        starts = [(size - common) // 2 if axis >= centred else 0 for size in (mine, yours)]
        parts.append([slice(start, start + common) for start in starts])
    return tuple(part[0] for part in parts), tuple(part[1] for part in parts)


class Bank:
    """Weights by place.

    Args:
        tensors: by key of `Place`; the bank's own from now on.
    """

    def __init__(self, tensors: Mapping[str, Tensor] | None = None) -> None:
        self.tensors = dict(tensors or {})

    @torch.no_grad()
    def admit(self, network: nn.Module) -> None:
        """Make room for a network: what the bank lacks of it is as the network was built.

        Args:
            network: of the space, with weights that it was built with.
        """
        for place in places(network):
            known = self.tensors.get(place.key)
            if known is None or known.ndim != place.tensor.ndim:
                self.tensors[place.key] = place.tensor.clone(memory_format=torch.contiguous_format)
            elif any(own > there for own, there in zip(place.tensor.shape, known.shape, strict=True)):
                self.tensors[place.key] = enlarged(known, place)

    @torch.no_grad()
    def give(self, network: nn.Module) -> Inherited:
        """Write the bank's weights into a network, as far as it has them.

        Args:
            network: changed in place.
        """
        copied, numbers, unseen = 0, 0, []
        for place in places(network):
            numbers += place.tensor.numel()
            known = self.tensors.get(place.key)
            if known is None or known.ndim != place.tensor.ndim:
                unseen.append(place.key)
                continue
            there, own = overlap(known.shape, place.tensor.shape, place.centred)
            part = place.tensor[own]
            part.copy_(known[there])
            copied += part.numel()
            if part.numel() < place.tensor.numel():
                unseen.append(place.key)
        return Inherited(copied, numbers, tuple(unseen))


def enlarged(known: Tensor, place: Place) -> Tensor:
    """A tensor of a bank with room for a network's: what was there stays, beside it is what the network has, and where
    neither has anything the first numbers of what it has, again and again."""
    shape = [max(sizes) for sizes in zip(known.shape, place.tensor.shape, strict=True)]
    flat = place.tensor.flatten()
    count = torch.Size(shape).numel()
    found = flat.repeat(-(-count // flat.numel()))[:count].reshape(shape)
    for tensor in (place.tensor, known):
        there, own = overlap(shape, tensor.shape, place.centred)
        found[there] = tensor[own]
    return found
