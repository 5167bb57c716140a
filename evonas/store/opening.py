"""Which kind of folder a path or a URL is."""

from pathlib import Path

from evonas.store.folder import Folder, LocalFolder


def open_folder(where: "str | Path | Folder") -> Folder:
    """A path, or a URL such as s3://bucket/run.

    Raises:
        UserError: the path is a file, or the library for the URL is missing.
    """
    if isinstance(where, str) and "://" in where:
        from evonas.store.remote import ObjectFolder  # fsspec, for who needs it

        return ObjectFolder(where)
    return LocalFolder(Path(where)) if isinstance(where, str | Path) else where
