"""What a model card says in words: the data, the limits of use, and how the network came about."""

import json
import shlex
from collections.abc import Iterator, Sequence

import yaml

from evonas.report.card.exported import Exported
from evonas.report.card.quality import looks
from evonas.report.card.tables import cell, table
from evonas.runs.baselines import in_words
from evonas.runs.data import data_for_others
from evonas.runs.run import Run
from evonas.store import ORIGIN, import_options
from evonas.tasks.data_record.record import DataRecord
from evonas.tasks.data_record.run_json import recorded_data
from evonas.tasks.table.record import TableRecord
from evonas.tasks.texts.record import TextRecord
from evonas.text import counted

FEW = 8
"""Categories of a column that are named."""
LISTED = 50
"""Classes that are in the table one by one."""


def data(run: Run, licence: str) -> Iterator[str]:
    """Paragraphs: what the network was trained and chosen by, and under which licence."""
    record = data_for_others(run)
    if record is None:
        yield "The run did not record its data."
    else:
        yield _splits(record)
        if classes := _classes(record):
            yield classes
        yield _prepared(record)
        if record.table:
            yield _columns(record.table)
        yield from (f"- {cell(note)}" for note in record.notes)
    yield f"Licence of the data: {cell(licence)}" if licence else "Licence of the data: not given."


def baselines(run: Run) -> Iterator[str]:
    """A list: what the metrics are without a network, of the validation and of the test examples."""
    for of_test, part in ((False, "validation"), (True, "test")):
        yield from (f"- Without a network, {part}: {cell(line)}." for line in in_words(run.description, of_test))


def limits(run: Run, exported: Exported) -> list[str]:
    """Lines: what is not known of the network, and what its numbers do not hold for."""
    record = recorded_data(run.description, run.folder)
    test = f" of {record.splits['test'].examples:,} examples" if record and "test" in record.splits else ""
    found = [
        "It was chosen by its validation figures, among many networks; on other examples it is a little worse.",
        _looked_at(looks(run), test),
        "Data of another origin than those above (another sensor, place, time or group of people) were not tried, nor "
        "was how the errors are spread over groups.",
        "Noise, damaged inputs and inputs that were made to deceive it were not tried. It gives an output for every "
        "input, also for one that is of no class.",
        "Its outputs are scores. Whether they are good probabilities was not examined.",
        "Intervals are about the luck of the examples or of the measurement. Another training of the same network is "
        "not in them, but for those over seeds.",
        "Latencies hold for the device, the batch and the versions that stand beside them.",
    ]
    if exported.quantised:
        found.append("The figures of the search are those of float32. Of the file in 8 bits, the line above is known.")
    return found


def _looked_at(count: int, test: str) -> str:
    if not count:
        return f"The test split{test} was not looked at: there is no figure of it here."
    return (
        f"The test split{test} was looked at {counted(count, 'time')} in this run. Where one network was chosen of "
        "several by such looks, its test figure is too good."
    )


def commands(run: Run, exported: Exported) -> str:
    """The lines that make the network again: the search, the proof of its record, the export."""
    folder = shlex.quote(str(run.folder))
    modules = import_options(run.folder)
    origin = run.description.get(ORIGIN)
    earlier = f" --from {shlex.quote(origin['run'])}" if origin else ""
    lines = [
        f"evonas search config.yaml --run again{earlier}{modules}    # from nothing; config.yaml: below",
        "# from the folder of the run, in which candidates have these numbers; measured anew, others may come first:",
        f"evonas verify {folder}{modules}    # that every candidate follows from the record",
        *_training(exported, folder, modules),
        exported.line,
    ]
    return "\n".join(line for line in lines if line)


def _training(exported: Exported, folder: str, modules: str) -> Iterator[str]:
    """How the network was trained to the end, with every option that decides how it comes out."""
    row = exported.shipment.trained.finished
    if row is not None:
        given = {key: value for key, value in json.loads(row["final"]).items() if value is not None}
        options = " ".join(f"--set {shlex.quote(f'{key}={value}')}" for key, value in given.items())
        yield f"evonas train {folder} {row['candidate']} {options}{modules}"


def config(run: Run) -> str:
    """The config of the search in YAML, as the run recorded it."""
    found = {key: _without_nulls(value) for key, value in run.description["config"].items()}
    kept = {key: value for key, value in found.items() if value not in ({}, [])}
    return str(yaml.safe_dump(kept, sort_keys=False, default_flow_style=None, width=110)).rstrip()


def _without_nulls(value: object) -> object:
    """What is null was not given: a config that leaves it out means the same."""
    if isinstance(value, dict):
        return {key: _without_nulls(part) for key, part in value.items() if part is not None}
    return [_without_nulls(part) for part in value] if isinstance(value, list) else value


def _splits(record: DataRecord) -> str:
    rows: list[list[object]] = [
        [name, f"{split.examples:,}", "drawn from train" if split.drawn else "as given", f"`{split.sha256}`"]
        for name, split in record.splits.items()
    ]
    return table(["part", "examples", "", "SHA-256 of the data"], rows)


def _classes(record: DataRecord) -> str:
    counts = [split.counts or () for split in record.splits.values()]
    if not all(counts):
        return ""
    names = record.classes or tuple(map(str, range(len(counts[0]))))
    if len(names) > LISTED:
        totals = [sum(own) for own in zip(*counts, strict=True)]
        return f"{len(names):,} classes of {min(totals):,} to {max(totals):,} examples; their names are in the file."
    rows: list[list[object]] = [
        [number, name, *(f"{own[number]:,}" for own in counts)] for number, name in enumerate(names)
    ]
    return table(["output", "class", *record.splits], rows)


def _columns(record: TableRecord) -> str:
    """A table of what became of each column."""
    rows: list[list[object]] = [
        ["numbers", place, each.name, f"gaps become {each.middle:.4g}{', marked' if each.gaps else ''}"]
        for place, each in enumerate(record.numbers)
    ]
    rows += [
        ["categories", place, each.name, f"{_few(each.values)}; any other: 0{', a gap: the last' if each.gaps else ''}"]
        for place, each in enumerate(record.categories)
    ]
    return table(["input", "place", "column", "values"], rows)


def _few(values: Sequence[str]) -> str:
    named = ", ".join(f"{number} {value}" for number, value in enumerate(values[:FEW], start=1))
    return named + (f" and {len(values) - FEW:,} more" if len(values) > FEW else "")


def _prepared(record: DataRecord) -> str:
    if record.table:
        what = (
            "rows of numbers and categories as the file of columns beside it says (`*.columns.json`, also in the "
            "file's own texts as `columns`), by hand or by evonas.tasks.table.Encoder.load; numbers are as the table "
            "has them: the network scales them by median and quartiles, clips them smoothly, and fills and marks gaps"
        )
    elif record.standardise:
        what = "standardised by the mean and deviation of the training examples"
    elif record.spectrogram:
        what = "made log-mel spectrograms, standardised per band"
    elif record.known_future:
        what = (
            "standardised by the mean and deviation of the training rows; whatever stands in the future of channels "
            "that are not known there is not looked at"
        )
    elif record.text:
        what = _text(record.text)
    elif record.tokens and not record.names:
        what = "whole numbers as texts became them; which number stands for what, this run did not record"
    elif record.tokens or record.unprepared:
        what = "taken as they are stored"
    else:
        what = "prepared as the task does it"
    gives = ""
    if record.finish:
        columns, steps = len(record.finish.mean), record.finish.steps
        gives = f" Its output is in the units of the data: ({columns} of the columns, {steps} of the steps) an example."
    return f"In the file, examples are {what}.{gives}{_names(record)}"


def _text(record: TextRecord) -> str:
    """How a text becomes numbers."""
    if record.unit == "characters":
        first = ", ".join(f"{number} {each!r}" for number, each in enumerate(record.characters[:FEW], start=1))
        more = ", ..." if len(record.characters) > FEW else ""
        own = f"characters, each as its number ({cell(first)}{more}; any other: 0)"
    elif record.unit == "bytes":
        own = "bytes of UTF-8, each its own number"
    else:
        sha256 = record.tokenizer_sha256
        own = f"tokens, as the ids of the tokenizer with the SHA-256 {sha256}, without special tokens"
    short = "a shorter one is filled up behind" if record.next else f"filled up in front with {record.filler}"
    return (
        f"texts: {record.length:,} {own}; {short}. The file of the text beside it (`*.text.json`, also in the file's "
        "own texts as `text`) has all that is needed"
    )


def _names(record: DataRecord) -> str:
    if not record.names:
        return ""
    first = ", ".join(f"{number} {name}" for number, name in enumerate(record.names[:FEW]))
    return (
        f" Its input is one of {len(record.names):,} numbers ({cell(first)}, ...), its outputs are in the order of the "
        "classes: the file of names beside it (`*.names.json`, also in the file's own texts as `names`) has both."
    )
