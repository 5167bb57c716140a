"""Examples that a GPU or this machine has no room for. What stands for the GPU here says how much memory it has."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.io import wavfile
from torch import Tensor

from evonas.errors import UserError
from evonas.evaluation.batches.device_memory import placed, resident
from evonas.evaluation.batches.examples import Resident
from evonas.evaluation.batches.streaming import Streaming
from evonas.evaluation.batches.upload import PinnedUpload
from evonas.ipc import pinned
from evonas.tasks import TASKS, Split, room
from evonas.tasks.splitting import divided

CUDA, CPU = torch.device("cuda:0"), torch.device("cpu")


def split(rows: int) -> Split:
    """1,008 bytes a row."""
    return Split(np.zeros((rows, 1000), np.uint8), np.zeros(rows, np.int64))


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def with_memory(total: float, share: float = 1.0) -> None:
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=int(total)))
        monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", lambda _: share)

    return with_memory


@pytest.mark.parametrize(
    ("total", "share", "fit"),
    # 0.3 of the total is for 1,000 + 100 rows of 1,008 bytes
    [(3.8e6, 1, (True, True)), (3.5e6, 1, (False, True)), (3e5, 1, (False, False)), (3.8e6, 0.5, (False, True))],
)
def test_what_a_gpu_has_no_room_for_is_streamed(
    total: float, share: float, fit: tuple[bool, bool], gpu: Callable[..., None]
) -> None:
    gpu(total, share)
    assert resident(split(1000), split(100), CUDA) == fit
    assert resident(split(1000), split(100), CPU) == (True, True)


def test_it_is_said_in_one_line(gpu: Callable[..., None]) -> None:
    gpu(1e6)
    assert placed(split(10_000), split(100), CUDA) == "streamed: 0.0102 GB, the GPU has 0.001 GB"
    gpu(1e12)
    assert placed(split(10_000), split(100), CUDA) == ""


class Stream:
    """Keeps what is asked of it."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self._log = name, log

    def wait_event(self, event: Any) -> None:
        self._log.append(f"{self.name} waits for the copy")


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What an upload asks of CUDA, in order."""
    said: list[str] = []
    trains = Stream("training", said)

    class Event:
        def record(self, stream: Stream) -> None:
            said.append(f"copy is recorded on {stream.name}")

    def entered(stream: Stream) -> Any:
        said.append(f"on {stream.name}")
        return nullcontext()

    def pin(tensor: Tensor) -> Tensor:
        said.append("pinned")
        return tensor.clone()

    fakes = {"Stream": lambda _: Stream("copies", said), "Event": Event, "stream": entered}
    fakes["host_memory_stats"] = lambda: {"allocated_bytes.current": 64 * said.count("pinned")}
    fakes |= {"current_stream": lambda _: trains, "device": lambda _: nullcontext()}
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    monkeypatch.setattr(Tensor, "pin_memory", pin)
    monkeypatch.setattr(Tensor, "record_stream", lambda tensor, stream: said.append(f"kept for {stream.name}"))
    return said


def test_batches_go_by_pinned_memory_on_a_stream_of_their_own(log: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pinned._Shared, "page", None)
    pinned.watch()
    x = np.arange(12, dtype=np.uint8)[:, None]
    stored = Split(x, np.arange(12))
    streaming, whole = Streaming(stored, CPU, PinnedUpload(CPU)), Resident(stored, CPU)
    batches = list(streaming.in_order(6))
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(batches, whole.in_order(6), strict=True))
    sent = ["on copies", "pinned", "pinned", "copy is recorded on copies"]
    received = ["training waits for the copy", "kept for training", "kept for training"]
    assert len(log) == 2 * len([*sent, *received])
    assert log[:4] == sent
    assert [line for line in log if line in received] == 2 * received
    assert pinned.told() == 4 * 64, "all that torch holds pinned by now, which no figure of the process has"


def test_pictures_that_memory_has_no_room_for_are_refused_before_one_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(10):
            (tmp_path / name / f"{i}.png").write_bytes(b"no picture: reading it would be an error of its own")
    monkeypatch.setattr(room, "machine_memory", lambda: 100_000)
    with pytest.raises(UserError) as caught:
        TASKS["image_folder"](path=str(tmp_path), size=64, cache=False)
    assert str(caught.value) == (
        "task.path: 20 pictures of 3 x 64 x 64 take 0.000246 GB in memory, and twice that while splits are drawn; "
        "there are 0.0001 GB: set a smaller task.size, or let task.cache keep them on the disk, from which they are "
        "streamed"
    )
    with pytest.raises(UserError, match="cannot read 20 pictures"):
        TASKS["image_folder"](path=str(tmp_path), size=8)


def test_a_pool_that_nothing_is_drawn_from_is_not_copied() -> None:
    pool = split(3)
    assert divided(pool, (), 0) == (pool,)


def npz_file(folder: Path) -> Path:
    np.savez_compressed(folder / "a.npz", x_train=np.zeros((500, 50), np.float32), y_train=np.arange(500) % 2)
    return folder / "a.npz"


def recordings(folder: Path) -> Path:
    for name in ("high", "low"):
        (folder / name).mkdir()
        wavfile.write(folder / name / "0.wav", 16_000, np.zeros(10, np.int16))
        (folder / name / "1.wav").write_bytes(b"not read, or it would be an error of its own")
    return folder


def table_file(folder: Path) -> Path:
    (folder / "t.csv").write_text("a,label\n" + "1,x\n2,y\n" * 10_000)
    return folder / "t.csv"


def long_text(folder: Path) -> Path:
    (folder / "train.txt").write_bytes(b"\xff" + b"a" * 7_000)  # to be read it would have to be UTF-8
    return folder


def many_texts(folder: Path) -> Path:
    for name in ("good", "bad"):
        (folder / name).mkdir()
        (folder / name / "0.txt").write_bytes(b"\xff" * 60_000)
    return folder


@pytest.mark.parametrize(
    ("kind", "written", "options", "message"),
    [
        (
            "npz",
            npz_file,
            {},
            "the arrays of .* take 0.000104 GB in memory, and twice .*: write them to .npy",
        ),
        (
            "audio_folder",
            recordings,
            {},
            "4 recordings of 1 s at 16,000 Hz take 0.000128 GB .*: set smaller",
        ),
        ("table", table_file, {"label": "label"}, "the rows of .*t.csv take 8e-05 GB .*: give fewer rows, or"),
        (
            "characters",
            long_text,
            {},
            "the texts, while they are read, take 0.000112 GB .*: give shorter",
        ),
        ("text_folder", many_texts, {}, "the texts, while they are read, take 0.00012 GB in memory; .*: give shorter"),
    ],
)
def test_what_memory_has_no_room_for_is_refused_before_it_is_read(
    kind: str,
    written: Callable[[Path], Path],
    options: dict[str, str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "machine_memory", lambda: 100_000)
    with pytest.raises(UserError, match=f"^task.path: {message}"):
        TASKS[kind](path=str(written(tmp_path)), **options)


def test_an_archive_is_not_too_large_because_it_could_be_larger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "machine_memory", lambda: 250_000)
    assert len(TASKS["npz"](path=str(npz_file(tmp_path)), target="values").splits.train) == 400
