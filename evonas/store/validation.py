"""The form of each document and table of a run: right checksums do not make right types.

A key that is not known here is passed over, so that a newer evonas may add some.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from evonas.records import Status
from evonas.scores import decoded
from evonas.store.documents import Damaged

MOST_CANDIDATES = 10**9
MAY_BE_EMPTY = {"weights_sha256", "usd"}
"""Columns besides those of metrics and samples in which a row may have nothing."""


def _are_scores(data: bytes) -> bytes:
    """
    Raises:
        ValueError: they are none.
    """
    decoded(data)
    return data


Text = Annotated[str, Field(max_length=2**20)]
Count = Annotated[int, Field(ge=0, le=MOST_CANDIDATES)]
Amount = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
Real = Annotated[float, Field(allow_inf_nan=False)]
Small = Annotated[int, Field(ge=-(2**31), lt=2**31)]
Scores = Annotated[bytes, AfterValidator(_are_scores)]
Large = Annotated[int, Field(ge=-(2**63), lt=2**63)]


class _Form(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")


class _Objective(_Form):
    column: Text
    unit: Text
    sign: Literal[1, -1]


class _Task(_Form):
    name: Text
    input: dict[str, Any]
    output_shape: list[Count]
    metrics: dict[str, Literal["minimize", "maximize"]] = Field(min_length=1)


class _Origin(_Form):
    run: Text
    id: Text
    rows: Count
    sha256: Text
    founders: list[list[Small]] = []


class RunForm(_Form):
    """run.json, in the words of this schema."""

    fingerprint: Text
    config: dict[str, Any]
    space: Text
    task: _Task
    evaluator: Text | None
    objectives: list[_Objective] = Field(min_length=1)
    metrics: list[Text]
    targets: list[Text]
    tables: dict[str, Text] = {}
    supernet: Text = ""
    id: Text = ""
    origin: _Origin | None = Field(default=None, alias="from")
    founders_from: Text = ""


class StartForm(_Form):
    """starts/0001.json with what ended-0001.json adds."""

    budget: dict[str, Any] = {}
    runtime: dict[str, Any] = {}
    tracking: Any = None
    host: Text = ""
    process: Count = 0
    modules: list[Text] = []
    data_path: Text | None = None
    supernet_path: Text | None = None
    versions: dict[str, Text] = {}
    ended: Text = ""
    late_results: Count = 0
    rest_usd: Amount = 0.0


class _Digests(_Form):
    evaluations: Text
    populations: Text


class ManifestForm(_Form):
    """manifest/generation-00001.json."""

    generation: Count
    start: Count
    previous: Text
    rows: Count
    elapsed_s: Amount
    sha256: _Digests


class _Measured(_Form):
    candidate: Count
    message: Text
    metrics: dict[str, Real]
    conditions: dict[str, Text]


class MeasuredForm(_Form):
    """measured/0001-000042.json, and front-0001.json."""

    measured: list[_Measured]


class RetrainedForm(_Form):
    """retrained/000042.json."""

    candidate: Count
    weights_sha256: Text
    message: Text
    metrics: dict[str, Real]
    conditions: dict[str, Text]


class CandidateForm(_Form):
    """A birth in the journal."""

    candidate: Count
    genome: list[Small]
    parents: list[Count]
    operator: Text
    predicted: dict[str, float] = {}
    visible: Count
    seed: Large


class ReportForm(_Form):
    """A rung in the journal."""

    candidate: Count
    rung: Count
    metrics: dict[str, Real]


class _Point(_Form):
    epoch: Count
    train_loss: float
    valid_loss: float
    valid_metric: float


class _Rung(_Form):
    rung: Count
    metrics: dict[str, Real]


class EvaluationForm(CandidateForm):
    """An evaluated candidate in the journal; its metrics are columns of their own."""

    elapsed_s: Amount
    arch: Text
    arch_hash: Text
    status: Literal[tuple(status.value for status in Status)]  # type: ignore[valid-type]
    violation: float
    epochs: Count
    batch_size: Count
    curve: list[_Point]
    rungs: list[_Rung]
    scores: dict[Text, Scores]
    conditions: dict[str, Text]
    attempts: Count
    message: Text
    weights_sha256: Text | None
    queued_s: float
    measure_s: float
    train_s: float
    paused_s: float
    started_at: float
    finished_at: float
    usd: Real | None


ENTRIES: Mapping[str, type[_Form]] = {
    "candidate": CandidateForm,
    "report": ReportForm,
    "evaluation": EvaluationForm,
}
_REALS = TypeAdapter(list[Real | None], config=ConfigDict(strict=True))


def check_document(name: str, content: Mapping[str, Any], form: type[_Form]) -> None:
    """
    Raises:
        Damaged: a key of the document is missing or of another type; names it.
    """
    if problem := _problem(content, form):
        raise Damaged(name, f"is damaged: {problem}")


def check_entry(name: str, entry: Mapping[str, Any], metrics: list[str]) -> None:
    """As `check_document`, for an entry of the journal.

    Args:
        name: the file's.
        entry: with its `kind`.
        metrics: the columns of an evaluation that hold metrics.
    """
    problem = _problem(entry, ENTRIES[entry["kind"]])
    for metric in metrics if entry["kind"] == "evaluation" and not problem else ():
        try:
            _REALS.validate_python([entry.get(metric)])
        except ValidationError:
            problem = f"{metric} is {entry[metric]!r:.40}, not a finite number"
    if problem:
        raise Damaged(name, f"is damaged: candidate {entry.get('candidate')!r:.20}: {problem}")


def check_table(name: str, table: pa.Table, metrics: list[str]) -> None:
    """
    Args:
        name: the file's.
        table: of the schema of this run.
        metrics: the columns that hold metrics.

    Raises:
        Damaged: a column has no value where one must be, or one that cannot be; names it.
    """
    for column in table.column_names:
        values = table[column].combine_chunks()
        if column in metrics:
            if values.drop_null().is_valid().sum().as_py() and not pc.all(pc.is_finite(values.drop_null())).as_py():
                raise Damaged(name, f"is damaged: {column} is not finite")
        elif column not in MAY_BE_EMPTY and not column.startswith("latency_samples[") and _has_gaps(values):
            raise Damaged(name, f"is damaged: {column} is empty in a row")
    if "candidate" in table.column_names and table.num_rows:
        low, high = pc.min_max(table["candidate"]).as_py().values()
        if low < 0 or high > MOST_CANDIDATES:
            raise Damaged(name, f"is damaged: candidate is {low if low < 0 else high}")
    if "status" in table.column_names and (unknown := set(table["status"].to_pylist()) - {*Status}):
        raise Damaged(name, f"is damaged: status is {min(unknown)!r:.40}")
    for data in table["scores"].combine_chunks().items.to_pylist() if "scores" in table.column_names else ():
        try:
            decoded(data)
        except ValueError as error:
            raise Damaged(name, f"is damaged: scores: {error}") from None
    for arch in table["arch"].to_pylist() if "arch" in table.column_names else ():
        if not _is_object(arch):
            raise Damaged(name, f"is damaged: arch is {arch!r:.40}, not a JSON object")


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _has_gaps(values: pa.Array) -> bool:
    """Whether a value, or one inside a list, a map or a struct, is null."""
    if values.null_count:
        return True
    if pa.types.is_map(values.type):
        return bool(values.items.null_count or values.keys.null_count)
    if pa.types.is_list(values.type):
        return _has_gaps(values.flatten())
    if pa.types.is_struct(values.type):
        return any(map(_has_gaps, values.flatten()))
    return False


def _problem(content: Mapping[str, Any], form: type[_Form]) -> str:
    try:
        form.model_validate(content)
    except (ValidationError, RecursionError) as error:
        if isinstance(error, RecursionError):
            return "it is nested too deep"
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        given = "" if first["type"] == "missing" else f", not {first['input']!r:.40}"
        return f"{where}: {first['msg'][0].lower()}{first['msg'][1:]}{given}"
    return ""
