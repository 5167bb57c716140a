"""What networks of the spaces are made of gets into ONNX and into Python code: an operator without an opset, or a layer
without its code, shows here."""

from typing import Any

import pytest
import torch
from torch import nn

from evonas.exporters import EXPORTERS, shipped, written
from evonas.records import InputSpec, TaskSpec
from evonas.spaces import SPACES

STAGE = {"width": 8, "depth": 1, "block": "residual", "kernel": 3, "dilation": 2, "squeeze": True}
NETWORKS: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[int, ...], tuple[int, ...]]] = {
    "mlp": (
        {"blocks": ["gated"], "embeddings": ["periodic"]},
        {
            "hidden": [{"width": 8}],
            "activation": "silu",
            "dropout": 0.2,
            "norm": True,
            "block": {"kind": "gated", "width": 8},
            "embedding": {"kind": "periodic", "frequencies": 8, "width": 4, "scale": 1.0},
        },
        (5,),
        (3,),
    ),
    "conv1d": (
        {"stages": 1, "widths": [8], "units": [6]},
        {
            "stem": {"width": 8, "kernel": 3, "stride": 2},
            "stage_0": {**STAGE, "shortening": {"kind": "mean", "factor": 2}},
            "activation": "silu",
            "tail": {"kind": "gru", "units": 6},
            "dropout": 0.0,
        },
        (3, 17),
        (3, 2),
    ),
    "unet": (
        {},
        {
            "levels": 2,
            "width": 4,
            "block": "separable",
            "norm": "group",
            "upsampling": "nearest",
            "activation": "relu",
        },
        (2, 7, 10),
        (3, 7, 10),
    ),
    "mobile": (
        {"stages": 1, "per": "block", "blocks": ["fused"]},
        {
            "stem": {"width": 8, "stride": 2},
            "activation": "hardswish",
            "stage_0": {
                "width": 8,
                "blocks": [{"squeeze": True, "block": {"kind": "fused", "kernel": 3, "expansion": 2}}],
            },
        },
        (1, 8, 8),
        (3,),
    ),
}
"""Space -> its options, an architecture, and the shapes of an example and of an answer."""


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_network_is_written_as_onnx_and_as_python(kind: str) -> None:
    options, arch, shape, outputs = NETWORKS[kind]
    space = SPACES[kind](**options)
    network = space.build(space.decode(space.encode(arch)), TaskSpec("task", InputSpec(shape), outputs))
    for form in ("onnx", "py"):
        file, checked = written(EXPORTERS[form], shipped(nn.Identity(), network), torch.randn(2, *shape))
        assert "differs by" in checked
        assert file
