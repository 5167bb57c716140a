"""What a task does to inputs and outputs, as a record and made again from it without the data."""

from typing import Any

import numpy as np
from torch import nn

from evonas.tasks.audio.spectrogram import Spectrogram
from evonas.tasks.data_record.record import (
    DataRecord,
    KnownFutureRecord,
    RescaleRecord,
    SpectrogramRecord,
    StandardiseRecord,
)
from evonas.tasks.rescale import Rescale
from evonas.tasks.series.inputs import KnownFuture
from evonas.tasks.table.prepare import TableColumns
from evonas.tasks.task import Standardise
from evonas.tasks.texts.vocabulary import Tokens


def recorded_prepare(prepare: nn.Module) -> dict[str, Any]:
    """The keys of a `DataRecord` that make a `prepare` again without the data; none for one of the user's own."""
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


def recorded_finish(finish: Rescale | None) -> RescaleRecord | None:
    """What is needed to make a task's `finish` again; None where there is none."""
    if finish is None:
        return None
    constants = {name: tuple(getattr(finish, name).flatten().tolist()) for name in ("mean", "deviation")}
    return RescaleRecord(steps=finish.steps, **constants)


def finish_of(record: DataRecord) -> Rescale | None:
    """What the task does to outputs in files that are shipped, without its data; None where that is nothing."""
    return Rescale(**record.finish.model_dump()) if record.finish else None
