"""What a run folder keeps of a task's data: enough to know them again, and to ship networks without them."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from evonas.config.messages import validated
from evonas.errors import UserError
from evonas.tasks.audio.spectrogram import Spectrogram
from evonas.tasks.pictures.stored import DecodedPictures
from evonas.tasks.rescale import Rescale
from evonas.tasks.segmentation.masks import MaskClasses
from evonas.tasks.series.inputs import KnownFuture
from evonas.tasks.stored_array import Column, chunks, nbytes, source, taken
from evonas.tasks.table.prepare import TableColumns
from evonas.tasks.table.record import TableRecord
from evonas.tasks.task import Split, Standardise, Task
from evonas.tasks.texts.record import TextRecord
from evonas.tasks.texts.vocabulary import Tokens

SAMPLED_BYTES = 2**24
"""Of stored examples larger than this, rows at even distances are hashed: no more of them is read."""
LISTED = 12
"""Classes that are named one by one where people read of them."""


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class SplitRecord(Record):
    """One part of the examples.

    Args:
        examples: how many.
        counts: examples of each class; None where the targets are no classes.
        sha256: of examples and targets as the search sees them: pictures decoded and scaled, text as numbers.
        drawn: it was not given, but drawn from the training examples.
    """

    examples: int
    counts: tuple[int, ...] | None
    sha256: str
    drawn: bool = False


class ColumnRecord(Record):
    """One input as it is stored, before `prepare`: the shape of an example, and numpy's name of its type."""

    shape: tuple[Annotated[int, Field(ge=0)], ...]
    dtype: Annotated[str, Field(pattern=r"^(bool|uint8|int(8|16|32|64)|float(16|32|64))$")]


class StandardiseRecord(Record):
    """The constants of a `Standardise`, per channel or feature."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]


class SpectrogramRecord(StandardiseRecord):
    """What a `Spectrogram` is made of: mean and deviation are per band.

    Args:
        rate: samples a second.
    """

    rate: Annotated[int, Field(ge=1, le=10**6)]


class KnownFutureRecord(StandardiseRecord):
    """What a `KnownFuture` is made of: mean and deviation are per channel.

    Args:
        context: places of the past.
        horizon: places of the future.
        known: channels that are known of the future.
    """

    context: Annotated[int, Field(ge=1)]
    horizon: Annotated[int, Field(ge=1)]
    known: Annotated[int, Field(ge=1)]


class RescaleRecord(StandardiseRecord):
    """The constants of a `Rescale`, per column that is predicted.

    Args:
        steps: outputs of a column.
    """

    steps: Annotated[int, Field(ge=1)]


class DataRecord(Record):
    """The data of a search as its run folder knows them.

    Args:
        splits: train, valid and test.
        columns: the inputs by name, "" for a single one.
        classes: what the classes are called, in order of their numbers; empty where they have no names.
        standardise: what the task does to stored examples; None where that is something else.
        spectrogram: likewise, of recordings.
        known_future: likewise, of series of which columns are known of the future.
        tokens: it makes numbers of characters wider, as an embedding takes them.
        text: how texts became these numbers; None where they are no texts, or an earlier evonas wrote it.
        tokenizer: the file that made them; empty where there is none, and in a run.json, beside which it is a file.
        table: what became of the columns of a table.
        unprepared: it does nothing to them.
        notes: what was guessed, changed or left out when the data were read.
        finish: what the task does to outputs, in files that are shipped; None where that is nothing.
        baselines: what the metrics are without a network: name -> metric, or `test[METRIC]` -> value.
        names: what the numbers that a network takes in are called, from 0; empty where they have no names, and in a
            run.json, beside which they have a file.
        names_sha256: of that file; empty where there is none.
    """

    splits: dict[str, SplitRecord]
    columns: dict[str, ColumnRecord]
    classes: tuple[str, ...] = ()
    standardise: StandardiseRecord | None = None
    spectrogram: SpectrogramRecord | None = None
    known_future: KnownFutureRecord | None = None
    tokens: bool = False
    text: TextRecord | None = None
    tokenizer: str = ""
    table: TableRecord | None = None
    unprepared: bool = False
    notes: tuple[str, ...] = ()
    finish: RescaleRecord | None = None
    baselines: dict[str, dict[str, float]] = {}
    names: tuple[str, ...] = ()
    names_sha256: str = ""


def data_record(task: Task) -> DataRecord:
    """Describe the data of a task. Arrays in memory are read once, of stored ones `SAMPLED_BYTES` an array."""
    splits = {
        name: SplitRecord(
            examples=len(split), counts=_counts(split, task), sha256=_digest(split), drawn=name in task.splits.drawn
        )
        for name, split in task.splits.parts.items()
    }
    columns = {
        name: ColumnRecord(shape=column.shape[1:], dtype=column.dtype.name)
        for name, column in task.splits.train.columns.items()
    }
    return DataRecord(
        splits=splits,
        columns=columns,
        classes=task.classes,
        notes=task.notes,
        finish=_finished(task.finish),
        baselines={name: dict(values) for name, values in task.baselines.items()},
        names=task.names,
        **_prepared(task.prepare),
    )


def _finished(finish: Rescale | None) -> RescaleRecord | None:
    if finish is None:
        return None
    constants = {name: tuple(getattr(finish, name).flatten().tolist()) for name in ("mean", "deviation")}
    return RescaleRecord(steps=finish.steps, **constants)


def _prepared(prepare: nn.Module) -> dict[str, Any]:
    """What is needed to make a `prepare` again without the data; nothing for one of the user's own."""
    if type(prepare) is nn.Identity:
        return {"unprepared": True}
    if type(prepare) is Tokens:
        return {"tokens": True, "text": prepare.record, "tokenizer": prepare.tokenizer}
    if type(prepare) is TableColumns:
        return {"table": prepare.record}
    if type(prepare) not in (Standardise, Spectrogram, KnownFuture):
        return {}
    assert isinstance(prepare, Standardise | Spectrogram | KnownFuture)
    constants = {name: tuple(getattr(prepare, name).flatten().tolist()) for name in ("mean", "deviation")}
    if isinstance(prepare, Spectrogram):
        return {"spectrogram": SpectrogramRecord(rate=prepare.rate, **constants)}
    if isinstance(prepare, KnownFuture):
        lengths = {"context": prepare.context, "horizon": prepare.horizon, "known": prepare.known}
        return {"known_future": KnownFutureRecord.model_validate({**lengths, **constants})}
    return {"standardise": StandardiseRecord(**constants)}


def recorded_data(description: Mapping[str, Any], where: object) -> DataRecord | None:
    """What a run.json says of its data; None where an earlier evonas wrote it, or nothing was trained.

    Args:
        description: the run.json.
        where: the run folder, for messages.

    Raises:
        UserError: it says something else than evonas writes.
    """
    data = description.get("data")
    if data is None:
        return None
    if not isinstance(data, Mapping):
        raise UserError(f"{where}/run.json: data: takes a section of keys, not {data!r}")
    return validated(DataRecord, data, f"{where}/run.json: data")


def in_run_json(record: DataRecord) -> DataRecord:
    """The record as a run.json has it: without what has files of its own."""
    return record.model_copy(update={"names": (), "names_sha256": _names(record), "tokenizer": ""})


def _names(record: DataRecord) -> str:
    """What tells names from others; empty where there are none."""
    return record.names_sha256 or (hashlib.sha256(names_file(record.names)).hexdigest() if record.names else "")


def names_file(names: Sequence[str]) -> bytes:
    """The file that a run folder has of names, in order of their numbers; empty where there are none."""
    return json.dumps(list(names), separators=(",", ":")).encode() if names else b""


def data_difference(then: DataRecord, now: DataRecord) -> str:
    """The first thing in which data differ, for people; empty where they are the same."""
    for name in then.splits:
        old, new = then.splits[name], now.splits.get(name)
        if new is None or old.examples != new.examples:
            return f"{name} has {old.examples:,} examples there, {new.examples if new else 0:,} here"
    for what in ("classes", "columns"):
        if getattr(then, what) != getattr(now, what):
            return f"{what} are {_short(then, what)} there, {_short(now, what)} here"
    if _names(then) not in ("", _names(now)):  # a run of an earlier evonas has none
        return "the inputs' numbers have other names"
    if then.text and now.text and then.text != now.text:
        return "texts become other numbers"
    for name in then.splits:
        if then.splits[name].counts != now.splits[name].counts:
            return f"the classes of {name} have other numbers of examples"
    changed = [name for name in then.splits if then.splits[name].sha256 != now.splits[name].sha256]
    return f"as many examples, but others: {', '.join(changed)}" if changed else ""


def in_words(record: DataRecord) -> str:
    """One line for people: examples of each part, what one is, classes and how many each has."""
    sizes = ", ".join(
        f"{name} {split.examples:,}{' (drawn from train)' if split.drawn else ''}"
        for name, split in record.splits.items()
    )
    kinds = ", ".join(
        f"{f'{name}: ' if name else ''}{' x '.join(map(str, column.shape)) or 'a number'} of {column.dtype}"
        for name, column in record.columns.items()
    )
    return "; ".join([f"{sizes} examples, each {kinds}", *_classes_in_words(record)])


def prepare_of(record: DataRecord) -> nn.Module | None:
    """What the task does to stored examples, without its data; None where only the task knows."""
    if record.table:
        return TableColumns(record.table, any(column.dtype == "float64" for column in record.columns.values()))
    if list(record.columns) != [""]:
        return None
    if record.spectrogram:
        return Spectrogram.with_constants(**record.spectrogram.model_dump())
    if record.known_future:
        return KnownFuture(**record.known_future.model_dump())
    if record.standardise:
        mean, deviation = (np.array(numbers, np.float32) for numbers in record.standardise.model_dump().values())
        return Standardise.with_constants(mean, deviation, len(record.columns[""].shape) - 1)
    if record.tokens:
        return Tokens(record.text, record.tokenizer)
    return nn.Identity() if record.unprepared else None


def finish_of(record: DataRecord) -> Rescale | None:
    """What the task does to outputs in files that are shipped, without its data; None where that is nothing."""
    return Rescale(**record.finish.model_dump()) if record.finish else None


def stored_example(record: DataRecord, count: int, high: int = 100) -> Any:
    """Made-up examples as the data store them.

    Args:
        record: of the data.
        count: how many.
        high: whole numbers lie below it.

    Returns:
        A tensor (count, ...), or such tensors by the names of inputs.
    """
    random = np.random.default_rng(0)
    made = {name: _made_up(column, count, high, random) for name, column in record.columns.items()}
    return made[""] if list(made) == [""] else made


def _made_up(column: ColumnRecord, count: int, high: int, random: np.random.Generator) -> torch.Tensor:
    shape, dtype = (count, *column.shape), np.dtype(column.dtype)
    whole = random.integers(0, 2 if dtype.kind == "b" else high, shape)
    return torch.from_numpy((random.standard_normal(shape) if dtype.kind == "f" else whole).astype(dtype))


def _digest(split: Split) -> str:
    digest = hashlib.sha256()
    for name, column in {**split.columns, "y": split.y}.items():
        digest.update(f"{name} {column.dtype.str} {column.shape}".encode())
        for part in _hashed(column):
            digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()


def _hashed(column: Column) -> Iterator[Any]:
    """All rows of an array in memory, some of one that is stored; all of pictures, which lie in memory elsewhere."""
    if isinstance(column, np.ndarray) or isinstance(source(column), DecodedPictures | MaskClasses):
        yield from chunks(column)
    else:
        yield taken(column, np.arange(0, len(column), max(1, -(-nbytes(column) // SAMPLED_BYTES))))


def _counts(split: Split, task: Task) -> tuple[int, ...] | None:
    y, classes = split.y, task.spec.outputs
    if len(y.shape) != 1 or y.dtype.kind not in "iu" or len(task.spec.output_shape) != 1:
        return None
    if int(y.min()) < 0 or int(y.max()) >= classes:
        return None
    return tuple(np.bincount(y, minlength=classes).tolist())


def _classes_in_words(record: DataRecord) -> Iterator[str]:
    parts = [split.counts for split in record.splits.values() if split.counts]
    if len(parts) < len(record.splits):
        return
    names = record.classes or tuple(map(str, range(len(parts[0]))))
    totals = [sum(counts) for counts in zip(*parts, strict=True)]
    if len(names) > LISTED:
        yield f"{len(names):,} classes of {min(totals):,} to {max(totals):,} examples"
    else:
        each = ", ".join(f"{name}: {total:,}" for name, total in zip(names, totals, strict=True))
        yield f"{len(names)} classes ({each})"


def _short(record: DataRecord, what: str) -> str:
    value = record.classes if what == "classes" else {name: c.model_dump() for name, c in record.columns.items()}
    text = str(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
