"""A space whose networks do what a network must not, each the first time that it trains."""

import ctypes
import locale
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from evonas.evaluation import Evaluator
from evonas.ipc import pinned
from evonas.objectives.objectives import Objectives
from evonas.records import InputSpec, TaskSpec
from evonas.runtime import Factory
from evonas.spaces.genes import Arch, Choice
from evonas.spaces.space import Space
from tests.evaluation.small import bars_task, config

MB = 10**6


class Stubborn(BaseException):
    """Can be neither pickled nor shown."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __str__(self) -> str:
        raise ValueError("no words")


def loop() -> None:
    while True:
        pass


def block() -> None:
    """Holds the interpreter's lock in C; each signal ends one sleep."""
    libc = ctypes.PyDLL(None)
    while True:
        libc.sleep(100)


def eat() -> None:
    meal = []
    while True:
        meal.append(bytearray(os.urandom(1) * (50 * MB)))


def refuse(error: BaseException) -> None:
    raise error


def fork(folder: Path, cut_off: Callable[[], None] = lambda: None) -> None:
    """A child that outlives the candidate; `cut_off` is how it tries to get out of sight."""
    if not os.fork():
        cut_off()
        (folder / "child").write_text(str(os.getpid()))
        time.sleep(100)
        os._exit(0)
    while not (folder / "child").exists() or not (folder / "child").read_text():
        time.sleep(0.01)


def fork_and_forget() -> None:
    """A child that ends and is never asked about."""
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def fork_twice() -> None:
    os.setsid()
    between = os.getpid()
    if os.fork():
        os._exit(0)
    while os.getppid() == between:  # which would be found, too, while it lives
        time.sleep(0.001)


def set_environment() -> None:
    os.environ["OMP_NUM_THREADS"] = "7"


CHANGES: dict[str, Callable[[], object]] = {
    "torch's default dtype": lambda: torch.set_default_dtype(torch.float64),
    "torch's grad mode": lambda: torch._C._set_grad_enabled(False),
    "torch.nn.init.kaiming_uniform_": lambda: setattr(nn.init, "kaiming_uniform_", nn.init.zeros_),
    "torch.nn.modules.linear.Linear.forward": lambda: setattr(nn.Linear, "forward", lambda self, x: x[:, :2] * 0),
    "torch.nn.modules.container.Sequential.__call__": lambda: setattr(nn.Sequential, "__call__", lambda self, x: x),
    "hooks of all modules": lambda: nn.modules.module.register_module_forward_hook(lambda *_: None),
    "torch.backends.cudnn.benchmark": lambda: setattr(torch.backends.cudnn, "benchmark", True),
    "torch's precision of float32": lambda: setattr(torch.backends.cudnn.conv, "fp32_precision", "ieee"),
    "the working folder": lambda: os.chdir("/"),
    "the locale": lambda: locale.setlocale(locale.LC_ALL, "C.UTF-8"),
    "a signal handler": lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN),
    "the environment": set_environment,
    "a timer": lambda: signal.alarm(1000),
}
"""What a candidate can change for those after it, by the name that it has in messages."""
DEEDS: dict[str, Callable[[Path], Any]] = {
    "none": lambda folder: None,
    "loops": lambda folder: loop(),
    "blocks": lambda folder: block(),
    "eats": lambda folder: eat(),
    "pins": lambda folder: (pinned.tell(10**9), block()),
    "exits": lambda folder: sys.exit(3),
    "quits": lambda folder: os._exit(0),
    "is killed": lambda folder: os.kill(os.getpid(), signal.SIGKILL),
    "segfault": lambda folder: ctypes.string_at(0),
    "stubborn": lambda folder: refuse(Stubborn()),
    "cuda": lambda folder: refuse(torch.AcceleratorError("CUDA error: device-side assert triggered\nMore of it.")),
    "child": fork,
    "session": lambda folder: fork(folder, os.setsid),
    "daemon": lambda folder: fork(folder, fork_twice),
    "double": lambda folder: os.fork(),
    "thread": lambda folder: threading.Thread(target=time.sleep, args=(100,), daemon=True).start(),
    "zombie": lambda folder: fork_and_forget(),
    **{name: lambda folder, change=change: change() for name, change in CHANGES.items()},
}


class Deed(nn.Module):
    def __init__(self, deed: str, folder: Path, task: TaskSpec) -> None:
        super().__init__()
        self.deed, self.folder, self.done = deed, folder, False
        self.linear = nn.Linear(64, task.outputs)

    def forward(self, x: Tensor) -> Any:
        if not self.training:
            return self.linear(x.flatten(1))
        if self.deed == "nan":
            return self.linear(x.flatten(1)) * float("nan")
        if self.deed == "text":
            return "no tensor"
        most = {"half a gpu": 16, "no gpu": 0}.get(self.deed, len(x))
        if len(x) > most:
            raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {len(x)} GiB")
        if self.deed in DEEDS and not self.done:
            self.done = True
            DEEDS[self.deed](self.folder)
        return self.linear(x.flatten(1))

    def __deepcopy__(self, memo: Any) -> nn.Module:
        """Costs are measured on copies, which behave."""
        return Deed("none", self.folder, TaskSpec("", InputSpec((64,)), (self.linear.out_features,)))


class Misdeeds(Space):
    deed = Choice(*DEEDS, "build", "build segfault", "nan", "text", "half a gpu", "no gpu")

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def build(self, arch: Arch, task: TaskSpec) -> nn.Module:
        if arch.deed == "build":
            raise ValueError("no such network\x1b[31m")
        if arch.deed == "build segfault":
            ctypes.string_at(0)
        return Deed(arch.deed, self.folder, task)


def factory(folder: Path) -> Factory:
    task, settings = bars_task(), config({"epochs": 2, "rungs": [1]})
    return partial(Evaluator, Misdeeds(folder), task, settings, Objectives(settings, task.spec))
