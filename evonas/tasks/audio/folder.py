"""Task kind `audio_folder`: a folder of WAV or FLAC files for each class."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from evonas.paths import expanded
from evonas.tasks.audio.recordings import SUFFIXES, Recordings, most_frequent_rate
from evonas.tasks.audio.sounds import LOWEST_RATE, Sounds, check_rate
from evonas.tasks.class_folders import class_folders, natural
from evonas.tasks.class_weights import ClassWeights
from evonas.tasks.dealing import SplitBy, notes_of
from evonas.tasks.file_groups import keys_of_classes
from evonas.tasks.splitting import completed
from evonas.tasks.task import Split, Task


def audio_folder(
    *,
    path: str,
    rate: int | None = None,
    seconds: float = 1.0,
    bands: int = 32,
    mask_bands: int = 0,
    mask_frames: int = 0,
    masks: int = 2,
    split: SplitBy | None = None,
    class_weights: ClassWeights = None,
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
    split_seed: int = 0,
    metrics: tuple[str, ...] = ("error",),
) -> Task:
    """PATH/CLASS/*.wav (or .flac), or PATH/train/CLASS/*.wav beside PATH/valid and PATH/test, as pictures of sound.

    Samples are held as int16, one channel, at one rate: files of other rates are resampled, by a filter that leaves
    nothing above half of either. `prepare` makes a log-mel spectrogram of them (windows of 25 ms, 10 ms
    apart), standardised per band: (1, bands, frames), which the spaces of pictures take, and `conv1d`. So an exported
    network takes samples.

    Args:
        path: the folder; see `image_folder`.
        rate: samples a second that recordings are held with, and that an exported network takes; default: those that
            most of the training files have.
        seconds: files are cut to so long, or filled up with silence.
        bands: of the spectrogram.
        mask_bands: in training, masks over up to so many neighbouring bands (SpecAugment, Park et al. 2019).
        mask_frames: in training, masks over up to so many neighbouring frames.
        masks: of either kind.
        split: {by: EXPRESSION}: files on whose path below the folder a regular expression finds the same, its first
            group or all of it, are in one part: a speaker, a patient.
        class_weights: of the classes in the loss: balanced, or a number for each, in their order.
        valid_fraction: of the training examples, where there is no folder `valid`.
        test_fraction: of the training examples, where there is no folder `test`.
        split_seed: of the draw of these.
        metrics: computed of the validation examples, the main one first.

    Raises:
        UserError: no such folder, no recordings in it, files that cannot be read, or no room for them in memory.
    """
    root = expanded(path, "task.path")
    sounds = Sounds(seconds, bands, mask_bands, mask_frames, masks)
    found, classes, notes = class_folders(root, SUFFIXES, "WAV or FLAC files")
    recordings = Recordings(sounds, _rate(found, rate))
    recordings.check_room(sum(len(files) for own in found.values() for files in own.values()), found)
    given = {part: _read(recordings, files, classes) for part, files in found.items()}
    recordings.check()
    keys = keys_of_classes(split, found["train"], root)
    splits = completed(given, valid_fraction, test_fraction, split_seed, keys=keys)
    notes = [*notes, *notes_of(keys, split, splits.drawn), *recordings.notes()]
    return sounds.task(root.name, splits, recordings.rate, metrics, classes, notes, class_weights)


def _rate(found: Mapping[str, Mapping[str, Sequence[Path]]], given: int | None) -> int:
    """Where no file has a rate, any will do: the reading of files says what is wrong with them."""
    if given is not None:
        return check_rate(given)
    return most_frequent_rate(file for files in found["train"].values() for file in files) or LOWEST_RATE


def _read(recordings: Recordings, files: Mapping[str, Sequence[Path]], classes: Sequence[str]) -> Split:
    own = sorted(files, key=natural)
    x = recordings.read([file for name in own for file in files[name]])
    y = [classes.index(name) for name in own for _ in files[name]]
    return Split(x, np.array(y, np.int64))
