"""Task kind `table`, in parts: files are read, columns understood, rows encoded, and prepared for networks."""

from evonas.tasks.table.encoder import Encoder
from evonas.tasks.table.reading import SUFFIXES, read, table_files
from evonas.tasks.table.task import table, table_of

__all__ = ["SUFFIXES", "Encoder", "read", "table", "table_files", "table_of"]
