"""Pictures of sound, made where the network runs: samples become log-mel spectrograms."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evonas.tasks.task import Array

WINDOW_S, HOP_S = 0.025, 0.010
QUIET = 1e-6
"""Added to the power of a band before its logarithm."""


class Spectrogram(nn.Module):
    """Samples (n, samples) -> log-mel spectrograms (n, 1, bands, frames), standardised per band.

    A Fourier transform by matrix products, for every runtime and file format has these. Windows are joined from blocks
    that are a hop long, and not unfolded: an ONNX file would hold a slice for each frame.

    Args:
        rate: samples a second.
        bands: of equal width on the mel scale, up to half the rate.
    """

    cosine: Tensor
    sine: Tensor
    filters: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, rate: int, bands: int) -> None:
        super().__init__()
        self.rate = rate
        self.window, self.hop = round(rate * WINDOW_S), max(1, round(rate * HOP_S))
        self.blocks = -(-self.window // self.hop)
        phase = 2 * np.pi * np.outer(np.arange(self.window), np.arange(self.window // 2 + 1)) / self.window
        shape = np.hanning(self.window)[:, None]
        beyond = ((0, self.blocks * self.hop - self.window), (0, 0))  # of the window, in its last block
        for name, wave in (("cosine", np.cos(phase)), ("sine", np.sin(phase))):
            self.register_buffer(name, torch.from_numpy(np.pad(shape * wave, beyond)).float())
        self.register_buffer("filters", torch.from_numpy(mel_filters(rate, self.window // 2 + 1, bands)).float())
        self.register_buffer("mean", torch.zeros(bands, 1))
        self.register_buffer("deviation", torch.ones(bands, 1))

    @classmethod
    def with_constants(cls, rate: int, mean: Sequence[float], deviation: Sequence[float]) -> "Spectrogram":
        """One that standardises by mean and deviation, each one number a band."""
        made = cls(rate, len(mean))
        made.mean, made.deviation = (torch.tensor(numbers)[:, None] for numbers in (mean, deviation))
        return made

    def fit(self, x: Array) -> None:
        """Set mean and deviation of each band to those of training examples (n, samples)."""
        with torch.no_grad():
            parts = [self(torch.from_numpy(x[start : start + 64])) for start in range(0, len(x), 64)]
        bands = torch.cat(parts).double()[:, 0]  # (n, bands, frames)
        deviation = bands.std((0, 2), correction=0)
        self.mean = bands.mean((0, 2)).float()[:, None]
        self.deviation = torch.where(deviation > QUIET, deviation, 1.0).float()[:, None]

    def forward(self, x: Tensor) -> Tensor:
        frames = self._frames(x.float() / 2**15)
        power = (frames @ self.cosine).square() + (frames @ self.sine).square()
        bands = ((power @ self.filters) + QUIET).log().transpose(1, 2)
        return ((bands - self.mean) / self.deviation)[:, None]

    def _frames(self, x: Tensor) -> Tensor:
        """(n, frames, blocks x hop) windows that begin a hop apart, each as far as there are samples for all of it."""
        count = (x.shape[1] - self.window) // self.hop + 1
        length = (count - 1 + self.blocks) * self.hop
        blocks = F.pad(x, (0, max(0, length - x.shape[1])))[:, :length].reshape(-1, count - 1 + self.blocks, self.hop)
        return torch.cat([blocks[:, first : first + count] for first in range(self.blocks)], 2)


def mel_filters(rate: int, bins: int, bands: int) -> Array:
    """(bins, bands) triangles whose corners are evenly spaced on the mel scale (O'Shaughnessy 1987)."""
    top = 2595 * np.log10(1 + rate / 2 / 700)
    corners = 700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1)
    hertz = np.linspace(0, rate / 2, bins)[:, None]
    low, middle, high = corners[:-2], corners[1:-1], corners[2:]
    width = rate / 2 / (bins - 1)  # a narrow band still gets the bin nearest to it
    rising = (hertz - low) / np.maximum(middle - low, width)
    falling = (high - hertz) / np.maximum(high - middle, width)
    filters: Array = np.maximum(0, np.minimum(rising, falling)) + (np.abs(hertz - middle) <= width / 2)
    return filters
