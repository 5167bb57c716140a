"""Muon: momentum whose matrices are made orthogonal (Jordan et al. 2024), with torch's own iteration.

Torch's class takes the learning rate to the host; here it may be a tensor, so that a step can be captured.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.optim._muon import DEFAULT_A, DEFAULT_B, DEFAULT_C, DEFAULT_NS_STEPS, EPS, _zeropower_via_newtonschulz

COEFFICIENTS = (DEFAULT_A, DEFAULT_B, DEFAULT_C)


def hidden_matrices(network: nn.Module) -> set[Tensor]:
    """The parameters that Muon is for: matrices, and kernels of convolutions as matrices (outputs, inputs x places).

    Embeddings, the last layer, and kernels that see a part of the channels alone are left to another optimiser.
    """
    embeddings = {m.weight for m in network.modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag)}
    grouped = {m.weight for m in network.modules() if isinstance(m, _ConvNd) and m.groups > 1}
    kernels = {m.weight for m in network.modules() if isinstance(m, _ConvNd) and m.groups == 1}
    wide = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    return {p for p in wide[:-1] if (p.ndim == 2 or p in kernels) and p not in embeddings | grouped}


def muon(
    parameters: list[Tensor],
    gradients: list[Tensor],
    buffers: list[Tensor],
    *,
    momentum: float,
    weight_decay: float,
    lr: Any,
    found_inf: Tensor | None = None,
) -> None:
    """One update, in place.

    Steps are as large as AdamW's, so that both take the same learning rate (Liu et al., "Muon is scalable for LLM
    training", 2025).

    Args:
        parameters: (outputs, ...).
        gradients: of them.
        buffers: their momentum.
        momentum: of Nesterov's kind.
        weight_decay: decoupled.
        lr: the learning rate, a number or a scalar tensor on the device.
        found_inf: 1 where a gradient overflowed and nothing is updated.
    """
    for parameter, gradient, buffer in zip(parameters, gradients, buffers, strict=True):
        kept = buffer.lerp(gradient, 1 - momentum)
        matrix = gradient.lerp(kept, momentum).flatten(1)
        update = _zeropower_via_newtonschulz(matrix, COEFFICIENTS, DEFAULT_NS_STEPS, EPS).to(parameter.dtype)
        change = update.reshape(parameter.shape) * (lr * (0.2 * math.sqrt(max(matrix.shape))))
        new = parameter * (1 - lr * weight_decay) - change
        if found_inf is not None:
            kept, new = (torch.where(found_inf > 0, a, b) for a, b in ((buffer, kept), (parameter, new)))
        buffer.copy_(kept)
        parameter.copy_(new)
