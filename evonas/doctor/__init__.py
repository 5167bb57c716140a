"""`evonas doctor`: what stands in the way of a search."""

from evonas.doctor.context import Context, Finding
from evonas.doctor.dry_run import dry_run
from evonas.doctor.examining import examine
from evonas.doctor.remote import examine_there
from evonas.doctor.screen import report, show

__all__ = ["Context", "Finding", "dry_run", "examine", "examine_there", "report", "show"]
