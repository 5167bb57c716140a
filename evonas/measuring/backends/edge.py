"""What ExecuTorch and LiteRT have in common as backends: on a processor, by a file that is made of a network."""

import platform
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, ClassVar

from evonas.config import TargetConfig
from evonas.errors import UserError
from evonas.installing import how_to_install
from evonas.measuring.backends import devices
from evonas.measuring.backends.backend import Loaded
from evonas.records import Inputs

if TYPE_CHECKING:
    from torch import nn


class EdgeRuntime(ABC):
    """A runtime of phones, as a backend.

    Args:
        name: of the target, for messages.
        config: the target's.

    Raises:
        UserError: it is not installed.
    """

    kind: ClassVar[str]
    """As configs name it, and the extra."""
    package: ClassVar[str]
    """Whose version stands in the conditions."""

    def __init__(self, name: str, config: TargetConfig) -> None:
        self._config = config
        try:
            self._find()
        except ImportError:
            what = f"targets.{name}.backend: {self.kind} is not installed on {platform.node()}"
            raise UserError(f"{what}; {how_to_install(self.kind)}") from None
        except ValueError as error:
            raise UserError(f"targets.{name}.threads: {error}") from None

    @property
    def device(self) -> str:
        return "cpu"

    @property
    def conditions(self) -> Mapping[str, str]:
        return devices.described(self._config, devices.cpu()) | {self.kind: version(self.package)}

    @property
    def state(self) -> Mapping[str, str]:
        return devices.cpu_state()

    def load(self, network: "nn.Module | bytes", inputs: Inputs) -> Loaded:
        if isinstance(network, bytes):
            return self._read(network, inputs)
        from evonas.measuring.backends import export  # a board that gets files needs no torch

        return export.checked(network, inputs, self._config, lambda file: self._read(file, inputs))

    @abstractmethod
    def _find(self) -> None:
        """
        Raises:
            ImportError: the library is not there.
            ValueError: it cannot have the target's threads.
        """

    @abstractmethod
    def _read(self, file: bytes, inputs: Inputs) -> Loaded:
        """A file that is ready to run."""
