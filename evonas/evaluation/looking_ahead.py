"""Networks that are to say which token is next, and see it: their error is false."""

import copy

import numpy as np
import torch
from torch import Tensor, nn

from evonas.errors import UserError
from evonas.inputs import example
from evonas.measuring.torch_state import seeded
from evonas.records import InputSpec, TaskSpec
from evonas.spaces.space import Space
from evonas.spaces.units import built
from evonas.tasks.task import Task

ROWS = 64
"""Validation examples, at most, by which it is known that a task asks for the next token."""
TRIES = 4
"""Genomes that are drawn at the start: a space may have networks of both sorts."""
SHARES = {torch.float64: 1e-10, torch.float32: 1e-5}
"""Of the largest output: what changes by less is rounding. An untrained network may let little through, for its
normalisations know no statistics yet, and not every network can be made float64."""
IN_WORDS = (
    "looks ahead: what a network says at a place depends on the tokens behind it, and these are what it is to predict, "
    "so that its error would be false"
)


def asks_for_the_next(task: Task) -> bool:
    """Whether the target at each place of a task's tokens is the token behind it, whatever the task is called."""
    spec, split = task.spec, task.splits.valid
    if not _are_tokens(spec):
        return False
    x, y = split.read(np.arange(min(ROWS, len(split))))
    if not isinstance(x, np.ndarray) or y.shape != (len(y), *spec.input_shape):
        return False
    with torch.inference_mode():
        tokens = copy.deepcopy(task.prepare).cpu().eval()(torch.from_numpy(np.array(x)))
    return bool(np.array_equal(tokens.numpy()[:, 1:], y[:, :-1]))


def looks_ahead(network: nn.Module, spec: TaskSpec) -> bool:
    """Whether what a network gives at a place changes with tokens behind it.

    Args:
        network: on any device; it is left as it was. Its weights are moved in a copy: those that begin at zero, as at
            the end of a residual branch, would hide what it sees.
        spec: with tokens (length,) and outputs (length, ...).
    """
    own = _moved(network)
    try:
        return _sees(copy.deepcopy(own).double(), spec, SHARES[torch.float64])
    except Exception:
        return _sees(own, spec, SHARES[torch.float32])


def check_looks_back(space: Space, task: Task) -> None:
    """Build some networks of the space, where the task asks for the next token.

    Raises:
        UserError: all of those that can be built see it.
    """
    if not asks_for_the_next(task):
        return
    rng, found = np.random.default_rng(0), []
    for _ in range(TRIES):
        try:
            with seeded(0):
                found.append(looks_ahead(built(space, space.sample(rng), task.spec), task.spec))
        except Exception:  # a row of its own says it, as of any network that cannot be built
            continue
        if not found[-1]:
            return
    if found:
        name = type(space).__name__
        raise UserError(f"space: {name} {IN_WORDS}; take tcn, transformer or another space that looks back alone")


def _are_tokens(spec: TaskSpec) -> bool:
    inputs = spec.input
    if not isinstance(inputs, InputSpec) or not inputs.is_integer or len(inputs.shape) != 1:
        return False
    return inputs.shape[0] > 1 and len(spec.output_shape) > 1 and spec.output_shape[0] == inputs.shape[0]


def _moved(network: nn.Module) -> nn.Module:
    """A copy in evaluation mode with noise on its weights."""
    own = copy.deepcopy(network).eval()
    with torch.no_grad(), seeded(0, _device(own)):
        for weight in own.parameters():
            if weight.is_floating_point():
                weight.add_(torch.randn_like(weight), alpha=0.1)
    return own


def _device(network: nn.Module) -> torch.device:
    return next((weight.device for weight in network.parameters()), torch.device("cpu"))


@torch.no_grad()
def _sees(network: nn.Module, spec: TaskSpec, share: float) -> bool:
    """Whether outputs in front of a place change by more than a share of the largest when tokens from it on change."""
    assert isinstance(spec.input, InputSpec)
    length, high = spec.input.shape[0], spec.input.high or 1
    tokens = torch.from_numpy(np.asarray(example(spec.input, batch=2))).to(_device(network))
    before: Tensor = network(tokens)
    for cut in {1, length // 2, length - 1} - {0}:
        other = tokens.clone()
        other[:, cut:] = (other[:, cut:] + 1) % high
        if bool((network(other) - before)[:, :cut].abs().max() > share * before.abs().max()):
            return True
    return False
