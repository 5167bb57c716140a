"""`evonas export RUN CANDIDATE`."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evonas.commands.arguments import add_import, add_run, imported
from evonas.errors import UserError

if TYPE_CHECKING:
    from evonas.exporters import Exporter
    from evonas.exporters.int8 import Quantised
    from evonas.exporters.shipment import Shipment
    from evonas.runs.run import Run


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be written of a network.

    Args:
        out: the file; default candidate-N and the format. Its suffix decides the format.
        form: a key of `EXPORTERS`; default that of the suffix, or pt2.
        int8: in whole numbers of 8 bits, calibrated and judged with the run's data.
        measure: the file is measured on the targets of the run.
        card: where the model card is written; None: nowhere.
        licence: of the data, for the card.
        overrides: task.KEY=VALUE, where the data are somewhere else now.
        line: the command, for the card.
        search_weights: those of the search, also where `evonas train` has trained the network to the end.
    """

    out: str | None = None
    form: str | None = None
    int8: bool = False
    measure: bool = False
    card: str | None = None
    licence: str = ""
    overrides: Sequence[str] = ()
    line: str = ""
    search_weights: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("candidate", type=int, metavar="CANDIDATE", help="its index")
    parser.add_argument("--out", metavar="FILE", help="default: candidate-N.pt2; its suffix decides the format")
    forms = (
        "pt2, onnx, safetensors, py (a Python file that needs torch alone), pte (executorch) or tflite (litert), where "
        "the suffix does not say"
    )
    parser.add_argument("--format", metavar="FORMAT", help=forms)
    eight = "of onnx, pte and tflite, in 8 bits: calibrated on training examples, with the metric before and after"
    parser.add_argument("--int8", action="store_true", help=eight)
    measured = "measure the file on the targets of the run that can run it on this machine"
    parser.add_argument("--measure", action="store_true", help=measured)
    parser.add_argument("--card", metavar="FILE", help="write a model card in Markdown, too")
    parser.add_argument("--licence", metavar="TEXT", default="", help="of the data, for the card")
    where = "where the data are now: task.path=...; for --int8"
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides", help=where)
    own = "the weights of the search, also where evonas train has made others"
    parser.add_argument("--search-weights", action="store_true", help=own)
    add_import(parser)


def run(options: argparse.Namespace) -> int:
    imported(options.modules)
    names = ("out", "int8", "measure", "card", "licence", "overrides", "line", "search_weights")
    wanted = Wanted(form=options.format, **{name: getattr(options, name) for name in names})
    for line in export(options.run, options.candidate, wanted):
        print(line)
    return 0


def export(folder: str, candidate: int, wanted: Wanted = Wanted()) -> Iterator[str]:
    """Write a network of the front, what the task does to stored examples included, as one file.

    Args:
        folder: of the run.
        candidate: on the front, whose weights are kept.
        wanted: which file.

    Yields:
        Lines: what there is to know of the file.

    Raises:
        UserError: no such candidate, its weights are not kept, the format is unknown, the data that are needed cannot
            be had, or a file cannot be written.
    """
    from evonas.exporters import written
    from evonas.exporters.latency import latencies
    from evonas.exporters.shipment import shipment
    from evonas.report.card import Exported, card
    from evonas.runs.rebuild import config_of
    from evonas.runs.run import Run

    form, exporter = chosen(wanted.out, wanted.form)
    _check(wanted, form)
    run = Run(folder)
    shipped = shipment(run, candidate, "search" if wanted.search_weights else "newest")
    path = wanted.out or default_name(candidate, form)
    if shipped.note:
        yield f"note: {shipped.note}"
    file, checked = written(exporter, shipped.network, shipped.x, shipped.labels)
    quantised = _quantised(run, exporter, file, shipped, wanted) if wanted.int8 else None
    if quantised:
        file, checked = quantised.file, f"in float32 {checked}"
    _write("--out", path, file)
    yield _told(path, exporter, shipped, checked)
    for beside, told, what in sidecars(path, shipped):
        _write("--out", beside, told.encode())
        yield f"{beside}: {what}"
    if quantised:
        yield str(quantised)
    row = run.evaluations[run.evaluations["candidate"] == candidate].iloc[0]
    measured = []
    if wanted.measure:
        for found in latencies(
            config_of(run.folder, run.description), row, exporter, file, shipped.inputs, wanted.int8
        ):
            measured.append(found)
            yield str(found)
    if wanted.card:
        said = str(quantised or "")
        exported = Exported(path, form, file, shipped, checked, said, measured, wanted.line, wanted.licence)
        _write("--card", wanted.card, card(run, candidate, exported).encode())
        yield f"{wanted.card}: the model card"


def default_name(candidate: int, form: str) -> str:
    """The file of a candidate where no other is named; Python can import it where it is one of Python's."""
    return f"candidate_{candidate}.py" if form == "py" else f"candidate-{candidate}.{form}"


def sidecars(path: str, shipped: "Shipment") -> Iterator[tuple[str, str, str]]:
    """The files beside an exported one that say how what people have becomes its inputs: path, content, and what it is.

    Args:
        path: of the exported one.
        shipped: what it is of.
    """
    from evonas.exporters import columns, names, texts

    kinds = {
        "columns": (columns.SUFFIX, "which column each number of its inputs is, and which number each text"),
        "names": (names.SUFFIX, "whom or what each number of its input stands for, and each of its outputs"),
        "text": (texts.SUFFIX, "how a text becomes the numbers that it takes in"),
    }
    for label, (suffix, what) in kinds.items():
        if told := shipped.beside.get(label):
            yield str(Path(path).with_suffix(suffix)), told, what


def _check(wanted: Wanted, form: str) -> None:
    """
    Raises:
        UserError: options that do not go together.
    """
    from evonas.exporters import EXPORTERS

    if wanted.int8 and EXPORTERS[form].int8 is None:
        able = ", ".join(name for name, exporter in EXPORTERS.items() if exporter.int8)
        raise UserError(f"--int8 is for {able}, not for {form}: give --format onnx, or --out FILE.onnx")
    if wanted.licence and not wanted.card:
        raise UserError("--licence stands in the model card: give --card FILE, too")
    if wanted.overrides and not wanted.int8:
        raise UserError("--set says where the data are, which --int8 alone needs here; leave it out")
    if wanted.card and Path(wanted.card) == Path(wanted.out or ""):
        raise UserError(f"--card {wanted.card} is the file of --out; give the card a name of its own")


def _quantised(run: "Run", exporter: "Exporter", file: bytes, shipped: "Shipment", wanted: Wanted) -> "Quantised":
    from dataclasses import replace

    from evonas.exporters.exporter import labelled
    from evonas.exporters.int8 import quantised

    if shipped.note:
        raise UserError(f"--int8: calibrates on examples as they are stored, and {shipped.note}")
    found = quantised(exporter, shipped.network, file, run.task(wanted.overrides), shipped.x)
    found = replace(found, learned_from=shipped.trained.learned_from_valid)
    return replace(found, file=labelled(exporter, found.file, {**shipped.labels, "quantised": str(found)}))


def _write(option: str, path: str, data: bytes) -> None:
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise UserError(f"{option} {path}: {error.strerror}") from None


def _told(path: str, exporter: "Exporter", shipped: "Shipment", checked: str) -> str:
    from evonas.exporters.exporter import in_words

    opened = f"{exporter.hint.format(path=path)}; " if exporter.hint else ""
    return f"{path}: takes {in_words(shipped.x, exporter.examples)}; {opened}{checked}; weights of {shipped.trained.by}"


def chosen(out: str | None, form: str | None) -> "tuple[str, Exporter]":
    """Format and exporter, by name or by the suffix of the file.

    Raises:
        UserError: it is unknown, or the two do not agree.
    """
    from evonas.did_you_mean import unknown
    from evonas.exporters import ALSO_CALLED, EXPORTERS, Exporter

    form = ALSO_CALLED.get(form or "", form)
    suffix = Path(out).suffix.removeprefix(".") if out else ""
    if out and not suffix and not form:
        raise UserError(f"--out {out}: its suffix decides the format: .{', .'.join(EXPORTERS)}; or give --format")
    name = form or suffix or "pt2"
    if name not in EXPORTERS:
        raise UserError(f"{'--format' if form else f'--out {out}'}: {unknown(name, EXPORTERS)}")
    if form and suffix in EXPORTERS and suffix != form:
        raise UserError(f"--out {out} and --format {form} do not agree; leave one of them out")
    exporter = EXPORTERS[name]
    if not isinstance(exporter, Exporter):
        raise UserError(f"EXPORTERS[{name!r}] is a {type(exporter).__name__}, not an Exporter: give Exporter(WRITE)")
    return name, exporter
