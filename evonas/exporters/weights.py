"""Format `safetensors`: the weights alone, for a network that the user's own code builds."""

from typing import Any

from safetensors.torch import save
from torch import nn

from evonas.evaluation.training import copied
from evonas.exporters.exporter import Exporter


def write(network: nn.Module, x: Any) -> bytes:
    """See `Exporter`."""
    return save(copied(network.state_dict()))


SAFETENSORS = Exporter(write, None, "safetensors.torch.load_file({path!r})")
