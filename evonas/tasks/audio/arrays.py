"""Task kind `audio`: recordings in one npz file, of any lengths, with what is known of each."""

import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from evonas.did_you_mean import unknown
from evonas.errors import UserError
from evonas.paths import expanded
from evonas.tasks.audio.files import wrong_with
from evonas.tasks.audio.resampling import note_of, resampled
from evonas.tasks.audio.sounds import (
    HIGHEST_RATE,
    LOWEST_RATE,
    Sounds,
    as_int16,
    check_rate,
    lengths,
    most_frequent,
)
from evonas.tasks.class_folders import natural
from evonas.tasks.class_weights import ClassWeights
from evonas.tasks.conditions import rows_where
from evonas.tasks.dealing import Keys, SplitBy, notes_of
from evonas.tasks.room import STREAMED, check_room
from evonas.tasks.splitting import completed
from evonas.tasks.task import Array, Split, Task


def audio(
    *,
    path: str,
    samples: str = "pcm16",
    offsets: str = "offset",
    label: str = "label",
    rate: int | None = None,
    seconds: float = 1.0,
    bands: int = 32,
    mask_bands: int = 0,
    mask_frames: int = 0,
    masks: int = 2,
    test: str | None = None,
    valid: str | None = None,
    split: SplitBy | None = None,
    class_weights: ClassWeights = None,
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_seed: int = 0,
    metrics: tuple[str, ...] = ("error",),
) -> Task:
    """A file of `numpy.savez` with recordings, one behind another or a row each, and an array of what each is.

    What becomes of samples is that of `audio_folder`. Arrays that say something of each recording (speaker, take) can
    keep some together (`split`), or tell which are the test split.

    Args:
        path: the file.
        samples: name of the array of samples: (n, samples), or (samples,) of all recordings one behind another.
        offsets: name of the array of where each recording begins in these: (n,), or (n + 1,) with the end of the last.
        label: name of the array of classes: (n,) whole numbers from 0, or texts.
        rate: samples a second that recordings are held with; default: the array `rate` of the file. That is one number,
            which this replaces, or one for each recording: then the default is what most of the training recordings
            have, and others are resampled.
        seconds: recordings are cut to so long, or filled up with silence.
        bands: of the spectrogram.
        mask_bands: in training, masks over up to so many neighbouring bands (SpecAugment, Park et al. 2019).
        mask_frames: in training, masks over up to so many neighbouring frames.
        masks: of either kind.
        test: a condition on an array, as `take < 5`: those recordings are the test split, and nothing else.
        valid: likewise for the validation split.
        split: {by: ARRAY} keeps the recordings together that are alike in it, such as a speaker's; or {time: ARRAY}:
            the latest are the test split.
        class_weights: of the classes in the loss: balanced, or a number for each, in their order.
        valid_fraction: of the other recordings, where there is no condition `valid`.
        test_fraction: of the other recordings, where there is no condition `test`.
        split_seed: of the draw of these.
        metrics: computed of the validation examples, the main one first.

    Raises:
        UserError: no such file or array, arrays that do not fit, or no room for them in memory.
    """
    file, sounds = expanded(path, "task.path"), Sounds(seconds, bands, mask_bands, mask_frames, masks)
    arrays = _arrays(file)
    found, starts = _recordings(arrays, samples, offsets, file)
    known = {name: array for name, array in arrays.items() if array.shape == (len(starts) - 1,)}
    by = (split.by or split.time or "") if split else ""
    for key, name in (("label", label), ("split", by or label)):
        if name not in known:
            raise UserError(f"task.{key}: {unknown(name, known)}, of the arrays of {len(starts) - 1:,} in {file}")
    said: list[str] = []
    rows = _rows(known, {"test": test, "valid": valid}, len(starts) - 1, said)
    hertz, rates = _rates(rate, arrays, len(starts) - 1, rows["train"], file)
    x, notes = _cut(found, starts, sounds, hertz, rates)
    notes += said
    y, classes = _classes(known[label])
    keys = None
    if split is not None:
        if split.time and known[by].dtype.kind not in "iuf":
            raise UserError(f"task.split.time: {by} must be numbers, such as seconds since 1970, not {known[by].dtype}")
        keys = Keys(known[by][rows["train"]], split.by is None)
    given = {part: Split(x[own], y[own]) for part, own in rows.items()}
    splits = completed(given, valid_fraction, test_fraction, split_seed, keys=keys)
    notes += notes_of(keys, split, splits.drawn)
    return sounds.task(file.stem, splits, hertz, metrics, classes, notes, class_weights)


def _rows(known: Mapping[str, Array], wanted: Mapping[str, str | None], n: int, notes: list[str]) -> dict[str, Array]:
    """Part -> (n,) which recordings are its own: those with its condition, and all others for training; adds notes."""
    rows = {"train": np.ones(n, bool)}
    for part, condition in wanted.items():
        if condition is not None:
            rows[part] = rows_where(condition, known, f"task.{part}") & rows["train"]
            rows["train"] &= ~rows[part]
            notes.append(f"{part}: {np.count_nonzero(rows[part]):,} recordings with {condition.strip()}")
    return rows


def _arrays(file: Path) -> dict[str, Array]:
    """All arrays of the file; UserError where it is none."""
    try:
        loaded = np.load(file, mmap_mode="r", allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            raise UserError(f"task.path: {file} holds one array without a name: write it with numpy.savez")
        with loaded as opened:
            size = sum(entry.file_size for entry in opened.zip.infolist()) if opened.zip else 0
            check_room("task.path", f"the arrays of {file}", size, True, STREAMED)
            return {name: opened[name] for name in opened.files}
    except FileNotFoundError:
        raise UserError(f"task.path: no file {file.absolute()}") from None
    except (ValueError, EOFError):
        raise UserError(
            f"task.path: {file} is not an npz file of numbers and texts: write it with numpy.savez"
        ) from None
    except OSError as error:
        raise UserError(f"task.path: {file} cannot be read: {error.strerror or error}") from None
    except zipfile.BadZipFile as error:
        raise UserError(f"task.path: {file} is a damaged npz file: {error}; copy or write it again") from None


def _recordings(arrays: Mapping[str, Array], samples: str, offsets: str, file: Path) -> tuple[Array, Array]:
    """(samples,) of all recordings, and (n + 1,) where each begins and the last ends."""
    if samples not in arrays:
        raise UserError(f"task.samples: {unknown(samples, arrays)}, in {file}")
    found = arrays[samples]
    if found.dtype.kind not in "iuf" or found.ndim not in (1, 2) or not found.size:
        shape = f"{found.dtype} {found.shape}"
        raise UserError(f"task.samples: {samples} must be numbers (samples,) or (n, samples), not {shape}")
    if wrong := wrong_with(found):
        raise UserError(f"task.samples: {samples} has {wrong}: mend them, or store whole numbers, as int16")
    if found.ndim == 2:
        return found.reshape(-1), np.arange(len(found) + 1) * found.shape[1]
    if offsets not in arrays:
        raise UserError(f"task.offsets: {unknown(offsets, arrays)}, in {file}: it says where each recording begins")
    starts = arrays[offsets]
    if starts.ndim != 1 or starts.dtype.kind not in "iu" or not len(starts):
        shape = f"{starts.dtype} {starts.shape}"
        raise UserError(f"task.offsets: {offsets} must be whole numbers (n,) or (n + 1,), not {shape}")
    starts = starts.astype(np.int64)
    starts = starts if starts[-1] == len(found) else np.append(starts, len(found))
    if starts[0] < 0 or (np.diff(starts) <= 0).any():
        raise UserError(
            f"task.offsets: {offsets} must ascend and end by the {len(found):,} samples, with some for each recording"
        )
    return found, starts


def _rates(given: int | None, arrays: Mapping[str, Array], n: int, train: Array, file: Path) -> tuple[int, Array]:
    """Samples a second that recordings are held with, and (n,) int64 those that they have."""
    found = arrays.get("rate")
    if found is None and given is None:
        raise UserError(f"task.rate: {file} has no array rate: say how many samples a second has")
    each = found if found is not None and n > 1 and found.shape == (n,) and found.dtype.kind in "iuf" else None
    if each is None:
        one = np.array(given) if given is not None else found
        if one is None or one.size != 1 or one.dtype.kind not in "iuf":
            raise UserError(
                f"task.rate: takes one number, samples a second of all, or an array rate of {n:,} numbers, one for "
                f"each recording, not {str(one)[:40]}"
            )
        held = check_rate(float(one.item()))
        return held, np.full(n, held)
    strange = ~((each >= LOWEST_RATE) & (each <= HIGHEST_RATE))
    if strange.any():
        raise UserError(
            f"task.rate: {strange.sum():,} of the {n:,} numbers of the array rate in {file} are no samples a second, "
            f"from {LOWEST_RATE} to {HIGHEST_RATE:,}: {each[strange][0]}, of recording {strange.argmax():,}"
        )
    own = np.rint(each).astype(np.int64)
    return check_rate(given) if given is not None else most_frequent(own[train].tolist()), own


def _cut(found: Array, starts: Array, sounds: Sounds, rate: int, rates: Array) -> tuple[Array, list[str]]:
    """(n, samples) int16 of one length and rate, and notes of what that changed."""
    length, sizes = sounds.length(rate), np.diff(starts)
    check_room("task.path", f"{len(sizes):,} recordings of {sounds.seconds:g} s", 2 * len(sizes) * length, True)
    x = np.zeros((len(sizes), length), np.int16)
    for row, start, size, own in zip(x, starts.tolist(), sizes.tolist(), rates.tolist(), strict=False):
        needed = size if own != rate else min(size, length)
        samples = resampled(as_int16(found[start : start + needed]), own, rate, length)
        row[: len(samples)] = samples
    there, wanted = sizes * rate, length * rates
    notes = lengths(int((there > wanted).sum()), int((there < wanted).sum()), len(sizes), sounds.seconds)
    return x, notes + note_of(Counter(rates[rates != rate].tolist()), len(sizes), rate)


def _classes(y: Array) -> tuple[Array, list[str]]:
    """Classes as numbers, and their names where they are texts."""
    if y.dtype.kind not in "US":
        return y, []
    names = sorted({str(name) for name in y}, key=natural)
    number = {name: at for at, name in enumerate(names)}
    return np.array([number[str(name)] for name in y], np.int64), names
