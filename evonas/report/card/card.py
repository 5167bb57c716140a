"""A model card: all parts in order."""

import json

from evonas.exporters import EXPORTERS
from evonas.exporters.exporter import in_words
from evonas.figures.labels import blocks
from evonas.figures.labels import in_words as genes_in_words
from evonas.report.card import words
from evonas.report.card.costs import costs, latencies
from evonas.report.card.drawing import drawing
from evonas.report.card.exported import Exported
from evonas.report.card.quality import quality
from evonas.report.card.tables import cell, table
from evonas.runs.run import Run


def card(run: Run, candidate: int, exported: Exported) -> str:
    """Markdown: what there is to know of a network that leaves its run.

    Args:
        run: its run.
        candidate: its number.
        exported: the file.
    """
    shipment = exported.shipment
    sections = {
        "": [_file(run, candidate, exported)],
        "The network": [f"```text\n{drawing(shipment.network, shipment.x)}\n```", _genes(run, candidate)],
        "Data": list(words.data(run, exported.licence)),
        "How good it is": [
            quality(run, candidate, shipment.trained),
            "\n".join(words.baselines(run)),
            *([f"{exported.quantised}."] if exported.quantised else []),
        ],
        "What it costs": [costs(run, candidate), latencies(run, candidate, exported)],
        "Limits of use": ["\n".join(f"- {line}" for line in words.limits(run, exported))],
        "To make it again": [f"```sh\n{words.commands(run, exported)}\n```", f"```yaml\n{words.config(run)}\n```"],
    }
    title = f"# Candidate {candidate} of {cell(run.folder)}"
    found = [title, *(part for head, parts in sections.items() for part in (f"## {head}" * bool(head), *parts))]
    return "\n\n".join(part for part in found if part) + "\n"


def _file(run: Run, candidate: int, exported: Exported) -> str:
    shipment, labels = exported.shipment, exported.shipment.labels
    task = run.description["task"]
    note: list[list[object]] = [["note", shipment.note]] if shipment.note else []
    return table(
        ["", ""],
        [
            ["file", f"`{exported.path}`, {exported.form}, {len(exported.file) / 1e3:,.0f} kB"],
            ["SHA-256", f"`{exported.sha256}`"],
            ["task", f"{task['name']}: {', '.join(task['metrics'])}"],
            ["takes", _taken(exported)],
            ["gives", f"({', '.join(map(str, json.loads(labels['output'])['shape']))})"],
            ["checked", exported.checked],
            ["weights", f"of {shipment.trained.by}, SHA-256 `{shipment.trained.sha256}`"],
            ["run", f"`{labels['run']}`, candidate {candidate}, evonas {labels['evonas']}"],
            *note,
        ],
    )


def _taken(exported: Exported) -> str:
    fixed = EXPORTERS[exported.form].examples
    how = f"{fixed} at a time" if fixed else "N: any number of examples"
    return f"{in_words(exported.shipment.x, fixed)}, as the data are stored; {how}"


def _genes(run: Run, candidate: int) -> str:
    arch = run.evaluations.set_index("candidate")["arch"][candidate]
    rows: list[list[object]] = [[name or "whole network", genes_in_words(genes)] for name, genes in blocks(arch)]
    return table(["part", "genes"], rows)
