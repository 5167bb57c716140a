"""Recordings: arrays of any lengths, FLAC, masks that augment, and spectrograms that go wherever the network goes."""

import io
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.io import wavfile

from evonas.cli import main
from evonas.config import PartConfig
from evonas.config.options import construct
from evonas.errors import UserError
from evonas.tasks import TASKS, Task
from evonas.tasks.audio.arrays import _recordings
from evonas.tasks.audio.files import NoSound, rate_of, samples_of
from evonas.tasks.audio.masking import Masking
from evonas.tasks.audio.resampling import resampled
from evonas.tasks.audio.sounds import as_int16
from evonas.tasks.audio.spectrogram import Spectrogram
from evonas.tasks.data_record.describing import data_record
from evonas.tasks.data_record.prepare import prepare_of
from evonas.testing import check_task

RATE, N = 2000, 60


def arrays(**changes: Any) -> dict[str, Any]:
    """Recordings of 100 to 159 samples, all of which are the number of the recording."""
    sizes = 100 + np.arange(N)
    made = {
        "pcm16": np.repeat(np.arange(N), sizes).astype(np.int16),
        "offset": np.append(0, sizes.cumsum()),
        "label": np.arange(N) % 3,
        "speaker": np.array(["ann", "bob", "eve", "joe"])[np.arange(N) // 3 % 4],
        "take": np.arange(N) // 12,
        "rate": np.array(RATE),
    }
    return {name: array for name, array in (made | changes).items() if array is not None}


def audio(folder: Path, changes: dict[str, Any] | None = None, **options: Any) -> Task:
    np.savez(folder / "sounds.npz", **arrays(**(changes or {})))
    given = {"kind": "audio", "path": str(folder / "sounds.npz"), "seconds": 0.06, "bands": 6, **options}
    return construct(TASKS, PartConfig.model_validate(given), "task")


def test_recordings_of_any_length_become_rows(tmp_path: Path) -> None:
    task = audio(tmp_path, test="take < 1", mask_bands=2, mask_frames=1)
    check_task(task)
    test = task.splits.test
    assert (test.x[:, 0].tolist(), test.y.tolist()) == (list(range(12)), [0, 1, 2] * 4)
    assert test.x[5].tolist() == [5] * 105 + [0] * 15
    assert task.splits.train.x.shape[1:] == (120,)
    assert min(task.splits.train.x[:, 0].min(), task.splits.valid.x[:, 0].min()) == 12, "nothing else"
    assert task.spec.input_shape == (1, 6, 4)
    assert task.splits.drawn == ("valid",)
    assert "39 of 60 recordings are cut to 0.06 s" in task.notes
    assert "test: 12 recordings with take < 1" in task.notes


def test_what_nobody_hears_and_bands_that_are_alike_are_said(tmp_path: Path) -> None:
    notes = audio(tmp_path, bands=40).notes
    assert any(
        "2,000 samples a second has 26 frequencies, so that many of 40 bands are alike" in note for note in notes
    )
    sizes = 100 + np.arange(N)
    some = np.where(np.arange(sizes.sum()) < sizes[:3].sum(), 0, np.arange(sizes.sum()) % 50).astype(np.int16)
    notes = audio(tmp_path, {"pcm16": some}).notes
    assert "3 of 60 recordings are silent" in notes
    assert not any("bands are alike" in note for note in notes)
    with pytest.raises(UserError, match=r"task\.path: all training recordings are silent"):
        audio(tmp_path, {"pcm16": np.zeros_like(some)})


def test_a_speaker_stays_in_one_part(tmp_path: Path) -> None:
    task = audio(tmp_path, split={"by": "speaker"}, valid_fraction=0.25, test_fraction=0.25)
    number = {part: {int(row) // 3 % 4 for row in split.x[:, 0]} for part, split in task.splits.parts.items()}
    assert sorted(map(len, number.values())) == [1, 1, 2]
    assert set.union(*number.values()) == {0, 1, 2, 3}


def test_rows_of_one_length_and_classes_with_names(tmp_path: Path) -> None:
    x = np.linspace(-1, 1, N * 130).reshape(N, 130)
    task = audio(tmp_path, {"pcm16": x, "offset": None, "label": np.array(["no", "yes"])[np.arange(N) % 2]})
    assert task.classes == ("no", "yes")
    assert abs(task.splits.train.x).max() > 30_000


@pytest.mark.parametrize(
    ("changes", "options", "says"),
    [
        ({"offset": np.arange(N)[::-1]}, {}, "task.offsets: offset must ascend and end by the 7,770 samples"),
        ({"offset": None}, {}, "task.offsets: unknown 'offset'"),
        ({"rate": None}, {}, "task.rate: .* has no array rate: say how many"),
        ({}, {"samples": "pcm"}, "task.samples: unknown 'pcm'; did you mean 'pcm16'"),
        ({}, {"label": "labels"}, "task.label: unknown 'labels'; did you mean 'label'"),
        ({}, {"test": "takes < 5"}, "task.test: unknown 'takes'; did you mean 'take'"),
        ({}, {"test": "take less"}, "task.test: takes a condition as `take < 5`"),
        ({}, {"test": "take < 9"}, "task.test: take < 9 holds for all of 60 examples"),
        ({}, {"test": "take < five"}, "task.test: 'five' is no number"),
        ({}, {"test": "speaker > ann"}, "task.test: texts are compared by == and !="),
        ({}, {"split": {"by": "singer"}}, "task.split: unknown 'singer'"),
        ({}, {"mask_bands": 7}, "task.mask_bands: 7 is more than the 6 bands of a spectrogram"),
        ({"pcm16": np.full((N, 130), np.nan)}, {}, "task.samples: pcm16 has samples that are no numbers: 7,800 of 7"),
        ({}, {"rate": 20}, "task.rate: takes samples a second, from 400"),
        (
            {"rate": np.full(N - 1, 8000)},
            {},
            "task.rate: takes one number, samples a second of all, or an array rate of 60",
        ),
        (
            {"rate": np.where(np.arange(N) == 3, np.nan, 8000)},
            {},
            "1 of the 60 numbers .* a second, .*: nan, of recording 3",
        ),
        ({"label": np.zeros(N, int)}, {}, "all labels are alike"),
        ({"speaker": np.array(list("ab") * (N // 2))}, {"split": {"time": "speaker"}}, "must be numbers, .* not <U1"),
    ],
)
def test_what_arrays_cannot_be_is_one_line(
    changes: dict[str, Any], options: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=says) as error:
        audio(tmp_path, changes, **options)
    assert "\n" not in str(error.value)


def test_masks_are_of_neighbours_within_bounds_and_each_examples_own() -> None:
    x, y = torch.ones(400, 1, 8, 12), torch.arange(400)
    masked, same = Masking(bands=3, frames=0, masks=1)(x, y, torch.Generator().manual_seed(0))
    assert same is y
    bands = masked[:, 0, :, 0] == 0
    assert (masked == masked[:, :, :, :1]).all(), "no frames are masked"
    widths = bands.sum(1)
    assert torch.bincount(widths, minlength=4).min() > 60, "each width from 0 to 3"
    assert (bands.int().diff(dim=1).abs().sum(1) <= 2).all(), "neighbours"
    assert bands.any(0).all(), "each band, the first and last too"
    both, _ = Masking(bands=2, frames=4, masks=2)(x, y, torch.Generator().manual_seed(0))
    assert ((both == 0).all(3).sum((1, 2)) <= 4).all()
    assert ((both == 0).all(2).sum((1, 2)) <= 8).all()


@pytest.mark.parametrize(("rate", "samples"), [(8000, 6400), (8000, 203), (22050, 2000), (16000, 400)])
def test_a_spectrogram_is_that_of_torch(rate: int, samples: int) -> None:
    x = torch.randint(-9000, 9000, (3, samples), generator=torch.Generator().manual_seed(0)).short()
    module = Spectrogram(rate, 8)
    window = torch.from_numpy(np.hanning(module.window)).float()
    power = (
        torch.stft(x / 2**15, module.window, module.hop, window=window, center=False, return_complex=True)
        .abs()
        .square()
    )
    wanted = (power.transpose(1, 2) @ module.filters + 1e-6).log().transpose(1, 2)[:, None]
    torch.testing.assert_close(module(x), wanted, atol=2e-3, rtol=1e-3)


def test_a_spectrogram_in_an_onnx_file_has_few_operations_and_its_output() -> None:
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    x, file = torch.randint(-9000, 9000, (4, 8000)).short(), io.BytesIO()
    module = Spectrogram(8000, 16).eval()
    torch.onnx.export(module, (x,), file, input_names=["x"], dynamo=False)
    assert len(onnx.load_from_string(file.getvalue()).graph.node) < 100, "not one for each frame"
    found = runtime.InferenceSession(file.getvalue()).run(None, {"x": x.numpy()})[0]
    assert found == pytest.approx(module(x).numpy(), abs=1e-3)


def test_a_run_folder_knows_what_prepares(tmp_path: Path) -> None:
    task = audio(tmp_path)
    x = torch.from_numpy(task.splits.valid.x)
    again = prepare_of(data_record(task))
    assert again is not None
    torch.testing.assert_close(again(x), task.prepare(x))


def folders(root: Path, write: Any, suffix: str) -> Path:
    for i in range(20):
        (root / "ab"[i % 2]).mkdir(exist_ok=True)
        write(root / "ab"[i % 2] / f"{i}{suffix}", np.full(400, 100 * i, np.int16))
    return root


def test_flac_is_as_wav(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    (tmp_path / "flac").mkdir()
    (tmp_path / "wav").mkdir()
    folders(tmp_path / "flac", lambda file, x: soundfile.write(file, x, 8000), ".flac")
    folders(tmp_path / "wav", lambda file, x: wavfile.write(file, 8000, x), ".wav")
    options = {"kind": "audio_folder", "seconds": 0.05}
    flac, wav = (
        construct(TASKS, PartConfig.model_validate({**options, "path": str(tmp_path / name)}), "task")
        for name in ("flac", "wav")
    )
    assert np.array_equal(flac.splits.train.x, wav.splits.train.x)


def test_without_soundfile_flac_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders(tmp_path, lambda file, x: file.write_bytes(b"fLaC"), ".flac")
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(UserError, match=r"reads FLAC with soundfile: pip install .*\[audio\]"):
        construct(TASKS, PartConfig.model_validate({"kind": "audio_folder", "path": str(tmp_path)}), "task")


WHOLE = io.BytesIO()
wavfile.write(WHOLE, 8000, np.zeros((50, 2), np.int16))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "it is empty"),
        (b"I am no wav", "File format b'I am' not understood"),
        (b"RIFF", "no header of sound, or half of one"),
        (WHOLE.getvalue()[:36] + b"junk" + WHOLE.getvalue()[40:], "no header of sound"),
        (WHOLE.getvalue()[:24] + bytes(4) + WHOLE.getvalue()[28:], "."),
        (WHOLE.getvalue()[:36] + b"data" + bytes(4), "it has no samples"),
        (WHOLE.getvalue()[:100], "it ends after 100 of its 244 bytes"),
        (np.full(9, np.nan, np.float32), "it has samples that are no numbers: 9 of 9"),
        (np.array([0, np.inf]), "it has samples that are no numbers: 1 of 2"),
        (np.full(9, 300.0), "it has floats up to 300, and floats run from -1 to 1"),
    ],
)
def test_why_a_file_has_no_samples(tmp_path: Path, content: Any, says: str) -> None:
    file = tmp_path / "x.wav"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        wavfile.write(file, 8000, content)
    rate_of(file)
    with pytest.raises(NoSound, match=says):
        samples_of(file)


def test_a_wav_that_was_written_to_a_pipe_says_no_size(tmp_path: Path) -> None:
    file, whole = tmp_path / "x.wav", WHOLE.getvalue()
    file.write_bytes(whole[:4] + b"\xff" * 4 + whole[8:40] + b"\xff" * 4 + whole[44:])
    assert samples_of(file)[1].shape == (50, 2)


def test_24_bits_are_as_loud(tmp_path: Path) -> None:
    whole = np.array([0, 2**22, -(2**22), 2**23 - 1])
    body = b"".join(int(sample).to_bytes(3, "little", signed=True) for sample in whole)
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + 12, b"WAVE", b"fmt ", 16, 1, 1, 8000, 24000, 3, 24, b"data", 12
    )
    (tmp_path / "x.wav").write_bytes(header + body)
    assert as_int16(samples_of(tmp_path / "x.wav")[1]).tolist() == (whole >> 8).tolist()


@pytest.mark.parametrize(("rate", "wanted"), [(44100, 16000), (8000, 16000), (16000, 8000)])
def test_a_tone_is_the_same_at_another_rate_and_one_above_it_is_gone(rate: int, wanted: int) -> None:
    def tone(hertz: float, at: int) -> Any:
        return np.rint(9000 * np.sin(2 * np.pi * hertz * np.arange(at // 4) / at)).astype(np.int16)

    length = wanted // 5  # of a fourth of a second: the end of a recording is not in it
    found = resampled(tone(500, rate), rate, wanted, length)
    assert found.shape == (length,)
    assert found[length // 4 :] == pytest.approx(tone(500, wanted)[length // 4 : length], abs=60)
    if rate > wanted:  # and not an alias of 0.3 wanted, as loud
        above = resampled(tone(0.7 * wanted, rate), rate, wanted, length)
        assert abs(above[length // 4 :]).max() < 60


def test_recordings_of_several_rates_are_held_at_the_most_frequent(tmp_path: Path) -> None:
    def write(file: Path, x: Any) -> None:
        rate = [8000, 8000, 16000, 44100][int(file.stem) // 2 % 4]
        wave = 9000 * np.sin(2 * np.pi * 500 * np.arange(rate // 4) / rate)
        wavfile.write(file, rate, np.stack([wave, wave], 1).astype(np.int16))

    options = {"kind": "audio_folder", "path": str(folders(tmp_path, write, ".wav")), "seconds": 0.2}
    task = construct(TASKS, PartConfig.model_validate(options), "task")
    assert task.splits.train.x.shape[1] == 1600
    assert "8 of 20 recordings are resampled to 8,000 samples a second: 4 of 16,000, 4 of 44,100" in task.notes
    assert "20 recordings of several channels are mixed to one" in task.notes
    assert "20 of 20 recordings are cut to 0.2 s" in task.notes
    middle = task.splits.train.x[:, 400:1200].astype(float)
    assert abs(middle - middle[0]).max() < 60, "one tone, whatever its rate was"
    higher = construct(TASKS, PartConfig.model_validate({**options, "rate": 16000}), "task")
    assert higher.splits.train.x.shape[1] == 3200
    with pytest.raises(UserError, match=r"task.rate: takes samples a second, from 400 to 1,000,000, not 8"):
        construct(TASKS, PartConfig.model_validate({**options, "rate": 8}), "task")


def test_arrays_say_the_rate_of_each_recording(tmp_path: Path) -> None:
    """One tone at three rates; the test recordings' rate, the most frequent one of all, decides nothing."""
    rates = np.array([8000, 8000, 16000, 44100])[np.arange(N) // 3 % 4]
    rates[:33] = 44100
    waves = [9000 * np.sin(2 * np.pi * 500 * np.arange(rate // 4) / rate) for rate in rates]
    changes = {
        "pcm16": np.concatenate(waves).astype(np.int16),
        "offset": np.append(0, np.cumsum([len(wave) for wave in waves])),
        "rate": rates.astype(np.float32),
        "take": np.arange(N) // 33,
    }
    options = {"seconds": 0.2, "test": "take < 1"}
    task = audio(tmp_path, changes, **options)
    assert "48 of 60 recordings are resampled to 8,000 samples a second: 6 of 16,000, 42 of 44,100" in task.notes
    assert "60 of 60 recordings are cut to 0.2 s" in task.notes
    for split in task.splits.parts.values():
        assert isinstance(split.x, np.ndarray)
        assert split.x.shape[1] == 1600
        middle = split.x[:, 400:1200].astype(float)
        assert abs(middle - 9000 * np.sin(2 * np.pi * 500 * np.arange(400, 1200) / 8000)).max() < 60
    higher = audio(tmp_path, changes, rate=16000, **options)
    assert higher.splits.train.x.shape[1] == 3200  # type: ignore[union-attr]


def test_what_is_no_sound_ends_a_search_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data").mkdir()
    folders(tmp_path / "data", lambda file, x: wavfile.write(file, 8000, x), ".wav")
    (tmp_path / "data" / "a" / "0.wav").write_bytes(b"this is no sound at all")
    config = tmp_path / "c.yaml"
    config.write_text(
        f"space: {{kind: mobile}}\ntask: {{kind: audio_folder, path: {tmp_path / 'data'}}}\n"
        "objectives: [{metric: error}, {metric: params}]\nbudget: {evaluations: 2}\n"
    )
    assert main(["search", str(config), "--run", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err.strip()
    assert "cannot read 1 recording" in said
    assert "0.wav" in said
    assert len(said.splitlines()) == 1


def test_whole_numbers_are_as_loud_as_they_are_and_floats_must_be() -> None:
    assert as_int16(np.array([0, 2**15, 2**16 - 1], np.uint16)).tolist() == [-(2**15), 0, 2**15 - 1]
    assert as_int16(np.array([0, 2**31], np.uint32)).tolist() == [-(2**15), 0]
    loud = {"pcm16": np.full((4, 8), 300.0), "label": np.arange(4)}
    with pytest.raises(UserError, match="has floats up to 300, and floats run from -1 to 1"):
        _recordings(loud, "pcm16", "offset", Path("x.npz"))
