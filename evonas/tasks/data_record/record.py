"""The data of a search as a run.json has them: the forms of the record."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from evonas.tasks.table.record import TableRecord
from evonas.tasks.texts.record import TextRecord


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
