"""The contract of a backend: see `evonas.measuring.backends.backend.Backend`."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from evonas.config import TargetConfig
from evonas.errors import UserError
from evonas.inputs import called
from evonas.measuring.backends.backend import Backend, Loaded
from evonas.records import Inputs
from evonas.testing.checks import attempt, network_unchanged, process_unchanged, require
from evonas.testing.examples import IMAGE, OUTPUTS, batch, networks

CONDITIONS = {"backend", "device", "dtype", "threads", "batch"}
"""What a number depends on with every backend; libraries and their versions come on top."""
CLOSE = 1e-3
"""Largest difference of an output in float32, as a share of the largest."""


def check_backend(make: Callable[[str, TargetConfig], Backend], config: TargetConfig | None = None) -> None:
    """Make sure that a backend keeps its contract, for networks of images, of whole numbers and of several inputs.

    Args:
        make: the constructor, as it stands in `BACKENDS`.
        config: of the target; default: two examples in float32 on the CPU. With a device that is here.

    Raises:
        AssertionError: it does not; says where.
    """
    config = config or TargetConfig(batch=2)
    with attempt("the constructor"):
        backend = make("target", config)
    with attempt("device, conditions and state"):
        _check_texts(backend, config)
    for kind, network, inputs in networks():
        what = f"a network of {kind}"
        with attempt(what):
            _check_network(backend, config, network, inputs, what)
    with attempt("memory_mb"):
        _check_memory(backend)


def _check_texts(backend: Backend, config: TargetConfig) -> None:
    require(isinstance(backend.device, str) and bool(backend.device), f"device is {backend.device!r}, not a text")
    conditions = dict(backend.conditions)
    missing = CONDITIONS - conditions.keys()
    require(not missing, f"conditions lack {', '.join(sorted(missing))}")
    for name, text in (*conditions.items(), *dict(backend.state).items()):
        require(isinstance(text, str) and bool(text), f"{name} of conditions and state is {text!r}, not a text")
    for name, value in {"dtype": config.dtype, "batch": config.batch, "threads": config.threads}.items():
        require(conditions[name] == str(value), f"the condition {name} is {conditions[name]}, the config says {value}")
    require(dict(backend.conditions) == conditions, "conditions are others each time; what changes belongs into state")


def _check_network(backend: Backend, config: TargetConfig, network: nn.Module, inputs: Inputs, what: str) -> None:
    expected = _expected(network, inputs, config.batch)
    with process_unchanged(what), network_unchanged(network, what):
        loaded = backend.load(network, inputs)
        output = loaded.output()
        _check_passes(loaded, what)
        _memory(loaded)
    require(output.dtype == np.float32, f"{what}: the output is in {output.dtype}, not float32")
    shape = (config.batch, OUTPUTS)
    require(output.shape == shape, f"{what}: the output has the shape {output.shape}, not {shape}")
    off = float(np.abs(output - expected).max() / np.abs(expected).max())
    allowed = CLOSE if config.dtype == "float32" else 0.1
    made_up = "for the input of `evonas.inputs.example`"
    require(off < allowed, f"{what}: the output differs by {off:.2g} of the largest from the network's {made_up}")
    require(np.array_equal(loaded.output(), output), f"{what}: the input is another after some passes")


def _expected(network: nn.Module, inputs: Inputs, count: int) -> np.ndarray:
    modes = {module: module.training for module in network.modules()}
    with torch.no_grad():
        output: np.ndarray = called(network.eval(), batch(inputs, count)).numpy()
    for module, mode in modes.items():
        module.training = mode
    return output


def _check_passes(loaded: Loaded, what: str) -> None:
    for count in (1, 5):
        times = loaded.passes(count)
        require(len(times) == count, f"{what}: {count} passes gave {len(times)} times")
        right = all(isinstance(ms, float) and math.isfinite(ms) and ms > 0 for ms in times)
        require(right, f"{what}: the times {list(times)} are no milliseconds above 0")


def _memory(loaded: Loaded) -> float | None:
    """None where the backend cannot tell."""
    try:
        return loaded.memory_mb()
    except UserError:
        return None


def _check_memory(backend: Backend) -> None:
    """In MB of 10^6 bytes: 4 MB of weights more take at least so much more."""
    few, many = (nn.Sequential(nn.Flatten(), nn.Linear(192, n), nn.Linear(n, OUTPUTS)) for n in (1, 5100))
    small, large = (_memory(backend.load(network, IMAGE)) for network in (few, many))
    if small is not None and large is not None:
        more = large - small
        require(small > 0, f"a network takes {small:g} MB, which is none")
        width = 4 if backend.conditions["dtype"] == "float32" else 2
        weights = width * 5099 * (192 + OUTPUTS + 1) / 1e6
        require(
            weights * 0.99 <= more < 30 * weights,
            f"{weights:.1f} MB of weights more take {more:g} MB more; MB of 10^6 bytes",
        )
