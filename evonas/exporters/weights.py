"""Format `safetensors`: the weights alone, for a network that the user's own code builds."""

import json
import struct
from collections.abc import Mapping
from typing import Any

from safetensors.torch import load, save
from torch import nn

from evonas.evaluation.training.saved_state import copied
from evonas.exporters.exporter import Exporter, Labels


def write(network: nn.Module, x: Any) -> bytes:
    """See `Exporter`."""
    return save(copied(network.state_dict()))


def put(file: bytes, labels: Mapping[str, str]) -> bytes:
    """As the metadata of its head. See `Labels`."""
    return save(load(file), dict(labels))


def get(file: bytes) -> dict[str, str]:
    """The head is its length in 8 bytes, then a JSON object. See `Labels`."""
    (length,) = struct.unpack_from("<Q", file)
    found: dict[str, str] = json.loads(file[8 : 8 + length]).get("__metadata__", {})
    return found


SAFETENSORS = Exporter(write, None, "safetensors.torch.load_file({path!r})", Labels(put, get))
