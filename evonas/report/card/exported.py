"""The file that a model card is of."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from evonas.exporters.latency import Latency
from evonas.exporters.shipment import Shipment


@dataclass(frozen=True, slots=True, eq=False)
class Exported:
    """A network of a run that was written as a file.

    Args:
        path: where the file is.
        form: its format.
        file: its content.
        shipment: what was written.
        checked: how its output was compared with the network's.
        quantised: what 8 bits cost; "" where it has none.
        latencies: of the file on the targets of the run; empty where they were not measured.
        line: the command that wrote it.
        licence: of the data, in the user's words; "" where none were given.
    """

    path: str
    form: str
    file: bytes
    shipment: Shipment
    checked: str
    quantised: str = ""
    latencies: Sequence[Latency] = ()
    line: str = ""
    licence: str = ""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.file).hexdigest()
