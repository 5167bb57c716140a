"""The section `budget`: when a search ends."""

import math
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from evonas.config.section import Section
from evonas.text import UNITS, in_time, in_usd, seconds_of


class BudgetConfig(Section):
    """Nothing more is bred once the first of these is used up. What trains by then is finished, but for the time and
    the money: when one of them is used up, it is stopped, and taken up again when the budget grows."""

    evaluations: int | None = Field(default=None, ge=1, description="candidates evaluated")
    trained: int | None = Field(
        default=None,
        ge=1,
        description="candidates whose training has begun: no more, on any number of workers; with rung 0 fewer than "
        "are evaluated",
    )
    hours: float | None = Field(default=None, gt=0, description="running time of the search, over all its starts")
    time: str | None = Field(
        default=None, description="the same as people write it: 10 min, 1:30 h, 2 days; it becomes `hours`"
    )
    at_end: Literal["stop", "finish"] = Field(
        default="stop",
        description="when the time or the money is used up. stop: what trains is stopped and is unfinished until the "
        "budget grows; finish: it is trained to its end",
    )
    gpu_hours: float | None = Field(
        default=None, gt=0, description="time for which GPUs are held, over all workers, idle and starting ones too"
    )
    usd: float | None = Field(
        default=None,
        gt=0,
        description="US dollars that all nodes cost while the search holds them, the head and idle ones too; at "
        "runtime.prices and list prices. When they are used up, at_end says what becomes of what trains",
    )
    same_failure: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="the search stops where more than this share of the last candidates (a generation, 10 at least) "
        "failed with one message; 1: never",
    )

    @model_validator(mode="before")
    @classmethod
    def _time(cls, data: Any) -> Any:
        """A time becomes hours, so that configs that mean the same are alike."""
        if not isinstance(data, Mapping):
            return data
        if wrong := next((key for key in data if str(key).rstrip("s") in UNITS and key != "hours"), None):
            raise ValueError(f"unknown {wrong!r}; a time is given as time: 10 min, 1:30 h or 2 days")
        if data.get("time") is None:
            return data
        if data.get("hours") is not None:
            raise ValueError("give time or hours, not both")
        return {**data, "time": None, "hours": seconds_of(str(data["time"])) / 3600}

    @model_validator(mode="after")
    def _some_end(self) -> "BudgetConfig":
        if all(one is None for one in (self.evaluations, self.trained, self.hours, self.gpu_hours, self.usd)):
            raise ValueError("a budget needs evaluations, trained, hours, gpu_hours or usd; a time: time: 10 min")
        return self

    @property
    def seconds(self) -> float:
        """Running time until what trains is stopped; infinite where that is finished."""
        return self.hours * 3600 if self.hours and self.at_end == "stop" else math.inf

    @property
    def hard_usd(self) -> float:
        """Money until what trains is stopped, US dollars; infinite where that is finished."""
        return self.usd if self.usd and self.at_end == "stop" else math.inf

    def spent(self, evaluations: int, seconds: float, gpu_seconds: float, usd: float = 0.0, trained: int = 0) -> str:
        """Which part of the budget is used up, in words; empty while none is."""
        if self.evaluations and evaluations >= self.evaluations:
            return f"the budget of {self.evaluations:,} evaluations is used up"
        if self.trained and trained >= self.trained:
            return f"the budget of {self.trained:,} trained networks is used up"
        if self.hours and seconds >= self.hours * 3600:
            return f"the budget of {in_time(3600 * self.hours)} is used up"
        if self.gpu_hours and gpu_seconds >= self.gpu_hours * 3600:
            return f"the budget of {self.gpu_hours:g} GPU hours is used up"
        if self.usd and usd >= self.usd:
            return f"the budget of {in_usd(self.usd)} is used up"
        return ""
