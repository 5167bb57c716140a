"""The section `runtime`: where candidates are evaluated, by how many workers, and what a node costs."""

import math
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from evonas.config.section import Section
from evonas.prices import read_prices

LEAST_SHARE = 0.0001
"""Ray counts in ten-thousandths of a CPU, of a GPU and of whatever else it shares out."""


def _joined(name: object, parts: object) -> str:
    """The name that dots have parted into sections, the first of each."""
    while isinstance(parts, dict) and parts:
        inner, parts = next(iter(parts.items()))
        name = f"{name}.{inner}"
    return str(name)


class RuntimeConfig(Section):
    """Where and on how many workers candidates are evaluated; may change from start to start."""

    kind: Literal["ray", "serial"] = Field(
        default="ray", description="serial: one after the other in this process, for a debugger"
    )
    workers: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        default="auto",
        description="candidates evaluated at the same time; auto: as many as the CPUs or GPUs allow, and the memory "
        "where workers share a CPU",
    )
    cpus_per_worker: float = Field(
        default=1, ge=0, description="CPUs that a worker asks the cluster for; 0, or 0.0001 and more"
    )
    max_workers: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="with workers: auto, no more than these; on a cluster so many are asked of its autoscaler",
    )
    gpus_per_worker: Annotated[float, Field(ge=0)] | Literal["auto"] = Field(
        default=0.0,
        description="0.25: four on a GPU, 0.3: three, as it is rounded up to 1/n; 0.0001 is the least; auto: one, and "
        "more while the GPU gets more done and has memory",
    )
    memory_mb_per_worker: Annotated[int, Field(gt=0)] | Literal["auto"] = Field(
        default="auto",
        description="host memory that a candidate may take, pinned for a GPU or not; auto: its worker's share",
    )
    deadline_minutes: float = Field(default=60, gt=0, description="longest that one candidate may take")
    lease_s: float = Field(
        default=30, gt=0, description="longest silence of a worker before its candidate is tried elsewhere"
    )
    unavailable_minutes: float = Field(
        default=60, gt=0, description="longest that candidates wait for a target that cannot be reached; then it stops"
    )
    measurements: str | None = Field(
        default=None,
        description="folder of measurements that runs share: what is in it is not measured again; containers of one "
        "machine find in it how fast that is, which else takes each of them 4 to 15 s",
    )
    cache: str | None = Field(
        default=None,
        description="folder of trainings that runs share: a network that was trained before, by the same recipe on the "
        "same data with the same seed, costs no training; on a cluster a folder that all machines reach",
    )
    pass_env: tuple[str, ...] = Field(
        default=(),
        description="environment variables that candidates get besides those of Python and numerical libraries",
    )
    address: str = Field(default="local", description="local: a Ray of this run's own; else a cluster's address")
    prices: dict[str, Annotated[float, Field(ge=0)]] | str = Field(
        default={},
        description="US dollars an hour of a node, by its type, its group in the cluster or its host; `*`: of each "
        "node that has no price otherwise; or a YAML file of them, which is read when the search starts",
    )

    @field_validator("prices", mode="before")
    @classmethod
    def _read(cls, prices: object) -> object:
        """A file becomes what is in it, so that the record is complete and a cluster needs no file."""
        for name, usd in prices.items() if isinstance(prices, Mapping) else ():
            if isinstance(usd, dict):
                dotted = _joined(name, usd)
                raise ValueError(f"a name with dots is quoted: --set 'runtime.prices={{\"{dotted}\": USD}}'")
        return read_prices(prices) if isinstance(prices, str) else prices

    @property
    def own_prices(self) -> Mapping[str, float]:
        """`prices` as a mapping, which it is once it is validated."""
        return {} if isinstance(self.prices, str) else self.prices

    @property
    def own_memory_mb(self) -> int:
        """`memory_mb_per_worker` as a number: 0 for a share of the machine's."""
        return 0 if self.memory_mb_per_worker == "auto" else self.memory_mb_per_worker

    @property
    def gpus_at_first(self) -> float:
        """GPUs of a worker when a search begins. A share is 1/n of a GPU, rounded down as Ray counts, in
        ten-thousandths: what is left of a GPU beside shares that do not divide it is nobody's."""
        asked = 1.0 if self.gpus_per_worker == "auto" else self.gpus_per_worker
        return int(10_000 / int(1 / asked + 1e-9)) / 10_000 if 0 < asked < 1 else asked

    @field_validator("cpus_per_worker")
    @classmethod
    def _countable(cls, cpus: float) -> float:
        if 0 < cpus < LEAST_SHARE:
            raise ValueError(f"takes 0, or {LEAST_SHARE:g} and more, which is the least that Ray counts, not {cpus:g}")
        return cpus

    @model_validator(mode="after")
    def _max_of_auto(self) -> "RuntimeConfig":
        if self.max_workers and self.workers != "auto":
            raise ValueError(f"max_workers is for workers: auto; workers is {self.workers}")
        return self

    @field_validator("gpus_per_worker", mode="before")
    @classmethod
    def _share(cls, number: object) -> object:
        if number == "auto":
            return number
        why = ""
        if isinstance(number, int | float) and not isinstance(number, bool):
            if number == 0 or LEAST_SHARE <= number <= 1:
                return number
            if 1 < number < math.inf:
                why = "; a candidate trains on one GPU: for more GPUs take more workers"
        shares = f"{LEAST_SHARE:g}, the least that Ray counts, to 1"
        raise ValueError(f"takes auto, 0, or a share of a GPU from {shares}, not {number!r}{why}")

    @field_validator("workers", "memory_mb_per_worker", mode="before")
    @classmethod
    def _some(cls, number: object) -> object:
        if number == "auto" or (isinstance(number, int) and number >= 1):
            return number
        raise ValueError(f"takes auto or a whole number of 1 or more, not {number!r}")
