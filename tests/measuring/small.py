"""Networks that the tests of backends share: (N, 3, 8, 8) -> (N, 5), and some that take other things."""

from typing import Any

import psutil
import torch
from torch import Tensor, nn

from evonas.measuring.backends.backend import BACKENDS
from evonas.records import Inputs, InputSpec

INPUT = InputSpec((3, 8, 8))


def small(width: int = 4) -> nn.Module:
    """In training mode, with statistics that are not those of initialisation, and a layer whose mode is its own."""
    torch.manual_seed(1)
    norm = nn.BatchNorm2d(width)
    norm.running_mean = torch.linspace(-1, 1, width)
    layers = nn.Conv2d(3, width, 3, padding=1), norm, nn.ReLU(), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(2), nn.Flatten()
    network = nn.Sequential(*layers, nn.Linear(4 * width, 5)).train()
    norm.eval()
    return network


class Applied(nn.Module):
    """A function of the input before a convolution."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.function = function
        self.head = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(72, 5))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.function(x))  # type: ignore[operator,no-any-return]


def by_the_sign(x: Tensor) -> Tensor:
    """Another network for other inputs: which, Python decides."""
    return 3 * x.tanh() if x.sum() > 0 else x.abs()


def noisy(x: Tensor) -> Tensor:
    """Draws random numbers of which nothing is seen."""
    return x + 1e-9 * torch.rand_like(x)


class Speech(nn.Module):
    """(N, 6) tokens -> (N, 6, 11) logits."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(11, 8), nn.Embedding(6, 8)
        self.mixer, self.head = nn.Linear(6, 6), nn.Linear(8, 11)

    def forward(self, x: Tensor) -> Tensor:
        h = self.token(x) + self.place(torch.arange(x.shape[1], device=x.device))
        return self.head(torch.tanh(self.mixer(h.mT).mT))  # type: ignore[no-any-return]


class Caption(nn.Module):
    """image (N, 3, 8, 8) and tokens (N, 6) by name -> (N, 6, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.token, self.head = nn.Embedding(11, 4), nn.Linear(4, 2)

    def forward(self, image: Tensor, tokens: Tensor) -> Tensor:
        return self.head(torch.tanh(self.look(image)[:, None] + self.token(tokens)))  # type: ignore[no-any-return]


WORDS = InputSpec((6,), "int64", high=11)
OTHERS: dict[str, tuple[type[nn.Module], Inputs]] = {
    "tokens": (Speech, WORDS),
    "several": (Caption, {"image": INPUT, "tokens": WORDS}),
}
"""Networks whose input is no image: what makes them, and what they take in."""


def other(name: str) -> tuple[nn.Module, Inputs]:
    torch.manual_seed(2)
    make, inputs = OTHERS[name]
    return make(), inputs


def state_of(network: nn.Module) -> list[Any]:
    """All that a backend could have changed in a network or in this process."""
    tensors = [(name, tensor.dtype, tensor.sum().item()) for name, tensor in network.state_dict().items()]
    modes = [module.training for module in network.modules()]
    hooks = [len(module._forward_hooks) for module in network.modules()]
    torchs = torch.get_rng_state().tolist(), torch.get_num_threads(), torch.is_grad_enabled()
    return [tensors, modes, hooks, torchs, [child.pid for child in psutil.Process().children()]]


EDGE = ["executorch", "litert"]
"""Backends that the environment of the tests lacks; `test_edge.py` is theirs, where their extras are."""
COMMON = [name for name in BACKENDS if name not in EDGE]
