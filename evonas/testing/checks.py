"""What the suites are written with: one sentence for each thing that is wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cloudpickle
import torch
from torch import nn

from evonas.text import describe_error


def require(right: bool, sentence: str) -> None:
    """Go on where something is right.

    Args:
        right: whether it is.
        sentence: what is wrong otherwise, and what would be right.

    Raises:
        AssertionError: it is wrong. Unlike `assert`, also where Python runs optimised.
    """
    if not right:
        raise AssertionError(sentence)


@contextmanager
def attempt(what: str) -> Iterator[None]:
    """A part of a check that must not raise.

    Args:
        what: the part, as the beginning of a sentence.

    Raises:
        AssertionError: it raised; the cause says where.
    """
    try:
        yield
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(f"{what} raises {describe_error(error)}") from error


@contextmanager
def refusal(what: str) -> Iterator[None]:
    """A part of a check that must raise a ValueError.

    Args:
        what: what is to be refused.

    Raises:
        AssertionError: it was not refused, or by another exception.
    """
    try:
        yield
    except ValueError:
        return
    except Exception as error:
        raise AssertionError(f"{what} raises {describe_error(error)}; it must be a ValueError") from error
    raise AssertionError(f"{what} is accepted; it must be a ValueError")


@contextmanager
def process_unchanged(what: str, random: bool = True) -> Iterator[None]:
    """A part of a check that must leave the process as it was.

    Args:
        what: who is blamed.
        random: whether torch's random state counts too.

    Raises:
        AssertionError: something was changed; names it.
    """
    before = _process()
    yield
    for name, value in _process().items():
        same = torch.equal(value, before[name]) if isinstance(value, torch.Tensor) else value == before[name]
        require(same or (name == "random state" and not random), f"{what} changes torch's {name}; put it back")


def _process() -> dict[str, Any]:
    return {
        "random state": torch.get_rng_state(),
        "number of threads": torch.get_num_threads(),
        "default dtype": torch.get_default_dtype(),
        "gradient mode": torch.is_grad_enabled(),
    }


@contextmanager
def network_unchanged(network: nn.Module, what: str) -> Iterator[None]:
    """A part of a check that must leave a network as it was.

    Args:
        network: the network.
        what: who is blamed.

    Raises:
        AssertionError: something was changed; names it.
    """
    tensors = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    before = _structure(network)
    yield
    for name, value in _structure(network).items():
        require(value == before[name], f"{what} changes the {name} of the network; work on a copy")
    for name, tensor in network.state_dict().items():
        same = tensor.dtype == tensors[name].dtype and torch.equal(tensor, tensors[name])
        require(same, f"{what} changes {name} of the network; work on a copy")


def _structure(network: nn.Module) -> dict[str, Any]:
    return {
        "tensors": [(name, tuple(tensor.shape)) for name, tensor in network.state_dict().items()],
        "modes": [module.training for module in network.modules()],
        "hooks": [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules()],
        "gradients": [None if p.grad is None else p.grad.sum().item() for p in network.parameters()],
        "trained parameters": [p.requires_grad for p in network.parameters()],
    }


def check_travels(part: object, what: str) -> Any:
    """Make sure that a part can be sent to a worker.

    Args:
        part: an object or a function of the user's own.
        what: its name in messages.

    Returns:
        What arrives there.

    Raises:
        AssertionError: it cannot be pickled.
    """
    with attempt(f"sending {what} to a worker"):
        return cloudpickle.loads(cloudpickle.dumps(part))
