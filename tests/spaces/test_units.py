"""Networks that predict values in units."""

import pytest
import torch
from torch import nn

from evonas.spaces.unit_network import in_units


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_units_that_a_short_type_cannot_hold_stay_as_they_are(dtype: torch.dtype) -> None:
    """Prices of houses are above the largest float16."""
    network = in_units(nn.Linear(3, 1), ((180_000.0, 79_000.0),)).to(dtype)
    output = network(torch.zeros(2, 3, dtype=dtype))
    assert network.network.weight.dtype == dtype
    assert output.detach().double().sub(180_000).abs().max() < 79_000
