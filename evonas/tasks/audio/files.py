"""One file of sound: its rate and its samples, or why it has none. FLAC takes the extra `audio`."""

import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from evonas.errors import UserError
from evonas.installing import how_to_install
from evonas.tasks.audio.sounds import HIGHEST_RATE, LOUDEST, LOWEST_RATE
from evonas.tasks.task import Array

FAILURES = (OSError, ValueError, EOFError, struct.error, RuntimeError, ZeroDivisionError, UnboundLocalError)
"""What readers raise of files that are no sound: soundfile's error is a RuntimeError, scipy's are the others."""

STREAMED = (8, 8 + 2**32 - 1)
"""What the header of a WAV says that was written to a pipe, whose size nobody knew."""


class NoSound(Exception):
    """A file from which no samples come; the message says why."""


class _Reader(NamedTuple):
    rate: Callable[[Path], int]
    read: Callable[[Path], tuple[int, Any]]


def rate_of(file: Path) -> int:
    """Samples a second by its header alone; 0 where that cannot be read, which `samples_of` explains."""
    try:
        rate = READERS[file.suffix.lower()].rate(file)
    except FAILURES:
        return 0
    return rate if LOWEST_RATE <= rate <= HIGHEST_RATE else 0


def samples_of(file: Path) -> tuple[int, Array]:
    """Samples a second, and samples (n,) or (n, channels) of any kind.

    Raises:
        NoSound: it cannot be read, or has no samples, or some that are no numbers or louder than floats are.
        UserError: what reads it is not installed.
    """
    try:
        if not file.stat().st_size:
            raise NoSound("it is empty")
        rate, samples = READERS[file.suffix.lower()].read(file)
    except (UnboundLocalError, ZeroDivisionError, struct.error, EOFError):
        raise NoSound("it has no header of sound, or half of one") from None
    except FAILURES as error:
        raise NoSound(str(error).splitlines()[0] if str(error) else type(error).__name__) from None
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise NoSound(f"its header says {rate:,} samples a second")
    found = np.asarray(samples)
    if wrong := wrong_with(found):
        raise NoSound(f"it has {wrong}")
    return rate, found


def wrong_with(samples: Array) -> str:
    """What is wrong with samples, in words: none at all, no numbers, floats beyond -1 to 1; "" where nothing is."""
    if not samples.size:
        return "no samples"
    if samples.dtype.kind != "f":
        return ""
    if not np.isfinite(samples).all():
        return f"samples that are no numbers: {np.count_nonzero(~np.isfinite(samples)):,} of {samples.size:,}"
    loudest = float(np.abs(samples).max())
    return f"floats up to {loudest:.6g}, and floats run from -1 to 1" if loudest > LOUDEST else ""


def _wav_rate(file: Path) -> int:
    with file.open("rb") as opened:
        order = ">" if opened.read(12)[:4] == b"RIFX" else "<"
        while len(head := opened.read(8)) == 8:
            name, size = struct.unpack(f"{order}4sI", head)
            if name == b"fmt ":
                return int(struct.unpack(f"{order}HHI", opened.read(8))[2])
            opened.seek(size + size % 2, 1)
    return 0


def _wav(file: Path) -> tuple[int, Any]:
    try:
        from scipy.io import wavfile
    except ImportError:
        raise UserError("task audio_folder needs scipy: pip install scipy") from None
    with warnings.catch_warnings(record=True) as heard:  # of chunks that are no samples, too
        warnings.simplefilter("always")
        rate, samples = wavfile.read(file)
    early = samples.size and any("EOF prematurely" in str(each.message) for each in heard)
    if early and (size := _wav_size(file)) not in STREAMED:
        raise NoSound(f"it ends after {file.stat().st_size:,} of its {size:,} bytes")
    return int(rate), samples


def _wav_size(file: Path) -> int:
    """Bytes that a file has by its header."""
    with file.open("rb") as opened:
        head = opened.read(8)
    return 8 + int.from_bytes(head[4:], "big" if head[:4] == b"RIFX" else "little")


def _soundfile() -> Any:
    try:
        import soundfile
    except (ImportError, OSError):  # of libsndfile
        raise UserError(f"task audio_folder reads FLAC with soundfile: {how_to_install('audio')}") from None
    return soundfile


def _flac(file: Path) -> tuple[int, Any]:
    samples, rate = _soundfile().read(file, dtype="int16", always_2d=True)
    return int(rate), samples


_WAV, _FLAC = _Reader(_wav_rate, _wav), _Reader(lambda file: int(_soundfile().info(file).samplerate), _flac)
READERS = {".wav": _WAV, ".wave": _WAV, ".flac": _FLAC}
SUFFIXES = frozenset(READERS)
