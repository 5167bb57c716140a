"""Files of sound as the samples that tasks hold. FLAC takes the extra `audio`."""

import struct
import warnings
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evonas.errors import UserError
from evonas.installing import how_to_install
from evonas.tasks.audio.sounds import Sounds, as_int16, lengths
from evonas.tasks.class_folders import count, unreadable
from evonas.tasks.room import check_room
from evonas.tasks.task import Array

FAILURES = (OSError, ValueError, EOFError, struct.error, RuntimeError)
"""What readers raise of files that are no sound; soundfile's error is a RuntimeError."""


def _wav(file: Path) -> tuple[int, Any]:
    """Rate and samples (n,) or (n, channels)."""
    try:
        from scipy.io import wavfile
    except ImportError:
        raise UserError("task audio_folder needs scipy: pip install scipy") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # chunks that are no samples
        rate, samples = wavfile.read(file)
    return int(rate), samples


def _flac(file: Path) -> tuple[int, Any]:
    """Rate and samples (n, channels)."""
    try:
        import soundfile
    except (ImportError, OSError):  # of libsndfile
        raise UserError(f"task audio_folder reads FLAC with soundfile: {how_to_install('audio')}") from None
    samples, rate = soundfile.read(file, dtype="int16", always_2d=True)
    return int(rate), samples


READERS: dict[str, Callable[[Path], tuple[int, Any]]] = {".wav": _wav, ".wave": _wav, ".flac": _flac}
SUFFIXES = frozenset(READERS)


class Recordings:
    """Reads files of sound alike, and knows what became of them.

    Args:
        sounds: what they become.
    """

    def __init__(self, sounds: Sounds) -> None:
        self.rate, self._sounds = 0, sounds
        self._failed: list[str] = []
        self._cut = self._filled = self._mixed = self._read = 0

    def check_room(self, files: Sequence[Path], parts: Collection[str]) -> None:
        """Make sure, before the second is read, that recordings fit into memory.

        Raises:
            UserError: they do not, or what reads them is not installed.
        """
        rate = next(filter(None, map(self._rate_of, files)), 0)
        size = len(files) * self._sounds.length(rate) * np.dtype(np.int16).itemsize
        what = f"{count(len(files), 'recording')} of {self._sounds.seconds:g} s at {rate:,} Hz"
        check_room("task.path", what, size, not {"valid", "test"} <= {*parts}, "set smaller task.seconds")

    def read(self, files: Sequence[Path]) -> Array:
        """(n, samples) int16; zeros where one cannot be read, which `check` says."""
        x = np.zeros((len(files), 0), np.int16)
        for row, file in enumerate(files):
            samples = self._samples(file)
            if self.rate and not x.shape[1]:  # that of the first which can be read
                x = np.zeros((len(files), self._sounds.length(self.rate)), np.int16)
            length = x.shape[1]
            self._cut += len(samples) > length
            self._filled += len(samples) < length
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
        return notes + ([f"{self._mixed:,} recordings of several channels are mixed to one"] if self._mixed else [])

    def _rate_of(self, file: Path) -> int:
        """Samples a second; 0 where it cannot be read."""
        try:
            return READERS[file.suffix.lower()](file)[0]
        except FAILURES:
            return 0

    def _samples(self, file: Path) -> Array:
        """(samples,) int16; nothing where it cannot be read."""
        try:
            rate, samples = READERS[file.suffix.lower()](file)
        except FAILURES as error:
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
        return as_int16(samples)
