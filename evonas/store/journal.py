"""An append-only journal of checksummed JSON lines, in numbered segments.

A line is eight hex digits (CRC-32 of the rest), a space, and one JSON object with a `kind`. Each writer starts a
segment of its own, so nothing is ever appended behind a torn line. A torn last line of a segment is what a crash
leaves: it was never acted on, and is passed over. Any other bad line is damage and an error.
"""

import json
import os
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from evonas.records import UserError
from evonas.store.files import sync_folder, write_once

Entry = dict[str, Any]


class Journal:
    """The writer. Entries are durable after `flush`, which is one fsync however many entries wait."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = max((_number(path) for path in segments(folder)), default=0)
        self._open()

    def append(self, entry: Entry) -> None:
        self._file.write(_line(entry))
        self._dirty = True

    def flush(self) -> None:
        if self._dirty:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._dirty = False

    def rotate(self, entries: Iterable[Entry]) -> None:
        """Go on in a new segment that starts with `entries`; older segments are removed once it is durable."""
        self._file.close()
        old = segments(self._folder)
        write_once(self._folder / f"{self._number + 1:06d}.jsonl", b"".join(_line(entry) for entry in entries))
        for path in old:
            path.unlink()
        self._number += 1
        self._open()

    def close(self) -> None:
        """Also in the midst of a rotation: an interrupted writer leaves what a crash leaves, and no more."""
        if not self._file.closed:
            self.flush()
            self._file.close()

    def _open(self) -> None:
        self._number += 1
        self._file = (self._folder / f"{self._number:06d}.jsonl").open("xb")
        sync_folder(self._folder)
        self._dirty = False


def segments(folder: Path) -> list[Path]:
    """The segments of a journal, oldest first."""
    return sorted(folder.glob("[0-9]*.jsonl"))


def read_journal(folder: Path) -> list[Entry]:
    """Every entry, oldest first; of a live journal, as it was at some moment of the call.

    Raises:
        UserError: a line before the last of its segment is damaged; names the file and the line.
    """
    while True:
        try:
            return _read(segments(folder))
        except FileNotFoundError:  # the writer has just gone on to a new segment
            continue


def _read(paths: list[Path]) -> list[Entry]:
    entries: list[Entry] = []
    for path in paths:
        lines = path.read_bytes().split(b"\n")
        for number, line in enumerate(lines[:-1], start=1):
            entry = _parse(line)
            if entry is None:
                raise UserError(
                    f"{path} is damaged at line {number}; everything before it is intact ({len(entries)} entries): "
                    f"to resume from there, cut the file before that line"
                )
            entries.append(entry)
    return entries


def _line(entry: Entry) -> bytes:
    data = json.dumps(entry, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(data), data)


def _parse(line: bytes) -> Entry | None:
    checksum, _, data = line.partition(b" ")
    try:
        entry = json.loads(data) if checksum == b"%08x" % zlib.crc32(data) else None
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _number(path: Path) -> int:
    return int(path.stem)
