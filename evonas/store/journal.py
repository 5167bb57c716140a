"""A journal of checksummed JSON lines: what is open, and what has happened since.

A line is eight hex digits (CRC-32 of the rest), a space, and one JSON object with a `kind`. A segment begins with a
checkpoint, everything that was open when it was begun, so that the newest segment alone is the journal. Its first
line says who wrote it (`start`), what was committed by then (`generations`, `manifest`: digest of the newest) and
how many lines the checkpoint has: it appeared at once, so that a shorter one is damaged. Behind it a torn last line is
what a crash leaves: it was never acted on, and is passed over. Nothing is ever appended behind a torn line, for each
writer begins a segment of its own.

Segments are named START-NUMBER.jsonl and count in that order: what a driver writes that was replaced by a later
start counts for nothing.
"""

import base64
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from evonas.store.documents import Damaged
from evonas.store.folder import Folder, Log, check_size
from evonas.store.migration import migrate_entry

Entry = dict[str, Any]
KINDS = ("checkpoint", "candidate", "report", "evaluation")
_NAME = re.compile(r"(\d+)-(\d+)(?:\.(\d+))?\.jsonl")


class Journal:
    """The writer. Entries are durable after `flush`, which is one write however many entries wait.

    start: which start of the search writes.
    """

    def __init__(self, folder: Folder, start: int) -> None:
        self._folder, self._start = folder, start
        self._number = 0
        self._waiting: list[bytes] = []
        self._log: Log | None = None

    @property
    def waiting(self) -> bool:
        return bool(self._waiting)

    def append(self, entry: Entry) -> None:
        self._waiting.append(_line(entry))

    def flush(self) -> None:
        if self._waiting and self._log:
            data, self._waiting = b"".join(self._waiting), []  # never tried twice: a failed write ends the search
            self._log.append(data)

    def checkpoint(self, generations: int, manifest: str | None, entries: Iterable[Entry]) -> None:
        """Go on in a new segment that begins with `entries`; older segments are removed once it is durable."""
        lines = [_line(entry) for entry in entries]
        head = {"kind": "checkpoint", "start": self._start, "generations": generations, "manifest": manifest}
        self.close()
        old = [name for name in segments(self._folder) if _key(name) <= (self._start, self._number)]
        self._number += 1
        name = f"journal/{self._start:04d}-{self._number:06d}.jsonl"
        self._log = self._folder.log(name, b"".join([_line({**head, "lines": len(lines)}), *lines]))
        for name in old:
            self._folder.remove(f"journal/{name}")

    def close(self) -> None:
        """Also in the midst of a checkpoint: an interrupted writer leaves what a crash leaves, and no more."""
        if self._log:
            try:
                self.flush()
            finally:
                self._log.close()
                self._log = None


@dataclass(frozen=True, slots=True)
class Segment:
    """The newest segment, up to the first line that is damaged.

    start, generations, manifest: as its first line says; 0, 0 and None where that is lost. damage: what is wrong.
    torn: it ends in half a line.
    """

    name: str
    start: int = 0
    generations: int = 0
    manifest: str | None = None
    entries: tuple[Entry, ...] = ()
    damage: Damaged | None = None
    torn: bool = False


def segments(folder: Folder) -> list[str]:
    """File names of the journal, oldest first."""
    return sorted((name for name in folder.names("journal") if _NAME.fullmatch(name)), key=_order)


def read_journal(folder: Folder) -> Segment | None:
    """The newest segment; None where there is none yet. Of a live journal, as it was at some moment of the call."""
    while True:
        names = segments(folder)
        if not names:
            return None
        newest = [name for name in names if _key(name) == _key(names[-1])]
        try:
            return _read([f"journal/{name}" for name in newest], folder)
        except FileNotFoundError:  # the writer has just gone on to a new segment
            if segments(folder) == names:
                raise


def _read(names: list[str], folder: Folder) -> Segment:
    """A segment in one file or, on an object store, in numbered parts, which have the bound of one file."""
    size = 0
    entries: list[Entry] = []
    head: Mapping[str, Any] = {}
    for number, name in enumerate(names):
        if _order(name.removeprefix("journal/"))[2] != number:
            return _damaged(head, entries, names[0], f"is damaged: its part {number} is missing")
        data = folder.read(name)
        size += len(data)
        check_size(folder, name, size)
        *lines, rest = data.split(b"\n")
        for at, line in enumerate(lines, start=1):
            entry = _parse(line)
            if entry is None:
                return _damaged(head, entries, name, f"is damaged at line {at}")
            if head:
                entries.append(entry)
            elif entry["kind"] == "checkpoint":
                head = entry
            else:
                return _damaged(head, entries, name, "is damaged: it does not begin with a checkpoint")
        if not head or len(entries) < head["lines"]:
            return _damaged(head, entries, name, "is damaged: it ends within its checkpoint")
        if rest and (len(names) > 1 or _parse(rest[:-1]) is not None):
            return _damaged(head, entries, name, f"is damaged at line {len(lines) + 1}")
    return Segment(names[0], head["start"], head["generations"], head["manifest"], tuple(entries), torn=bool(rest))


def _damaged(head: Mapping[str, Any], entries: list[Entry], name: str, what: str) -> Segment:
    damage = Damaged(name, what)
    if not head:
        return Segment(name, damage=damage)
    return Segment(name, head["start"], head["generations"], head["manifest"], tuple(entries), damage)


def _line(entry: Mapping[str, Any]) -> bytes:
    data = json.dumps(entry, separators=(",", ":"), default=_in_base64).encode()
    return b"%08x %s\n" % (zlib.crc32(data), data)


def _parse(line: bytes) -> Entry | None:
    checksum, _, data = line.partition(b" ")
    try:
        entry = json.loads(data) if checksum == b"%08x" % zlib.crc32(data) else None
        entry = _with_bytes(migrate_entry(entry)) if isinstance(entry, dict) else None
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return None
    return entry if entry and entry.get("kind") in KINDS else None


def _in_base64(value: object) -> str:
    """The bytes of scores, which JSON has no form for."""
    if not isinstance(value, bytes):
        raise TypeError(f"a journal holds plain values, not {value!r:.40}")
    return base64.b64encode(value).decode()


def _with_bytes(entry: Entry) -> Entry:
    if "scores" not in entry:
        return entry
    scores = {name: base64.b64decode(text, validate=True) for name, text in entry["scores"].items()}
    return {**entry, "scores": scores}


def _order(name: str) -> tuple[int, int, int]:
    start, number, part = _NAME.fullmatch(name).groups()  # type: ignore[union-attr]
    return int(start), int(number), int(part or 0)


def _key(name: str) -> tuple[int, int]:
    return _order(name)[:2]
