"""`evonas doctor`: what stands in the way of a search."""

from evonas.doctor.examining import examine
from evonas.doctor.remote import examine_there
from evonas.doctor.screen import report, show
from evonas.doctor.visit import Finding, Visit

__all__ = ["Finding", "Visit", "examine", "examine_there", "report", "show"]
