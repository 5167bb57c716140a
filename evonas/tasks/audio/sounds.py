"""From recordings of one length to a task whose networks see spectrograms: what `audio_folder` and `audio` share."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from evonas.errors import UserError
from evonas.records import InputSpec, TaskSpec
from evonas.tasks.audio.masking import Masking
from evonas.tasks.audio.spectrogram import WINDOW_S, Spectrogram
from evonas.tasks.class_weights import ClassWeights
from evonas.tasks.constructors import classification
from evonas.tasks.metrics import directions
from evonas.tasks.task import Array, Splits, Task

LOWEST_RATE, HIGHEST_RATE = 400, 10**6
"""Samples a second; of fewer a window would have less than ten."""
LOUDEST = 2.0
"""Of floats, which run from -1 to 1 and may go a little beyond; above it they are whole numbers as floats."""


@dataclass(frozen=True, slots=True)
class Sounds:
    """How recordings are heard.

    Args:
        seconds: they are cut or filled up to.
        bands: of a spectrogram.
        mask_bands: the widest mask over bands that augments; 0: none.
        mask_frames: the widest mask over frames that augments; 0: none.
        masks: of either kind.

    Raises:
        UserError: there is less than a band or a window, or a mask is wider than what it masks.
    """

    seconds: float
    bands: int
    mask_bands: int
    mask_frames: int
    masks: int

    def __post_init__(self) -> None:
        if self.bands < 1 or self.seconds < WINDOW_S:
            raise UserError(
                f"task: bands must be 1 or more, and seconds {WINDOW_S} or more, not {self.bands} and {self.seconds}"
            )
        if self.masks < 1 or min(self.mask_bands, self.mask_frames) < 0:
            raise UserError("task: masks must be 1 or more, mask_bands and mask_frames 0 or more")

    def length(self, rate: int) -> int:
        """Samples of a recording."""
        return max(1, round(self.seconds * rate))

    def task(
        self,
        name: str,
        splits: Splits,
        rate: int,
        metrics: Sequence[str],
        classes: Sequence[str],
        notes: Sequence[str],
        class_weights: ClassWeights,
    ) -> Task:
        """A classification whose `prepare` makes spectrograms of samples (n, samples) int16."""
        notes = [*notes, *_silent(splits), *self._alike(rate)]
        made = classification(name, splits, metrics, classes, notes, class_weights=class_weights)
        train = made.splits.train.x
        assert isinstance(train, np.ndarray)
        prepare = Spectrogram(rate, self.bands)
        prepare.fit(train)
        shape = tuple(prepare(torch.from_numpy(train[:1])).shape[1:])
        spec = TaskSpec(made.spec.name, InputSpec(shape), made.spec.output_shape, directions(made.metrics))
        return replace(made, spec=spec, prepare=prepare, augment=self._masking(shape))

    def _alike(self, rate: int) -> list[str]:
        """A note of more bands than frequencies."""
        there = round(rate * WINDOW_S) // 2 + 1
        if self.bands <= there:
            return []
        return [
            f"a window of {1000 * WINDOW_S:g} ms at {rate:,} samples a second has {there:,} frequencies, so that many "
            f"of {self.bands:,} bands are alike; task.bands takes less"
        ]

    def _masking(self, shape: tuple[int, ...]) -> Masking | None:
        wanted = (("bands", self.mask_bands), ("frames", self.mask_frames))
        for (what, widest), there in zip(wanted, shape[1:], strict=True):
            if widest > there:
                raise UserError(f"task.mask_{what}: {widest} is more than the {there} {what} of a spectrogram")
        some = self.mask_bands or self.mask_frames
        return Masking(self.mask_bands, self.mask_frames, self.masks) if some else None


def _silent(splits: Splits) -> list[str]:
    """A note of recordings in which nothing is to be heard.

    Raises:
        UserError: there is nothing else in training.
    """
    parts = splits.parts.values()
    silent = [(samples == samples[:, :1]).all(1) for samples in (np.asarray(split.columns[""]) for split in parts)]
    if silent[0].all():
        raise UserError("task.path: all training recordings are silent: each of their samples is the same number")
    count = sum(int(own.sum()) for own in silent)
    return [f"{count:,} of {sum(map(len, silent)):,} recordings are silent"] * bool(count)


def as_int16(samples: Array) -> Array:
    """Samples of any kind, as loud as they are: floats from -1 to 1, uint8 around 128, whole numbers by their range."""
    if samples.dtype.kind == "f":
        clipped: Array = np.clip(samples, -1, 1) * (2**15 - 1)
        return clipped.astype(np.int16)
    if samples.dtype == np.uint8:
        return (samples.astype(np.int16) - 128) * 256
    if samples.dtype == np.int8:
        return samples.astype(np.int16) * 256
    shifted: Array = samples >> 8 * (samples.dtype.itemsize - 2)
    if samples.dtype.kind == "u":
        shifted = shifted.astype(np.int64) - 2**15
    return shifted.astype(np.int16)


def check_rate(rate: float) -> int:
    """Samples a second as a whole number.

    Raises:
        UserError: they are too few or too many.
    """
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise UserError(
            f"task.rate: takes samples a second, from {LOWEST_RATE} to {HIGHEST_RATE:,}, not {str(rate)[:40]}"
        )
    return round(rate)


def most_frequent(rates: Iterable[int]) -> int:
    """Of equally frequent ones the lowest; 0 where there is none."""
    counts = Counter(rates)
    return min(counts, key=lambda rate: (-counts[rate], rate), default=0)


def lengths(cut: int, filled: int, of: int, seconds: float) -> list[str]:
    """Notes of recordings that are not as long as a task holds them."""
    shorter = f"recordings are held {seconds:g} s long; {filled:,} of {of:,} are shorter and have silence behind them"
    return [f"{cut:,} of {of:,} recordings are cut to {seconds:g} s"] * bool(cut) + [shorter] * bool(filled)
