"""In what the data of two searches are not the same."""

from evonas.tasks.data_record.record import DataRecord
from evonas.tasks.data_record.run_json import names_sha256


def data_difference(then: DataRecord, now: DataRecord) -> str:
    """The first thing in which data differ, for people; empty where they are the same."""
    for name in then.splits:
        old, new = then.splits[name], now.splits.get(name)
        if new is None or old.examples != new.examples:
            return f"{name} has {old.examples:,} examples there, {new.examples if new else 0:,} here"
    for what in ("classes", "columns"):
        if getattr(then, what) != getattr(now, what):
            return f"{what} are {_short(then, what)} there, {_short(now, what)} here"
    if names_sha256(then) not in ("", names_sha256(now)):  # a run of an earlier evonas has none
        return "the inputs' numbers have other names"
    if then.text and now.text and then.text != now.text:
        return "texts become other numbers"
    for name in then.splits:
        if then.splits[name].counts != now.splits[name].counts:
            return f"the classes of {name} have other numbers of examples"
    changed = [name for name in then.splits if then.splits[name].sha256 != now.splits[name].sha256]
    return f"as many examples, but others: {', '.join(changed)}" if changed else ""


def _short(record: DataRecord, what: str) -> str:
    value = record.classes if what == "classes" else {name: c.model_dump() for name, c in record.columns.items()}
    text = str(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
