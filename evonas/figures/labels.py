"""What people read of a candidate: its objectives and its architecture, a few lines long."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from evonas.analysis import outcome
from evonas.figures.picture import LABELS
from evonas.text import one_line


def hover(frame: pd.DataFrame, objectives: Sequence[Mapping[str, Any]]) -> list[str]:
    """A text for each row: candidate, what became of it, objectives with their units, architecture."""
    whose = frame["run"].astype(str) + ": " if "run" in frame else pd.Series("", index=frame.index)
    columns = [frame[objective["column"]] for objective in objectives]
    values = list(zip(*columns, strict=True))
    rows = zip(whose, frame["candidate"], outcome(frame), frame["arch"], values, strict=True)
    return ["\n".join(_lines(*row, objectives)) for row in rows]


def blocks(arch: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The parts of an architecture by name, each with its genes, in order; what stands alone comes first, together."""
    parts: dict[str, Any] = json.loads(arch)
    alone = {name: value for name, value in parts.items() if not isinstance(value, dict | list)}
    if alone:
        yield "", alone
    for name, value in parts.items():
        if isinstance(value, dict):
            yield name, _flat(value)
        elif isinstance(value, list):
            for number, part in enumerate(value):
                yield f"{name}.{number}", _flat(part) if isinstance(part, dict) else {"": part}


def in_words(genes: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" if name else str(value) for name, value in genes.items())


def _lines(
    whose: str, candidate: int, became: str, arch: str, values: Sequence[float], objectives: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    yield f"{whose}candidate {candidate}, {LABELS[became]}"
    for objective, value in zip(objectives, values, strict=True):
        if value == value:
            unit = objective["unit"] if objective["unit"] != objective["column"] else ""
            yield f"{objective['column']} = {value:.4g} {unit}".rstrip()
    for name, genes in blocks(arch):
        yield one_line(f"{name}: {in_words(genes)}" if name else in_words(genes))


def _flat(part: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Genes of nested parts by dotted names."""
    flat: dict[str, Any] = {}
    for name, value in part.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{path}{name}.")
        else:
            flat[f"{path}{name}"] = value
    return flat


def cut(text: str, letters: int) -> str:
    """No longer than so many letters; of `gene=value`, the value says more."""
    if len(text) > letters:
        text = text.partition("=")[2] or text
    return text if len(text) <= letters else f"{text[: letters - 1]}…"
