"""Files of a folder and of those below it, linked ones too."""

import os
from collections.abc import Iterator
from pathlib import Path

LEFT_BY_SYSTEMS = {"__MACOSX", "@eaDir", "$RECYCLE.BIN", "Thumbs.db", "desktop.ini"}


def is_hidden(name: str) -> bool:
    """Whether a file or folder is none of a person's data."""
    return name.startswith(".") or name in LEFT_BY_SYSTEMS


def files_below(folder: Path) -> Iterator[Path]:
    """Files that are not hidden, in no order. A folder to which several links lead is read once, and one that the
    folder lies in is not read, so that links which lead back have an end.

    Args:
        folder: which exists.
    """
    root = folder.resolve()
    known = {root, *root.parents}
    for here, folders, files in os.walk(folder, followlinks=True):
        kept = []
        for name in sorted(name for name in folders if not is_hidden(name)):
            if (real := Path(here, name).resolve()) not in known:
                known.add(real)
                kept.append(name)
        folders[:] = kept
        yield from (Path(here, name) for name in files if not is_hidden(name))
