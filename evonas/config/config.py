"""A whole config: its sections, their defaults, and the fingerprint of the search that it describes."""

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from evonas.config.budget import BudgetConfig
from evonas.config.runtime import RuntimeConfig
from evonas.config.section import PartConfig, Section
from evonas.config.sections import LimitConfig, ObjectiveConfig, ScheduleConfig, StrategyConfig
from evonas.config.targets import TargetConfig
from evonas.config.training import TrainingConfig

GENERATION = 24
"""Candidates in a generation where neither `schedule.generation` nor the strategy's `population` says how many."""
GROWS_UP_TO = 24
"""The longest lookahead with which a window grows by default, that of six workers: more would wait at the start."""
_GENERATION = TypeAdapter(Annotated[int, Field(ge=2)])

LATER_TRAINING_KEYS = ("batchnorm_bias_rate", "average", "graph", "before", "stopping", "checkpoints_mb", "supernet")
"""Keys of `training` whose defaults are what configs meant before they existed."""
PLACES = {kind: frozenset({"cache"}) for kind in ("image_folder", "huggingface", "segmentation")}
"""Kind of a task -> options that say where something is kept, and not what the data are."""
MUTABLE_SECTIONS = ("budget", "runtime", "tracking")
"""The sections that may change from one start of a search to the next."""

Founders = Annotated[
    Annotated[str, Tag("[source]")] | Annotated[tuple[dict[str, Any], ...], Tag("[list]")],
    Discriminator(lambda value: "[source]" if isinstance(value, str) else "[list]"),
]
"""A list, or where one is; the messages about a config leave out what stands in brackets."""


class Config(Section):
    """A whole run. All but `budget`, `runtime` and `tracking` shapes the search and is in the fingerprint."""

    seed: int = Field(default=0, ge=0, strict=True, description="the only source of randomness")
    space: PartConfig = Field(description="which networks there are")
    task: PartConfig = Field(description="what they learn")
    objectives: tuple[ObjectiveConfig, ...] = Field(min_length=1, description="what is traded off")
    limits: tuple[LimitConfig, ...] = Field(default=(), description="hard constraints")
    record: tuple[str, ...] = Field(
        default=(), description="metrics in the rows that are no objective, e.g. memory_mb[cpu]"
    )
    targets: dict[str, TargetConfig] = Field(default={}, description="devices to measure on, by names of your own")
    strategy: StrategyConfig = Field(default=StrategyConfig(), description="how candidates are bred")
    founders: Founders = Field(
        default=(),
        description="networks that are evaluated first: a list, each as in the column `arch`; or a JSON, YAML or "
        "Parquet file of them, or a run, whose front they are: of these as many as a third of the population",
    )
    schedule: ScheduleConfig = Field(
        default=ScheduleConfig(), validate_default=True, description="when a candidate may be bred"
    )
    training: TrainingConfig = Field(default=TrainingConfig(), description="how they are trained")
    learner: PartConfig = Field(default=PartConfig(kind="scratch"), description="how a network gets its weights")
    budget: BudgetConfig = Field(description="when the search ends")
    runtime: RuntimeConfig = Field(default=RuntimeConfig(), description="where it runs")
    tracking: tuple[Literal["tensorboard", "mlflow", "wandb"], ...] = Field(
        default=(), description="trackers that are told what the search is at"
    )

    @field_validator("schedule")
    @classmethod
    def _generation(cls, schedule: ScheduleConfig, info: ValidationInfo) -> ScheduleConfig:
        """Resolve the defaults, so that configs that describe the same search are alike."""
        if "strategy" not in info.data:
            return schedule
        generation = schedule.generation or cls._population(info.data["strategy"])
        grows = schedule.grows
        if grows is None:
            grows = schedule.mode == "window" and (schedule.lookahead or generation // 2) <= GROWS_UP_TO
        values = {**dict(schedule), "generation": generation, "grows": grows}
        return ScheduleConfig.model_construct(schedule.model_fields_set, **values)

    @staticmethod
    def _population(strategy: StrategyConfig) -> int:
        try:
            return _GENERATION.validate_python(strategy.options.get("population", GENERATION))
        except ValidationError:  # the strategy's own check says what is wrong with it
            return GENERATION

    @field_validator("tracking")
    @classmethod
    def _each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError("each tracker once")
        return names

    @model_validator(mode="after")
    def _gpu_hours_need_gpus(self) -> "Config":
        if self.budget.gpu_hours and not self.runtime.gpus_per_worker:
            raise ValueError("budget.gpu_hours is never used up where runtime.gpus_per_worker is 0; give hours")
        return self

    @property
    def generation(self) -> int:
        """Candidates in a block of the record, and in the window of the circuit breaker."""
        assert self.schedule.generation is not None, "resolved by _generation"
        return self.schedule.generation

    @property
    def population(self) -> int:
        """How many survivors the strategy keeps; of one that keeps none, as many as there are by default."""
        return self._population(self.strategy)

    @property
    def lookahead(self) -> int:
        """The base of the window, in candidates."""
        return self.schedule.lookahead or max(1, self.generation // 2)

    def trajectory(self) -> dict[str, Any]:
        """What shapes the search, as plain data: not budget, runtime and tracking, nor where a target is reached
        and where pictures are kept.

        `includes: network`, `screen: 1`, no founders, a window that does not grow, logarithms of costs at rung 0 and
        later keys of `training` at their defaults are left out: it is what configs meant before the keys existed, so
        that fingerprints stay.
        """
        endpoints: dict[str, Any] = {"targets": {name: target.left_out for name, target in self.targets.items()}}
        unused = (*MUTABLE_SECTIONS, *(() if self.founders else ("founders",)))
        own, default = self.training, TrainingConfig.model_fields
        fixed: dict[str, Any] = {} if self.schedule.grows else {"schedule": {"grows"}}
        early = {key: True for key in LATER_TRAINING_KEYS if getattr(own, key) == default[key].default}
        later = {"training": {**early, **own.unused}}
        places = {"task": PLACES[self.task.kind]} if self.task.kind in PLACES else {}
        left_out: dict[str, Any] = {**dict.fromkeys(unused, True), **endpoints, **fixed, **later, **places}
        return self.model_dump(mode="json", exclude=left_out)

    @property
    def fingerprint(self) -> str:
        """Equal for two configs exactly when they describe the same search (hex SHA-256)."""
        return hashlib.sha256(json.dumps(self.trajectory(), sort_keys=True).encode()).hexdigest()
