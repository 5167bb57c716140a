"""Small sections of a config, each a strict model with its defaults; the larger ones have files of their own."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from evonas.config.section import PartConfig, Section

EARLIER_STRATEGIES = {"aging": "regularised_evolution"}
"""Names that strategies had once -> theirs; configs and runs with one mean that."""


class StrategyConfig(PartConfig):
    kind: str = "nsga2"

    @field_validator("kind")
    @classmethod
    def _by_its_name(cls, kind: str) -> str:
        return EARLIER_STRATEGIES.get(kind, kind)


class ObjectiveConfig(Section):
    """One objective: the task's metric or a cost. Its direction belongs to the metric."""

    metric: str = Field(description="the task's metric or a cost; which way is better belongs to the metric")
    target: str | None = Field(default=None, description="the target a latency is measured on")
    table: str | None = Field(
        default=None, alias="from", description="a Parquet file of `evonas table` to add latencies up from, unmeasured"
    )


class LimitConfig(Section):
    """A hard constraint. A candidate over a limit on its costs is never trained."""

    metric: str = Field(description="the task's metric or a cost")
    target: str | None = Field(default=None, description="the target a latency is measured on")
    table: str | None = Field(default=None, alias="from", description="as of an objective")
    at_most: float | None = Field(default=None, description="upper bound; a limit takes this or at_least")
    at_least: float | None = Field(default=None, description="lower bound; a limit takes this or at_most")

    @model_validator(mode="after")
    def _one_bound(self) -> "LimitConfig":
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError("a limit takes exactly one of at_most, at_least")
        return self


class ScheduleConfig(Section):
    """When a candidate may be bred, and in what blocks the search is recorded."""

    mode: Literal["window", "async", "generation"] = Field(
        default="window",
        description="window: it sees what was reached `lookahead` candidates ago, whatever the timing; async: whatever "
        "is known by then; generation: all of the generation before",
    )
    generation: int | None = Field(
        default=None,
        ge=2,
        description="candidates in a block of the record; default: the strategy's population, or 24 where it has none",
    )
    lookahead: int | None = Field(default=None, ge=1, description="default: half a generation")
    grows: bool | None = Field(
        default=None,
        description="in window mode, candidate j looks back at no more than j // 4 candidates, or 4, until that is "
        "`lookahead`: it learns early, and few workers are busy at first. Default: up to a lookahead of 24",
    )
