"""PyTorch as a backend: as a user calls it, and compiled."""

import copy
import importlib.util
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import MappingProxyType

import torch
from torch import Tensor, nn

from evonas.config import TargetConfig
from evonas.errors import UserError
from evonas.inputs import called, example, mapped
from evonas.measuring import float32, nvml
from evonas.measuring.backends import aten_graph, devices, no_cuda
from evonas.measuring.backends.backend import Array, Loaded
from evonas.measuring.backends.cuda_graph import Call, EventClock, captured
from evonas.measuring.backends.storage import StorageMeter, recorded_peak, stored, tensors
from evonas.records import Inputs

MB = 1e6
MOST_COMPILED = 100
"""Networks that a process compiles before it is worn out. What torch.compile loads stays in its process: of a small
network a Python module, four shared libraries, or the kernels of a GPU, and some 4,000 objects."""
NOTHING: Mapping[str, str] = MappingProxyType({})
Input = Tensor | Mapping[str, Tensor]


class Eager:
    """PyTorch runs networks as a user calls them: eager, in evaluation and inference mode, the input already on the
    device, in torch's default (contiguous) layout. On a GPU with `graph` a pass is the replay of a CUDA graph; else,
    and of a network that cannot be captured, its launches are in its time.

    Args:
        name: of the target, for messages.
        config: the target's.

    Raises:
        UserError: the device is not there.
    """

    def __init__(self, name: str, config: TargetConfig) -> None:
        self.config = config
        self.at = available(config.device, f"targets.{name}.device")

    @property
    def device(self) -> str:
        return lock_name(self.at)

    @property
    def conditions(self) -> Mapping[str, str]:
        versions = {"torch": str(torch.__version__), **float32.conditions(torch, self.at.type)}
        if self.at.type == "cpu":
            return devices.described(self.config, device_name(self.at)) | versions
        versions |= {"cuda": str(torch.version.cuda), "graph": str(self.config.graph).lower(), **devices.driver()}
        return devices.described(self.config, device_name(self.at)) | versions

    @property
    def state(self) -> Mapping[str, str]:
        return {**devices.cpu_state(), **(nvml.state(self.device) if self.at.type == "cuda" else {})}

    def load(self, network: nn.Module | bytes, inputs: Inputs) -> Loaded:
        network, x = self.placed(network, inputs)
        return _OnTorch(network, network, x, self.at, self.config)

    def placed(self, network: nn.Module | bytes, inputs: Inputs) -> tuple[nn.Module, Input]:
        """Put a copy of a network on the device, and its input."""
        found = aten_graph.from_bytes(network, self.at) if isinstance(network, bytes) else copy.deepcopy(network)
        dtype = getattr(torch, self.config.dtype)
        x = mapped(lambda array: _moved(torch.from_numpy(array), self.at, dtype), example(inputs, self.config.batch))
        return found.to(self.at, dtype).eval(), x


class Compiled:
    """`torch.compile` runs networks with its defaults, for this one shape. A network is compiled when it is loaded.

    Args:
        name: of the target, for messages.
        config: the target's.

    Raises:
        UserError: the device or its compiler is not there.
    """

    def __init__(self, name: str, config: TargetConfig) -> None:
        self._eager, self._compiled = Eager(name, config), 0
        _need_compiler(name, self._eager.at)

    @property
    def worn(self) -> bool:
        """Whether this process has compiled so many networks that a new one is to take its place."""
        return self._compiled >= MOST_COMPILED

    @property
    def device(self) -> str:
        return self._eager.device

    @property
    def conditions(self) -> Mapping[str, str]:
        return self._eager.conditions

    @property
    def state(self) -> Mapping[str, str]:
        return self._eager.state

    def load(self, network: nn.Module | bytes, inputs: Inputs) -> Loaded:
        from torch._inductor import config as inductor

        self._compiled += 1
        network, x = self._eager.placed(network, inputs)
        loaded = _OnTorch(
            network, torch.compile(_own_code(network), dynamic=False), x, self._eager.at, self._eager.config
        )
        with inductor.patch(compile_threads=1):  # a pool, which a GPU gets, would leave processes behind
            loaded.output()
        return loaded


class _OnTorch:
    """A network on its device: `network` holds the weights, `call` runs it.

    Attributes:
        conditions: What is special of how it runs.
    """

    def __init__(self, network: nn.Module, call: Call, x: Input, at: torch.device, config: TargetConfig) -> None:
        self._network, self._call, self._x, self._at, self._config = network, call, x, at, config
        self._run, self.conditions = call, NOTHING
        if at.type == "cuda":
            with self._ready():
                if config.graph:
                    self._run, self.conditions = captured(call, x)
                self._clock = EventClock(grouped=self._run is not call)

    def passes(self, count: int) -> Sequence[float]:
        with self._ready():
            if self._at.type == "cuda":
                return self._clock.passes(self._run, self._x, count)
            return [_clocked_on_cpu(self._run, self._x) for _ in range(count)]

    def output(self) -> Array:
        with self._ready():
            found: Array = called(self._run, self._x).float().cpu().numpy()
            return found

    def memory_mb(self) -> float:
        """Counted are on a CPU the storages of eager tensors, or what a compiled network asks torch's allocator for; on
        a GPU the peak of its allocator, without a CUDA graph's."""
        own = [*tensors([self._x]), *self._network.parameters(), *self._network.buffers()]
        with self._ready():
            if self._at.type == "cuda":
                peak = stored(own) + _allocated(self._call, self._x)
            elif self._call is not self._network:
                peak = stored(own) + recorded_peak(lambda: called(self._call, self._x))
            else:
                with torch.inference_mode(False), torch.no_grad(), StorageMeter() as meter:
                    meter.count(own)
                    called(self._call, self._x)
                peak = meter.peak
        return peak / MB

    @contextmanager
    def _ready(self) -> Iterator[None]:
        """The network runs in the block as it is to run; torch's number of threads and random state are put back."""
        before = torch.get_num_threads()
        torch.set_num_threads(self._config.threads)
        gpus = [self._at] if self._at.type == "cuda" else []
        try:
            with ExitStack() as stack:
                if gpus:
                    stack.enter_context(torch.cuda.device(gpus[0]))
                stack.enter_context(torch.random.fork_rng(devices=gpus))
                stack.enter_context(torch.inference_mode())
                yield
        finally:
            torch.set_num_threads(before)


def _clocked_on_cpu(run: Call, x: Input) -> float:
    start = time.perf_counter_ns()
    called(run, x)
    return (time.perf_counter_ns() - start) / 1e6


def _allocated(call: Call, x: Input) -> int:
    """Bytes that a pass adds to those which the process holds on the GPU, at its peak."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    called(call, x)
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def _own_code(network: nn.Module) -> Call:
    """A function with a code object of its own. What torch.compile knows belongs to the code, which all networks of a
    class share: after some of them it would run the next ones eagerly, and look through all it knows at each call.
    """

    def run(*args: Tensor, **kwargs: Tensor) -> Tensor:
        return network(*args, **kwargs)  # type: ignore[no-any-return]

    run.__code__ = run.__code__.replace()
    return run


def _moved(x: Tensor, at: torch.device, dtype: torch.dtype) -> Tensor:
    """The tensor on the device, in the precision of the target where it holds no whole numbers."""
    return x.to(at, dtype) if x.is_floating_point() else x.to(at)


def available(device: str, what: str) -> torch.device:
    """Find a device.

    Args:
        device: "cpu", "cuda" or "cuda:i".
        what: the key that asks for it, for the message.

    Raises:
        UserError: this machine has no such device; the message says what there is, and why there is no GPU.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    kind, _, position = device.partition(":")
    if kind == "cpu":
        return torch.device("cpu")
    if kind == "cuda" and int(position or 0) < gpus:
        return torch.device("cuda", int(position or 0))
    there = f"cpu, cuda:0 to cuda:{gpus - 1} (torch {torch.__version__})" if gpus else f"only cpu: {no_cuda.why()}"
    raise UserError(f"{what}: there is no {device} on {platform.node()}, {there}")


def device_name(device: torch.device) -> str:
    """The model of a GPU or CPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else devices.cpu()


def lock_name(device: torch.device) -> str:
    """The name under which a measurement asks for quiet on it."""
    return f"GPU-{torch.cuda.get_device_properties(device).uuid}" if device.type == "cuda" else "cpu"


def _need_compiler(name: str, device: torch.device) -> None:
    if device.type == "cuda":
        found, what = importlib.util.find_spec("triton") is not None, "triton: pip install triton"
    else:
        compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
        found, what = (
            shutil.which(compiler) is not None,
            f"a C++ compiler, and there is no {compiler} (CXX)",
        )
    if not found:
        raise UserError(f"targets.{name}.backend: torch.compile on {device.type} needs {what}")
