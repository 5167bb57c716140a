"""The contract of examples on their way to a device, held by both implementations; then what streaming promises."""

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from evonas.config import TrainingConfig
from evonas.errors import UserError
from evonas.evaluation.batches.device_data import DeviceData, examples_on, to_device
from evonas.evaluation.batches.examples import Examples, Resident
from evonas.evaluation.batches.streaming import DEPTH, Prefetched, Streaming
from evonas.evaluation.training.loop import Trainer
from evonas.tasks import Split, Splits, Task, classification
from evonas.tasks.arrays.npy import NpyFile
from tests.evaluation.small import bars_task, conv_net

CPU = torch.device("cpu")
IMPLEMENTATIONS: dict[str, Callable[[Split, torch.device], Examples]] = {"resident": Resident, "streaming": Streaming}


class Recorded:
    """A stored array that notes what is read of it, and may fail at a row."""

    def __init__(self, array: Any, failing: int = -1, error: Exception | None = None) -> None:
        self.array, self.failing, self.error = array, failing, error
        self.shape, self.dtype = array.shape, array.dtype
        self.reads: list[list[int]] = []
        self.gate = threading.Event()
        self.gate.set()

    def __len__(self) -> int:
        return len(self.array)

    def rows(self, indices: Any) -> Any:
        self.gate.wait(600)
        self.reads.append(indices.tolist())
        if self.error and self.failing in indices:
            raise self.error
        return self.array[indices]


def numbered(n: int) -> Split:
    """Examples that say which they are."""
    return Split(np.arange(n * 6, dtype=np.float32).reshape(n, 2, 3), np.arange(n))


def drawn(seed: int) -> Generator:
    return Generator().manual_seed(seed)


def targets(batches: Iterator[Any]) -> list[list[int]]:
    return [y.tolist() for _, y in batches]


def prefetching() -> int:
    return sum(thread.name == "evonas-prefetch" for thread in threading.enumerate())


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
def make(request: pytest.FixtureRequest) -> Callable[..., Examples]:
    return lambda split: IMPLEMENTATIONS[request.param](split, CPU)


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    yield
    if prefetching():  # an iterator in a ring of references holds it
        gc.collect()
    assert prefetching() == 0


# -- both --


def test_in_order_are_all_examples_and_the_last_batch_may_be_smaller(make: Callable[..., Examples]) -> None:
    examples = make(numbered(10))
    assert len(examples) == 10
    assert targets(examples.in_order(4)) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    x = torch.cat([x for x, _ in examples.in_order(4)])
    assert torch.equal(x, torch.from_numpy(numbered(10).x))


def test_shuffled_are_full_batches_alone(make: Callable[..., Examples]) -> None:
    found = targets(make(numbered(10)).shuffled(4, drawn(0)))
    assert [len(batch) for batch in found] == [4, 4]
    assert len({target for batch in found for target in batch}) == 8


def test_x_and_y_stay_together(make: Callable[..., Examples]) -> None:
    for x, y in make(numbered(20)).shuffled(3, drawn(1)):
        assert torch.equal(x[:, 0, 0], 6.0 * y)


def test_several_inputs_go_by_name(make: Callable[..., Examples]) -> None:
    split = numbered(9)
    both = Split({"a": split.x, "b": 2 * split.y}, split.y)
    for x, y in make(both).shuffled(4, drawn(2)):
        assert torch.equal(x["a"][:, 0, 0], 6.0 * y)
        assert torch.equal(x["b"], 2 * y)


def test_batches_that_were_given_stay_as_they_are(make: Callable[..., Examples]) -> None:
    examples = make(numbered(30))
    kept = [(x, y, x.clone(), y.clone()) for x, y in examples.shuffled(4, drawn(3))]
    assert all(torch.equal(x, x_then) and torch.equal(y, y_then) for x, y, x_then, y_then in kept)


def test_types_stay_as_they_are_stored(make: Callable[..., Examples]) -> None:
    for dtype in (np.uint8, np.int64, np.float64, np.bool_):
        x, y = next(make(Split(np.ones((3, 2), dtype), np.arange(3))).in_order(2))
        assert x.numpy().dtype == dtype
        assert y.dtype == torch.int64


def test_two_iterators_at_once_do_not_mix(make: Callable[..., Examples]) -> None:
    examples = make(numbered(8))
    pairs = zip(examples.in_order(2), examples.shuffled(2, drawn(0)), strict=True)
    assert [one[1].tolist() for one, _ in pairs] == [[0, 1], [2, 3], [4, 5], [6, 7]]


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 70), batch=st.integers(1, 80), seed=st.integers(0, 2**32))
def test_streaming_gives_the_batches_that_resident_gives(n: int, batch: int, seed: int) -> None:
    split, drawn_from = numbered(n), [drawn(seed), drawn(seed)]
    resident, streaming = Resident(split, CPU), Streaming(split, CPU)
    expected, found = (
        list(examples.shuffled(batch, generator))
        for examples, generator in zip((resident, streaming), drawn_from, strict=True)
    )
    assert targets(iter(found)) == targets(iter(expected))
    assert all(torch.equal(x, other) for (x, _), (other, _) in zip(found, expected, strict=True))
    seen = [target for _, y in found for target in y.tolist()]
    assert len(seen) == len(set(seen)) == n // batch * batch
    assert torch.equal(*(generator.get_state() for generator in drawn_from)), "what is drawn next must be the same too"
    assert targets(streaming.in_order(batch)) == targets(resident.in_order(batch))


# -- a task that is streamed --


def stored(task: Task, folder: Path) -> Task:
    """The same task with its examples in files."""

    def moved(name: str) -> Split:
        split = getattr(task.splits, name)
        np.save(folder / f"{name}.npy", split.x)
        return Split(NpyFile(folder / f"{name}.npy"), split.y)

    return classification(task.spec.name, Splits(*map(moved, ("train", "valid", "test"))))


def curve(task: Task) -> tuple[Any, dict[str, Tensor]]:
    torch.manual_seed(0)
    network = conv_net(4, task.spec)
    config = TrainingConfig.model_validate({"epochs": 2, "batch_size": 20, "augment": {"crop": 1}})
    epochs = list(Trainer(network, to_device(task, "cpu"), task, config, seed=3).epochs())
    return epochs, network.state_dict()


def test_training_is_the_same_bits_whether_data_are_resident_or_streamed(tmp_path: Path) -> None:
    resident, streamed = bars_task(n=70), stored(bars_task(n=70), tmp_path)
    assert isinstance(to_device(resident, "cpu").train, Resident)
    assert isinstance(to_device(streamed, "cpu").train, Streaming)
    (expected, weights), (found, same) = curve(resident), curve(streamed)
    assert found == expected
    assert all(torch.equal(tensor, same[name]) for name, tensor in weights.items())


def test_a_sample_is_the_first_examples_and_leaves_no_thread(tmp_path: Path) -> None:
    data: DeviceData = to_device(stored(bars_task(), tmp_path), "cpu")
    x, y = data.sample(7)
    assert prefetching() == 0
    assert torch.equal(x, torch.from_numpy(bars_task().splits.train.x[:7]))
    assert torch.equal(y, torch.from_numpy(bars_task().splits.train.y[:7]))


@pytest.mark.gpu
def test_batches_come_to_a_gpu_by_way_of_pinned_memory() -> None:
    device = torch.device("cuda")
    streaming, resident = Streaming(numbered(1000), device), Resident(numbered(1000), device)
    orders = [Generator(device).manual_seed(0) for _ in range(2)]
    assert targets(streaming.shuffled(64, orders[0])) == targets(resident.shuffled(64, orders[1]))
    assert all(x.is_cuda and y.is_cuda for x, y in streaming.in_order(64))


# -- reading ahead --


def streamed(array: Recorded) -> Examples:
    examples = examples_on(Split(array, np.arange(len(array))), CPU)  # type: ignore[arg-type]
    assert isinstance(examples, Streaming)
    return examples


def test_no_more_than_a_few_batches_are_read_ahead() -> None:
    array = Recorded(np.zeros((100, 2)))
    batches = streamed(array).in_order(1)
    for taken in range(1, 6):
        next(batches)
        time.sleep(0.02)  # what would be read too early is read by now
        assert taken <= len(array.reads) <= taken + DEPTH
    batches.close()  # type: ignore[attr-defined]
    assert len(array.reads) <= 5 + DEPTH


def test_something_is_read_while_the_device_computes() -> None:
    array = Recorded(np.zeros((100, 2)))
    batches = streamed(array).in_order(1)
    next(batches)
    for _ in range(500):
        if len(array.reads) == 1 + DEPTH:
            break
        time.sleep(0.01)
    assert len(array.reads) == 1 + DEPTH
    batches.close()  # type: ignore[attr-defined]


def test_the_thread_is_gone_once_all_is_read() -> None:
    batches = streamed(Recorded(np.zeros((9, 2)))).in_order(2)
    assert prefetching() == 0, "before the first batch is wanted there is none"
    assert len(targets(batches)) == 5
    assert prefetching() == 0


def test_the_thread_is_gone_once_the_iterator_is_closed() -> None:
    batches = streamed(Recorded(np.zeros((9, 2)))).in_order(2)
    next(batches)
    assert prefetching() == 1
    batches.close()  # type: ignore[attr-defined]
    assert prefetching() == 0


def test_the_thread_is_gone_once_the_iterator_is_dropped() -> None:
    batches = streamed(Recorded(np.zeros((9, 2)))).in_order(2)
    next(batches)
    assert prefetching() == 1
    del batches
    assert prefetching() == 0


def test_the_thread_is_gone_once_an_error_of_the_training_is_dealt_with() -> None:
    examples = streamed(Recorded(np.zeros((9, 2))))
    try:
        for _ in examples.in_order(2):
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert prefetching() == 0


def test_closing_waits_for_what_is_being_read() -> None:
    array = Recorded(np.zeros((9, 2)))
    batches = streamed(array).in_order(1)
    next(batches)
    array.gate.clear()
    threading.Timer(0.1, array.gate.set).start()
    batches.close()  # type: ignore[attr-defined]
    assert prefetching() == 0


@pytest.mark.parametrize("error", [OSError("the disk is gone"), MemoryError(), StopIteration(), UserError("moved")])
def test_an_error_of_reading_comes_out_where_the_batch_was_wanted(error: Exception) -> None:
    batches = streamed(Recorded(np.zeros((9, 2)), failing=4, error=error)).in_order(2)
    assert targets(iter([next(batches), next(batches)])) == [[0, 1], [2, 3]]
    expected = RuntimeError if isinstance(error, StopIteration) else type(error)  # it must not pass for the end
    with pytest.raises(expected) as raised:
        next(batches)
    assert raised.value is error or expected is RuntimeError
    assert prefetching() == 0
    assert list(batches) == []


def test_an_error_of_reading_is_held_by_nobody() -> None:
    """Else what was being read stays in memory until the garbage collector comes by."""

    class Own(OSError):
        pass

    def items() -> Iterator[int]:
        raise Own
        yield

    prefetched, errors = Prefetched(items(), depth=1), []
    gc.disable()
    try:
        try:
            next(prefetched)
        except Own as error:
            errors.append(weakref.ref(error))
        assert errors[0]() is None
    finally:
        gc.enable()


def test_a_stored_array_that_does_not_keep_its_word_is_named() -> None:
    array = Recorded(np.zeros((9, 2)))
    array.shape = (9, 3)
    with pytest.raises(UserError, match=r"Recorded.rows gave float64 \(2, 2\), .* say float64 \(2, 3\)"):
        next(streamed(array).in_order(2))


def test_an_iterator_may_end_in_its_own_thread() -> None:
    """The garbage collector runs in any thread, and so may what closes an iterator."""
    box: list[Any] = []
    dropped, closed = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        yield 0
        dropped.wait(600)
        box.pop().close()
        closed.set()
        yield 1

    prefetched = Prefetched(items(), depth=1)
    assert next(prefetched) == 0
    box.append(prefetched)
    thread = prefetched._thread
    dropped.set()
    thread.join(10)
    assert closed.is_set()
    assert not thread.is_alive()


def test_next_after_the_end_is_the_end_again() -> None:
    prefetched = Prefetched(iter([1, 2]), depth=3)
    assert list(prefetched) == [1, 2]
    assert list(prefetched) == []
