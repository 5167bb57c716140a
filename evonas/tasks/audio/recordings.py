"""Files of sound as the samples that tasks hold: one channel, one rate, one length."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np

from evonas.tasks.audio.files import SUFFIXES as SUFFIXES
from evonas.tasks.audio.files import NoSound, rate_of, samples_of
from evonas.tasks.audio.resampling import note_of, resampled
from evonas.tasks.audio.sounds import Sounds, as_int16, lengths, most_frequent
from evonas.tasks.class_folders import count, unreadable
from evonas.tasks.room import check_room
from evonas.tasks.task import Array


class Recordings:
    """Reads files of sound alike, and knows what became of them.

    Args:
        sounds: what they become.
        rate: samples a second that they are held with; files of other rates are resampled.
    """

    def __init__(self, sounds: Sounds, rate: int) -> None:
        self.rate, self._sounds = rate, sounds
        self._failed: list[str] = []
        self._others: Counter[int] = Counter()
        self._cut = self._filled = self._mixed = self._read = 0

    def check_room(self, files: int, parts: Collection[str]) -> None:
        """Make sure, before any is read, that recordings fit into memory.

        Raises:
            UserError: they do not.
        """
        size = files * self._sounds.length(self.rate) * np.dtype(np.int16).itemsize
        what = f"{count(files, 'recording')} of {self._sounds.seconds:g} s at {self.rate:,} Hz"
        check_room("task.path", what, size, not {"valid", "test"} <= {*parts}, "set smaller task.seconds or task.rate")

    def read(self, files: Sequence[Path]) -> Array:
        """(n, samples) int16; zeros where one cannot be read, which `check` says."""
        length = self._sounds.length(self.rate)
        x = np.zeros((len(files), length), np.int16)
        for row, file in enumerate(files):
            try:
                samples = self._samples(file, length)
            except NoSound as reason:
                self._failed.append(f"{file}: {reason}")
                continue
            x[row, : len(samples)] = samples[:length]
        return x

    def check(self) -> None:
        """
        Raises:
            UserError: some file could not be read; it names them.
        """
        if self._failed:
            raise unreadable("task.path", count(len(self._failed), "recording"), self._failed)

    def notes(self) -> list[str]:
        """What becomes of recordings that are not as a task holds them."""
        notes = lengths(self._cut, self._filled, self._read, self._sounds.seconds)
        if self._mixed:
            notes.append(f"{self._mixed:,} recordings of several channels are mixed to one")
        return notes + note_of(self._others, self._read, self.rate)

    def _samples(self, file: Path, length: int) -> Array:
        """(samples,) int16 at the task's rate, `length` of them or fewer where the recording is resampled.

        Raises:
            NoSound: it cannot be read.
        """
        rate, samples = samples_of(file)
        self._read += 1
        self._mixed += samples.ndim == 2 and samples.shape[1] > 1
        self._others.update([rate] if rate != self.rate else [])
        there, wanted = len(samples) * self.rate, length * rate
        self._cut += there > wanted
        self._filled += there < wanted
        return resampled(as_int16(_one_channel(samples)), rate, self.rate, length)


def most_frequent_rate(files: Iterable[Path]) -> int:
    """Samples a second that most files have, by their headers; of equally frequent ones the lowest; 0 where none has.

    Raises:
        UserError: what reads them is not installed.
    """
    return most_frequent(rate for rate in map(rate_of, files) if rate)


def _one_channel(samples: Array) -> Array:
    if samples.ndim == 1:
        return samples
    if samples.shape[1] == 1:
        return samples[:, 0]
    mean: Array = samples.astype(np.float64).mean(1).astype(samples.dtype)
    return mean
