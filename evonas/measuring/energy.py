"""Energy of a forward pass, from the counters of the device."""

from evonas.config import TargetConfig
from evonas.measuring.latency import Passes


class Meter:
    """Raises UserError where there is no counter or no library to read it."""

    def __init__(self, name: str, config: TargetConfig) -> None:
        raise NotImplementedError

    def per_pass(self, run: Passes, ms: float) -> float:
        """Millijoules of one pass; ms: what one takes."""
        raise NotImplementedError
