"""The price of a node, by the names that it goes by. One that is not known is None, and never guessed."""

import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

import yaml

NODE_TYPE_LABEL = "evonas-node-type"
"""The label of a Ray node that says what machine it is, e.g. `g6.xlarge.spot`."""
NODE_TYPE_VARIABLE = "EVONAS_NODE_TYPE"
"""The variable of the environment that says it of the machine of the driver."""
REST = "*"
"""In prices of the user's own: each node that has no price otherwise."""


@dataclass(frozen=True, slots=True)
class Size:
    """Of a machine.

    Args:
        cpu: virtual ones.
        memory: in MB, of 10^6 bytes.
    """

    cpu: float
    memory: float


@dataclass(frozen=True, slots=True)
class ListPrices:
    """The table that evonas comes with.

    Args:
        read: The day on which it was put together, as YYYY-MM-DD.
        usd_per_hour: Type of machine -> US dollars an hour.
        disks_usd_per_month: Type of disk and what is paid for -> US dollars a month.
        gpus: Type of machine, without `.spot` -> how many GPUs it has.
        sizes: The same -> its virtual CPUs and memory.
    """

    read: str
    usd_per_hour: Mapping[str, float]
    disks_usd_per_month: Mapping[str, float]
    gpus: Mapping[str, int]
    sizes: Mapping[str, Size]

    def gpus_of(self, machine: str) -> int | None:
        """How many GPUs a type of machine has, spot or not; None where that is not known."""
        return self.gpus.get(machine.removesuffix(".spot"))

    def size_of(self, machine: str) -> Size | None:
        """The size of a type of machine, spot or not; None where that is not known."""
        return self.sizes.get(machine.removesuffix(".spot"))


@cache
def list_prices() -> ListPrices:
    """Returns the table that evonas comes with, `list_prices.yaml`."""
    table = yaml.safe_load(files(__package__).joinpath("list_prices.yaml").read_text())
    usd, disks, gpus = (MappingProxyType(table[name]) for name in ("usd_per_hour", "disks_usd_per_month", "gpus"))
    sizes = {name: Size(cpu, gib * 2**30 / 10**6) for name, (cpu, gib) in table["cpus_and_gib"].items()}
    return ListPrices(str(table["read"]), usd, disks, gpus, MappingProxyType(sizes))


def read_prices(path: str) -> dict[str, float]:
    """Reads prices of the user's own.

    Args:
        path: A YAML file: name -> US dollars an hour, alone or as `usd_per_hour` as in evonas's own table.

    Returns:
        Name -> US dollars an hour.

    Raises:
        ValueError: There is no such file, or it is none of prices; says what it should be.
    """
    try:
        found = yaml.safe_load(Path(path).read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML: {' '.join(str(error).split())}") from None
    table = found.get("usd_per_hour", found) if isinstance(found, dict) else None
    if not isinstance(table, dict) or not all(map(_is_price, table.values())):
        raise ValueError(f"{path} takes lines of NAME: USD, e.g. g6.xlarge.spot: 0.45")
    return {str(name): float(usd) for name, usd in table.items()}


def _is_price(usd: object) -> bool:
    return isinstance(usd, int | float) and not isinstance(usd, bool) and math.isfinite(usd) and usd >= 0


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of nodes: the user's own come first, then list prices, then the user's for all the rest.

    Args:
        own: Name -> US dollars an hour, as of `runtime.prices`; `*` for each node that has no price otherwise.
    """

    own: Mapping[str, float]

    def of(self, names: Sequence[str]) -> float | None:
        """Looks a node up.

        Args:
            names: What it goes by, the surest first: its type, its group in the cluster, its host.

        Returns:
            US dollars an hour; None where that is not known.
        """
        known = [prices[name] for prices in (self.own, list_prices().usd_per_hour) for name in names if name in prices]
        return known[0] if known else self.own.get(REST)


def names_of_this_machine() -> tuple[str, ...]:
    """What the machine of this process goes by: `EVONAS_NODE_TYPE`, if that is set, and its host name."""
    return tuple(filter(None, (os.environ.get(NODE_TYPE_VARIABLE, ""), platform.node())))
