"""What a new search takes over from an earlier run: evaluations that are as good as its own, and architectures."""

from evonas.reuse.architectures import architectures
from evonas.reuse.chosen import Chosen, chosen
from evonas.reuse.reuse import Reuse, reuse, run_id

__all__ = ["Chosen", "Reuse", "architectures", "chosen", "reuse", "run_id"]
