"""What a network takes in where columns are known of the future."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class KnownFuture(nn.Module):
    """Windows (N, channels, context + horizon) in the units of the data -> (N, channels + 1, context + horizon).

    Channels are standardised. Of the future only the last `known` ones are left, and 0 stands in the others, whatever
    was there; one more channel marks the future with 1.

    Args:
        mean: (channels,) of the training rows.
        deviation: as many.
        context: places of the past.
        horizon: places of the future.
        known: channels that are known of the future.
    """

    mean: Tensor
    deviation: Tensor
    visible: Tensor
    future: Tensor

    def __init__(
        self, mean: Sequence[float], deviation: Sequence[float], context: int, horizon: int, known: int
    ) -> None:
        super().__init__()
        self.context, self.horizon, self.known = context, horizon, known
        self.register_buffer("mean", torch.tensor(list(mean), dtype=torch.float32)[:, None])
        self.register_buffer("deviation", torch.tensor(list(deviation), dtype=torch.float32)[:, None])
        future = torch.arange(context + horizon)[None] >= context
        always = torch.arange(len(self.mean))[:, None] >= len(self.mean) - known
        self.register_buffer("visible", ~future | always)
        self.register_buffer("future", future.float()[None])

    def forward(self, x: Tensor) -> Tensor:
        own = (x.float() - self.mean) / self.deviation
        seen = torch.where(self.visible, own, torch.zeros_like(own))
        return torch.cat([seen, self.future.expand(x.shape[0], -1, -1)], 1)
