"""The data of a search in a line for people."""

from collections.abc import Iterator

from evonas.tasks.data_record.record import DataRecord

LISTED = 12
"""Classes that are named one by one where people read of them."""


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
