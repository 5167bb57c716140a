"""The contract of a backend: see `evonas.measuring.backends.backend.Backend`."""

import math
from collections.abc import Callable, Sequence

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
WIDE = 20_000
"""Width of a network that takes much memory."""
CLOSE = 1e-3
"""Largest difference of an output in float32, as a share of the largest."""


def check_backend(
    make: Callable[[str, TargetConfig], Backend],
    config: TargetConfig | None = None,
    kinds: Sequence[str] = ("images", "tokens", "several inputs"),
) -> None:
    """Make sure that a backend keeps its contract.

    Args:
        make: the constructor, as it stands in `BACKENDS`.
        config: of the target; default: two examples in float32 on the CPU. With a device that is here.
        kinds: of the networks that it is tried with; fewer where it takes long to load one.

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
        if kind in kinds:
            with attempt(what):
                memory_mb = _check_network(backend, config, network, inputs, what)
            if kind == "images" and memory_mb is not None:
                with attempt("memory_mb"):
                    _check_memory(backend, memory_mb)


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


def _check_network(
    backend: Backend, config: TargetConfig, network: nn.Module, inputs: Inputs, what: str
) -> float | None:
    """Its memory in MB, None where the backend cannot tell."""
    expected = _expected(network, inputs, config.batch)
    with process_unchanged(what), network_unchanged(network, what):
        loaded = backend.load(network, inputs)
        output = loaded.output()
        _check_passes(loaded, what)
        memory_mb = _memory(loaded)
    require(output.dtype == np.float32, f"{what}: the output is in {output.dtype}, not float32")
    shape = (config.batch, OUTPUTS)
    require(output.shape == shape, f"{what}: the output has the shape {output.shape}, not {shape}")
    off = float(np.abs(output - expected).max() / np.abs(expected).max())
    allowed = CLOSE if config.dtype == "float32" else 0.1
    made_up = "for the input of `evonas.inputs.example`"
    require(off < allowed, f"{what}: the output differs by {off:.2g} of the largest from the network's {made_up}")
    require(np.array_equal(loaded.output(), output), f"{what}: the input is another after some passes")
    return memory_mb


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


def _check_memory(backend: Backend, small_mb: float) -> None:
    """Weights of 16 MB more take at least so much more; runtimes copy them when they load them."""
    require(small_mb > 0, f"a network takes {small_mb:g} MB, which is none")
    large = nn.Sequential(nn.Flatten(), nn.Linear(192, WIDE), nn.Linear(WIDE, OUTPUTS))
    more = (_memory(backend.load(large, IMAGE)) or 0.0) - small_mb
    weights = (4 if backend.conditions["dtype"] == "float32" else 2) * WIDE * (192 + OUTPUTS) / 1e6
    right = 0.99 * weights <= more < 7 * weights
    require(right, f"{weights:.1f} MB of weights more take {more:g} MB more; memory is in MB of 10^6 bytes")
