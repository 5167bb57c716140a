"""What was measured once is known, while this process lives and, in a folder, for good."""

import contextlib
import dataclasses
import hashlib
import json
from collections import OrderedDict
from pathlib import Path
from types import CodeType, FunctionType
from typing import TYPE_CHECKING

from evonas import atomic_files
from evonas.errors import UserError
from evonas.measuring.benchmark import PROTOCOL
from evonas.measuring.plausibility import plausible
from evonas.paths import expanded
from evonas.records import Measurement

if TYPE_CHECKING:
    from torch import nn

HELD = 256
"""Measurements kept in memory."""


class MeasurementCache:
    """The cache keeps measurements by the name that `cache_key` gives.

    Args:
        folder: where they are kept as JSON, one file each, for other processes and runs; None: in memory only.

    Raises:
        UserError: the folder cannot be written.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self._held: OrderedDict[str, Measurement] = OrderedDict()
        self._folder = expanded(folder, "runtime.measurements") if folder else None
        if self._folder:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UserError(f"runtime.measurements: {folder}: {error.strerror}") from None

    @property
    def folder(self) -> Path | None:
        """Where measurements are kept for good; None where they are not."""
        return self._folder

    def get(self, key: str) -> Measurement | None:
        """Look a measurement up; its conditions say that it was measured before.

        Args:
            key: as `cache_key` gives it.

        Returns:
            The measurement; None where it is not known.
        """
        found = self._held.get(key) or self._read(key)
        if found is None:
            return None
        return dataclasses.replace(found, conditions={**found.conditions, "measured": "before"})

    def put(self, key: str, found: Measurement, for_good: bool = True) -> None:
        """Keep a measurement.

        Args:
            key: as `cache_key` gives it.
            found: the measurement.
            for_good: also in the folder, if it settled on a quiet device.
        """
        self._held[key] = found
        if len(self._held) > HELD:
            self._held.popitem(last=False)
        if self._folder and for_good and found.settled and found.conditions.get("quiet") == "yes":
            with contextlib.suppress(OSError):  # a folder that is full or gone costs the memory, not the candidate
                atomic_files.replace(self._folder / f"{key}.json", json.dumps(dataclasses.asdict(found)).encode())

    def _read(self, key: str) -> Measurement | None:
        """A file that is not what it should be is as good as none."""
        if self._folder is None:
            return None
        try:
            return plausible(json.loads((self._folder / f"{key}.json").read_text()))
        except (OSError, ValueError, RecursionError):
            return None


def cache_key(description: object, network: "nn.Module") -> str:
    """Name a measurement: equal for the same description of the same network under one protocol.

    The network's modules, their methods and the shapes of its weights are part of it: changed code is measured anew,
    but for functions outside of the modules' classes.

    Args:
        description: plain data.
        network: what is measured.
    """
    shapes = [[name, list(tensor.shape)] for name, tensor in network.state_dict().items()]
    classes = sorted({type(module) for module in network.modules()}, key=lambda kind: kind.__qualname__)
    code = [[kind.__qualname__, *_methods(kind)] for kind in classes]
    text = json.dumps([PROTOCOL, description, repr(network), shapes, code], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _methods(kind: type) -> list[str]:
    """The instructions of a class's own methods."""
    return [
        f"{name} {function.__code__.co_code.hex()} {function.__code__.co_names} {_constants(function.__code__)}"
        for name, function in sorted(vars(kind).items())
        if isinstance(function, FunctionType)
    ]


def _constants(code: CodeType) -> list[str]:
    """Nested functions by their instructions: their own text has an address in it."""
    return [c.co_code.hex() if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
