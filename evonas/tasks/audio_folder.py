"""Task kind `audio_folder`: a folder of WAV files for each class."""

import struct
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from evonas.errors import UserError
from evonas.paths import expanded
from evonas.records import InputSpec, TaskSpec
from evonas.tasks.class_folders import class_folders, count, natural, unreadable
from evonas.tasks.class_weights import ClassWeights
from evonas.tasks.constructors import classification
from evonas.tasks.dealing import SplitBy
from evonas.tasks.file_groups import keys_of_classes
from evonas.tasks.metrics import directions
from evonas.tasks.room import check_room
from evonas.tasks.splitting import completed
from evonas.tasks.task import Array, Split, Task

SUFFIXES = frozenset((".wav", ".wave"))
WINDOW_S, HOP_S = 0.025, 0.010
QUIET = 1e-6
"""Added to the power of a band before its logarithm."""


def audio_folder(
    *,
    path: str,
    seconds: float = 1.0,
    bands: int = 32,
    split: SplitBy | None = None,
    class_weights: ClassWeights = None,
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_seed: int = 0,
    metrics: tuple[str, ...] = ("error",),
) -> Task:
    """PATH/CLASS/*.wav, or PATH/train/CLASS/*.wav beside PATH/valid and PATH/test, as pictures of sound.

    Samples are held as int16, one channel. `prepare` makes a log-mel spectrogram of them (windows of 25 ms, 10 ms
    apart), standardised per band: (1, bands, frames), which the spaces of pictures take. So an exported network takes
    samples.

    Args:
        path: the folder; see `image_folder`.
        seconds: files are cut to so long, or filled up with silence.
        bands: of the spectrogram.
        split: {by: EXPRESSION}: files on whose path below the folder a regular expression finds the same, its first
            group or all of it, are in one part: a speaker, a patient.
        class_weights: of the classes in the loss: balanced, or a number for each, in their order.
        valid_fraction: of the training examples, where there is no folder `valid`.
        test_fraction: of the training examples, where there is no folder `test`.
        split_seed: of the draw of these.
        metrics: computed of the validation examples, the main one first.

    Raises:
        UserError: no such folder, no WAV files in it, files that cannot be read or of different rates, or
            no room for them in memory.
    """
    root = expanded(path, "task.path")
    if bands < 1 or seconds < WINDOW_S:
        raise UserError(f"task: bands must be 1 or more, and seconds {WINDOW_S} or more, not {bands} and {seconds}")
    found, classes, notes = class_folders(root, SUFFIXES, "WAV files")
    recordings = _Recordings(seconds)
    recordings.check_room([file for own in found.values() for files in own.values() for file in files], found)
    given = {part: _read(recordings, files, classes) for part, files in found.items()}
    recordings.check()
    keys = keys_of_classes(split, found["train"], root, notes)
    splits = completed(given, valid_fraction, test_fraction, split_seed, keys=keys)
    notes = [*notes, *recordings.notes()]
    task = classification(root.name, splits, metrics, classes, notes, class_weights=class_weights)
    return _as_spectrograms(task, recordings.rate, bands)


class Spectrogram(nn.Module):
    """Samples (n, samples) -> log-mel spectrograms (n, 1, bands, frames), standardised per band.

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
        window, self.hop = round(rate * WINDOW_S), max(1, round(rate * HOP_S))
        phase = 2 * np.pi * np.outer(np.arange(window), np.arange(window // 2 + 1)) / window
        shape = np.hanning(window)[:, None]
        self.register_buffer("cosine", torch.from_numpy(shape * np.cos(phase)).float())
        self.register_buffer("sine", torch.from_numpy(shape * np.sin(phase)).float())
        self.register_buffer("filters", torch.from_numpy(mel_filters(rate, window // 2 + 1, bands)).float())
        self.register_buffer("mean", torch.zeros(bands, 1))
        self.register_buffer("deviation", torch.ones(bands, 1))
        self.window = window

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
        frames = (x.float() / 2**15).unfold(1, self.window, self.hop)  # (n, frames, window)
        power = (frames @ self.cosine).square() + (frames @ self.sine).square()
        bands = ((power @ self.filters) + QUIET).log().transpose(1, 2)
        return ((bands - self.mean) / self.deviation)[:, None]


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


class _Recordings:
    """Reads WAV files alike, and knows what became of them."""

    def __init__(self, seconds: float) -> None:
        self.rate, self._seconds = 0, seconds
        self._failed: list[str] = []
        self._cut = self._filled = self._mixed = self._read = 0

    def check_room(self, files: Sequence[Path], parts: Collection[str]) -> None:
        """Make sure, before the second is read, that recordings fit into memory.

        Raises:
            UserError: they do not.
        """
        rate = next(filter(None, map(self._rate_of, files)), 0)
        size = len(files) * self._length(rate) * np.dtype(np.int16).itemsize
        what = f"{count(len(files), 'recording')} of {self._seconds:g} s at {rate:,} Hz"
        check_room("task.path", what, size, not {"valid", "test"} <= {*parts}, "set smaller task.seconds")

    def read(self, files: Sequence[Path]) -> Array:
        """(n, samples) int16; zeros where one cannot be read, which `check` says."""
        x = np.zeros((len(files), 0), np.int16)
        for row, file in enumerate(files):
            samples = self._samples(file)
            if self.rate and not x.shape[1]:  # that of the first which can be read
                x = np.zeros((len(files), self._length(self.rate)), np.int16)
            length = x.shape[1]
            self._cut += len(samples) > length
            self._filled += len(samples) < length
            x[row, : len(samples)] = samples[:length]
        return x

    def _rate_of(self, file: Path) -> int:
        """Samples a second; 0 where it cannot be read."""
        try:
            return self._opened(file)[0]
        except (OSError, ValueError, EOFError, struct.error):
            return 0

    def _length(self, rate: int) -> int:
        return max(1, round(self._seconds * rate))

    def _samples(self, file: Path) -> Array:
        """(samples,) int16; nothing where it cannot be read."""
        try:
            rate, samples = self._opened(file)
        except (OSError, ValueError, EOFError, struct.error) as error:
            self._failed.append(f"{file}: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
            return np.zeros(0, np.int16)
        self.rate = self.rate or rate
        if rate != self.rate:
            self._failed.append(f"{file}: it has {rate:,} samples a second, others have {self.rate:,}")
            return np.zeros(0, np.int16)
        self._read += 1
        if samples.ndim == 2:
            self._mixed += samples.shape[1] > 1
            samples = samples.astype(np.float64).mean(1).astype(samples.dtype)
        return _as_int16(samples)

    def check(self) -> None:
        """
        Raises:
            UserError: some file could not be read; it names them.
        """
        if self._failed:
            raise unreadable("task.path", count(len(self._failed), "WAV file"), self._failed)

    def notes(self) -> list[str]:
        """What becomes of recordings that are not as a task holds them."""
        changed = [(self._cut, "cut to"), (self._filled, "filled up with silence to")]
        notes = [f"{n:,} of {self._read:,} recordings are {how} {self._seconds:g} s" for n, how in changed if n]
        return notes + ([f"{self._mixed:,} recordings of several channels are mixed to one"] if self._mixed else [])

    def _opened(self, file: Path) -> tuple[int, Any]:
        try:
            from scipy.io import wavfile
        except ImportError:
            raise UserError("task audio_folder needs scipy: pip install scipy") from None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # chunks that are no samples
            rate, samples = wavfile.read(file)
        return int(rate), samples


def _as_int16(samples: Array) -> Array:
    if samples.dtype.kind == "f":
        clipped: Array = np.clip(np.nan_to_num(samples), -1, 1) * (2**15 - 1)
        return clipped.astype(np.int16)
    if samples.dtype == np.uint8:
        return (samples.astype(np.int16) - 128) * 256
    shifted: Array = samples >> 8 * (samples.dtype.itemsize - 2)
    return shifted.astype(np.int16)


def _read(recordings: _Recordings, files: Mapping[str, Sequence[Path]], classes: Sequence[str]) -> Split:
    own = sorted(files, key=natural)
    x = recordings.read([file for name in own for file in files[name]])
    y = [classes.index(name) for name in own for _ in files[name]]
    return Split(x, np.array(y, np.int64))


def _as_spectrograms(task: Task, rate: int, bands: int) -> Task:
    """The task with a spectrogram before its networks."""
    train = task.splits.train.x
    assert isinstance(train, np.ndarray)
    prepare = Spectrogram(rate, bands)
    prepare.fit(train)
    shape = tuple(prepare(torch.from_numpy(train[:1])).shape[1:])
    spec = TaskSpec(task.spec.name, InputSpec(shape), task.spec.output_shape, directions(task.metrics))
    return replace(task, spec=spec, prepare=prepare)
