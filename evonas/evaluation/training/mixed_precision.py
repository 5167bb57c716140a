"""Training in half the bits: autocast, and for float16 a loss that is scaled, without a wait of the host."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

HALVES = {"bfloat16": torch.bfloat16, "float16": torch.float16}
INITIAL, GROWTH, BACKOFF, INTERVAL = 2.0**16, 2.0, 0.5, 2000
"""Of the scale: those of `torch.amp.GradScaler`."""


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """What a network's forward pass runs in. precision: "float32", "bfloat16" or "float16"."""
    return torch.autocast(device.type, HALVES[precision]) if precision in HALVES else nullcontext()


class LossScale:
    """Keeps gradients of float16 from vanishing: the loss is scaled up, gradients back, and a step in which one of them
    overflowed is left out and halves the scale (Micikevicius et al., "Mixed precision training", 2018).

    `torch.amp.GradScaler` is the same and asks the device in each step whether one overflowed. Here that stays there,
    for the optimiser's kernel to read, so that a step can be captured.

    Args:
        device: where the network is.
    """

    def __init__(self, device: torch.device) -> None:
        self._scale = torch.full((), INITIAL, device=device)
        self._good_steps = torch.zeros((), dtype=torch.int32, device=device)
        self.found_inf = torch.zeros((), device=device)
        """1 where a gradient of the last step was not finite."""

    def scaled(self, loss: Tensor) -> Tensor:
        """What to go backward from."""
        return loss * self._scale

    def unscale(self, gradients: list[Tensor]) -> None:
        """Scale gradients back, in place."""
        self.found_inf.zero_()
        if gradients:
            inverse = self._scale.double().reciprocal().float()
            torch._amp_foreach_non_finite_check_and_unscale_(gradients, self.found_inf, inverse)

    def update(self) -> None:
        """To be called behind the optimiser's step."""
        torch._amp_update_scale_(self._scale, self._good_steps, self.found_inf, GROWTH, BACKOFF, INTERVAL)

    def state_dict(self) -> dict[str, Tensor]:
        """What `load_state_dict` goes on from."""
        return {"scale": self._scale, "good_steps": self._good_steps}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state, in place."""
        self._scale.copy_(state["scale"])
        self._good_steps.copy_(state["good_steps"])
