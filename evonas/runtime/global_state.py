"""What all candidates of a process share, and none may change for those after it.

Settings of Python and torch, and the functions, classes and methods of the libraries that networks are made of and
trained with. A module of the user's own is not looked at: what it keeps is its own matter.
"""

import _signal  # type: ignore[import-not-found]  # the part of `signal` in C
import gc
import inspect
import locale
import operator
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, compress
from types import ModuleType
from typing import Any

from evonas.measuring import float32
from evonas.records import Deferred, Evaluation

WATCHED = ("builtins", "evonas", "math", "numpy", "os", "random", "time", "torch")
"""Modules in which nothing may be replaced, with those below them of `PACKAGES`."""
PACKAGES = ("evonas.", "torch.autograd", "torch.nn.", "torch.optim.", "torch.utils.data", "numpy.random")
HOOKS = "torch.nn.modules.module"
"""The module that has the hooks of all modules."""
OF_LIBRARIES = ("CUDA_", "KMP_", "PYTORCH_", "TORCH", "TRITON_", "_TORCH")
"""Beginnings of variables that torch sets itself, with the first network that needs them."""
WRAPPERS = ("_dynamo", "_compile.py", os.path.join("optim", "optimizer.py"))
"""Where torch has the functions that it puts around its own."""
RECURSION = 1000
"""A limit below Python's own is looked at; compilers raise it."""
IMMUTABLE = 1 << 8
"""The flag of a class whose members cannot be replaced (`Py_TPFLAGS_IMMUTABLETYPE`): nearly half of all members."""
OF_DTYPE = "torch.Storage"
"""Is another class with another default dtype."""
NAMED = 3
"""Changes that a message names."""
Setting = tuple[Callable[[], Any], Callable[[Any], object]]
"""How a setting is read, and how it is set to what was read."""
Seen = tuple[str, Any, dict[str, Any]]
"""The name of an owner, the owner, and what its members were when it was looked at."""
Replaced = tuple[str, Any, str, Any]
"""The name of an owner, the owner, the name of a member, and what that was."""
Result = Evaluation | Deferred
_ABSENT = object()
_LAST: dict[str, list[Seen]] = {}
"""Of each module that is watched and its classes, what was seen the last time."""
_values = operator.methodcaller("values")
_handler: Callable[[int], Any] = _signal.getsignal
"""That of `signal` makes an enumeration of what this one gives: of 64 handlers, a tenth of a millisecond."""


class GlobalState:
    """The state of this process as it is now, to be compared with what it is later. Looks at loaded modules alone.

    Args:
        own_process: Whether nothing but candidates runs in this process. If not, what other threads may change as well
            is not looked at: environment, signal handlers, timers.
    """

    def __init__(self, own_process: bool = True) -> None:
        self._settings = {**_settings(), **(_of_the_process() if own_process else {})}
        self._values = {name: read() for name, (read, _) in self._settings.items()}
        self._members = _all_seen()
        self._now = [vars(owner) for _, owner, _ in self._members]  # these change with their owners
        self._before = _at_once(self._now)

    def changes(self) -> list[str]:
        """Returns what is no longer as it was, in words; empty where all is."""
        return self._in_words(self._changed_settings(), list(self._replaced()))

    def restore(self) -> list[str]:
        """Puts back what is no longer as it was; returns what that was, in words."""
        settings, replaced = self._changed_settings(), list(self._replaced())
        for name in settings:
            self._settings[name][1](self._values[name])
        # Another default dtype has replaced a class, and puts it back itself.
        still = list(self._replaced()) if settings else replaced
        for _, owner, key, before in still:
            if before is _ABSENT:
                delattr(owner, key)
            else:
                setattr(owner, key, before)
        return self._in_words(settings, replaced)

    def _changed_settings(self) -> list[str]:
        return [name for name, (read, _) in self._settings.items() if read() != self._values[name]]

    def _in_words(self, settings: Sequence[str], replaced: Sequence[Replaced]) -> list[str]:
        members = [f"{name}.{key}" for name, _, key, _ in replaced]
        return [*settings, *(member for member in members if member != OF_DTYPE)]

    def _is_as_it_was(self) -> bool:
        try:
            return _at_once(self._now) == self._before
        except Exception:  # another object of a kind that does not say whether it is equal
            return False

    def _replaced(self) -> Iterator[Replaced]:
        """Of each member that is another one now: its owner's name, its owner, its own name and what it was."""
        for name, owner, before in () if self._is_as_it_was() else _different(self._members, self._now):
            now = vars(owner)
            changed = [key for key, old in before.items() if now.get(key, _ABSENT) is not old]
            if isinstance(owner, type) and len(now) > len(before):
                changed += now.keys() - before.keys()
            for key in changed:
                old, new = before.get(key, _ABSENT), now.get(key, _ABSENT)
                if (_is_code(old) or _is_code(new)) and not _is_of_torch(owner, key, old, new):
                    yield name, owner, key, old


def _at_once(now: Sequence[Mapping[str, Any]]) -> tuple[list[Any], list[str]]:
    """All members in their order, and the newest name of each owner: whatever is replaced, added or deleted, one of
    them is another. They are compared in half the time of as many dictionaries."""
    newest: Iterator[str] = map(next, map(reversed, now))  # type: ignore[arg-type]
    return [*chain.from_iterable(map(_values, now))], [*newest]


def _different(members: Sequence[Seen], now: Sequence[Mapping[str, Any]]) -> list[Seen]:
    """Those of the members whose owner has other ones now; found out in C where nothing raises."""
    try:
        return [*compress(members, map(operator.ne, now, [before for *_, before in members]))]
    except Exception:
        return [one for one in members if _differs(vars(one[1]), one[2])]


def _differs(now: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Whether a member is not as it was, found out in C: one object after the other, by identity first."""
    try:
        return bool(now != before)
    except Exception:  # another object of a kind that does not say whether it is equal
        return True


def with_note(item: Result, changes: Sequence[str]) -> Result:
    """Returns the last item of a job, whose message says what the candidate has changed; all of it was undone."""
    if not changes or isinstance(item, Deferred):
        return item
    more = [f"{len(changes) - NAMED} more"] if len(changes) > NAMED else []
    changed = f"it changed {', '.join([*changes[:NAMED], *more])} for all of its process, which was undone"
    return replace(item, message="; ".join(filter(None, [item.message, changed])))


def _of_the_process() -> dict[str, Setting]:
    numbers = [int(number) for number in signal.valid_signals()]
    return {
        "the environment": (_environment, _set_environment),
        "a signal handler": (lambda: [*map(_handler, numbers)], lambda before: _set_handlers(numbers, before)),
        "a timer": (
            lambda: signal.getitimer(signal.ITIMER_REAL) != (0.0, 0.0),
            lambda _: signal.setitimer(signal.ITIMER_REAL, 0.0),
        ),
    }


def _settings() -> dict[str, Setting]:
    found: dict[str, Setting] = {
        "the working folder": (_folder, lambda folder: os.chdir(folder) if folder else None),
        "the locale": (lambda: locale.setlocale(locale.LC_ALL), lambda name: locale.setlocale(locale.LC_ALL, name)),
        "the recursion limit": (lambda: min(sys.getrecursionlimit(), RECURSION), sys.setrecursionlimit),
        "garbage collection": (gc.isenabled, lambda on: gc.enable() if on else gc.disable()),
    }
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return found
    found |= {
        "torch's default dtype": (torch.get_default_dtype, torch.set_default_dtype),
        "torch's default device": (torch.get_default_device, lambda device: _set_device(torch, device)),
        "torch's grad mode": (torch.is_grad_enabled, torch.set_grad_enabled),
        "torch's number of threads": (torch.get_num_threads, torch.set_num_threads),
        "torch's deterministic mode": (
            torch.get_deterministic_debug_mode,
            torch.set_deterministic_debug_mode,
        ),
        "torch's anomaly mode": (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
        "torch's precision of float32": (lambda: float32.state(torch), lambda before: float32.put_back(torch, before)),
        "torch.backends.mkldnn": (
            lambda: torch.backends.mkldnn.enabled,
            lambda on: torch.backends.mkldnn.set_flags(on),
        ),
        "hooks of all modules": (lambda: _hooks(sys.modules[HOOKS]), lambda hooks: _set_hooks(hooks)),
    }
    for name in ("enabled", "benchmark", "deterministic"):
        found[f"torch.backends.cudnn.{name}"] = _attribute(torch.backends.cudnn, name)
    return found


def _attribute(owner: Any, name: str) -> Setting:
    return lambda: getattr(owner, name), lambda value: setattr(owner, name, value)


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return ""


def _environment() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if not name.startswith(OF_LIBRARIES)}


def _set_environment(before: Mapping[str, str]) -> None:
    for name in _environment().keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


def _set_handlers(numbers: Sequence[int], before: Sequence[Any]) -> None:
    for number, handler in zip(numbers, before, strict=True):
        if handler is not None and signal.getsignal(number) != handler:  # None: not set from Python
            signal.signal(number, handler)


def _set_device(torch: Any, device: Any) -> None:
    torch.set_default_device(None if device.type == "cpu" else device)


def _hooks(module: ModuleType) -> dict[str, dict[Any, Any]]:
    return {
        name: dict(value)
        for name, value in vars(module).items()
        if name.startswith("_global_") and hasattr(value, "items")
    }


def _set_hooks(before: Mapping[str, Mapping[Any, Any]]) -> None:
    for name, hooks in before.items():
        now = getattr(sys.modules[HOOKS], name)
        now.clear()
        now.update(hooks)


def _all_seen() -> list[Seen]:
    """All owners with their members. What is as it was the last time is taken from then, which is ten times quicker: a
    process may begin many searches."""
    modules = dict(_modules())
    known = {name: seen for name, seen in _LAST.items() if seen[0][1] is modules.get(name)}
    members = [*chain.from_iterable(known.values())]
    changed = {id(owner) for _, owner, _ in _different(members, [vars(owner) for _, owner, _ in members])}
    for name, module in modules.items():
        if name not in known or id(module) in changed:
            _LAST[name] = [_seen(*owner) for owner in _owners_of(name, module)]
        elif changed:
            _LAST[name] = [_seen(*one[:2]) if id(one[1]) in changed else one for one in known[name]]
    return [*chain.from_iterable(_LAST[name] for name in modules)]


def _seen(name: str, owner: Any) -> Seen:
    return name, owner, dict(vars(owner))


def _owners() -> Iterator[tuple[str, Any]]:
    """The modules that are watched, and their classes that Python lets one change, by name."""
    for name, module in _modules():
        yield from _owners_of(name, module)


def _modules() -> Iterator[tuple[str, ModuleType]]:
    """Those that are watched, by name."""
    for name, module in list(sys.modules.items()):
        if (name in WATCHED or name.startswith(PACKAGES)) and isinstance(module, ModuleType):
            yield name, module


def _owners_of(name: str, module: ModuleType) -> Iterator[tuple[str, Any]]:
    yield name, module
    for key, value in list(vars(module).items()):
        if isinstance(value, type) and value.__module__ == name and not value.__flags__ & IMMUTABLE:
            yield f"{name}.{key}", value


def _is_code(value: Any) -> bool:
    """Whether it is a function, a class or a descriptor; plain values may be counters and caches."""
    return callable(value) or hasattr(value, "__get__")


def _is_of_torch(owner: Any, key: str, old: Any, new: Any) -> bool:
    """Whether torch itself has wrapped what it was, as it does when it makes the first optimiser or compiles."""
    file = getattr(getattr(new, "__code__", None), "co_filename", "")
    if not file.startswith(tuple(f"{folder}{os.sep}{part}" for folder in _torch_folders() for part in WRAPPERS)):
        return False
    if old is _ABSENT and isinstance(owner, type):
        old = next((vars(base)[key] for base in owner.__mro__[1:] if key in vars(base)), _ABSENT)
    return inspect.unwrap(getattr(new, "__wrapped__", old)) is inspect.unwrap(old)


def _torch_folders() -> list[str]:
    return list(getattr(sys.modules.get("torch"), "__path__", ()))
