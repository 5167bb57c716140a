"""What travels between the parts of evonas: frozen, typed, units in the docstrings.

Knows nothing of how a record is made, moved, stored or ranked, and imports nothing of evonas.
"""

from evonas.records.candidates import Candidate, Fitness, Genome
from evonas.records.evaluations import Deferred, Epoch, Evaluation, RungReport, Status
from evonas.records.jobs import Before, Job
from evonas.records.measurements import UNKNOWN, Endpoint, Measurement, RunKind
from evonas.records.specs import (
    DIRECTIONS,
    DTYPES,
    Inputs,
    InputSpec,
    TaskSpec,
    check_direction,
    check_metric_name,
)

__all__ = [
    "DIRECTIONS",
    "DTYPES",
    "UNKNOWN",
    "Before",
    "Candidate",
    "Deferred",
    "Endpoint",
    "Epoch",
    "Evaluation",
    "Fitness",
    "Genome",
    "InputSpec",
    "Inputs",
    "Job",
    "Measurement",
    "RunKind",
    "RungReport",
    "Status",
    "TaskSpec",
    "check_direction",
    "check_metric_name",
]
