"""The sections of a config, each a strict model with its defaults; that of a target is in `targets`."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from evonas.config.augment import AugmentConfig
from evonas.config.section import PartConfig, Section
from evonas.prices import read_prices
from evonas.text import UNITS, in_time, in_usd, seconds_of

EARLIER_STRATEGIES = {"aging": "regularised_evolution"}
"""Names that strategies had once -> theirs; configs and runs with one mean that."""
LEAST_SHARE = 0.0001
"""Ray counts in ten-thousandths of a CPU, of a GPU and of whatever else it shares out."""


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


SUPERNET = "supernet"
"""The kind of `training.before` which goes by inherited weights."""
YOUNG_KEYS = ("warm_up", "ema", "accumulate", "stochastic_depth")
"""Keys of `training` that came after runs were recorded, besides LATER_TRAINING_KEYS."""


class BeforeConfig(Section):
    """What decides at rung 0, before the first step of training, whether a network that was measured is trained."""

    kind: str = Field(
        default="surrogate",
        description="what stands in for what training would give: surrogate, a Gaussian process on genes; a function "
        "that is registered in STAND_INS; scores, the sum of the logarithms of the ranks of az_expressivity, "
        "az_progressivity, az_trainability and macs among the networks that are known (AZ-NAS); supernet, the metrics "
        "of the task with the weights of the file `supernet`; or a metric of the untrained network, of which more is "
        "taken to be better",
    )
    rule: Literal["gain", "cutoff"] | None = Field(
        default=None,
        description="gain: by the hypervolume that it would add to the front, against those of the last births; "
        "cutoff: as at the other rungs; default: gain, but cutoff for scores, supernet and a metric",
    )
    promote: float = Field(default=0.1, gt=0, le=1, description="share of the births that is trained")
    always: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="share that is trained whatever the stand-in says, drawn by index: by these it is judged",
    )
    costs: Literal["unit", "logarithm"] | None = Field(
        default=None,
        description="in what costs count for the hypervolume of rule: gain; by logarithms of several nearly all volume "
        "lies among the smallest networks. Default: of one cost its logarithm, of several their own units",
    )


class TrainingConfig(Section):
    """How each candidate is trained, and when it may be stopped."""

    epochs: int = Field(default=8, ge=1, description="of full training")
    batch_size: int = Field(default=64, ge=1, description="examples in one step; halved once where memory runs out")
    optimizer: Literal["sgd", "adamw", "muon"] = Field(
        default="sgd",
        description="sgd has Nesterov momentum; muon: of hidden matrices and kernels, all else by adamw, at adamw's "
        "learning rates (Jordan et al. 2024; Liu et al. 2025)",
    )
    learning_rate: float = Field(default=0.1, gt=0, description="the peak of the schedule")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="of sgd and muon; of adamw its first beta")
    weight_decay: float = Field(default=5e-4, ge=0, description="not on biases and norms")
    batchnorm_bias_rate: float = Field(
        default=1.0,
        gt=0,
        description="learning rate of BatchNorm's biases, in multiples of learning_rate (Jordan 2024)",
    )
    schedule: Literal["one_cycle", "cosine"] = Field(
        default="one_cycle", description="of the learning rate, over full training whatever the rungs"
    )
    warm_up: float | None = Field(
        default=None,
        ge=0,
        description="in which the learning rate rises: below 1 a share of full training, from 1 epochs; default: 0.3 "
        "of one_cycle, nothing of cosine",
    )
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="of a classification")
    grad_clip: float = Field(default=5.0, ge=0, description="largest gradient norm; 0 turns clipping off")
    average: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share of the steps, the last ones, whose weights are averaged; the mean is what is validated and "
        "kept (Izmailov et al. 2018)",
    )
    ema: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share of the averaged weights that is kept from step to step, e.g. 0.999; this mean is what is "
        "validated and kept. In the first steps less is kept. In the place of average",
    )
    accumulate: int = Field(
        default=1,
        ge=1,
        description="parts in which a batch is computed, one after another, its gradients added up: less memory for "
        "the same step, but that BatchNorm sees a part, and a loss with class_weights or unknown pixels is a mean over "
        "a part. At most batch_size; a batch that is smaller (few examples, or halved where memory ran out) has no "
        "more parts than examples",
    )
    stochastic_depth: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="how often the last residual branch is left out for an example, those before it less often in "
        "proportion (Huang et al. 2016)",
    )
    augment: AugmentConfig = Field(default=AugmentConfig(), description="of training batches")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto",
        description="auto: bfloat16 autocast on a GPU that has it, float32 elsewhere; float16: autocast with a scaled "
        "loss, for GPUs without bfloat16",
    )
    graph: bool = Field(
        default=False,
        description="on a GPU, replay the whole step as one CUDA graph; not for networks that decide in Python what a "
        "step does. Where capture is refused, steps run one operator after another, and the row's conditions say why",
    )
    threads: int = Field(default=1, ge=1, description="CPU threads of one worker's training")
    rungs: tuple[int, ...] = Field(default=(), description="epochs at which a candidate may be stopped early")
    promote: float = Field(default=0.5, gt=0, le=1, description="share of candidates that passes a rung")
    stopping: Literal["cutoff", "pause"] = Field(
        default="cutoff",
        description="cutoff: at a rung a candidate trains on at once if it is among the best known there, else it is "
        "stopped for good; pause: it is paused there with a checkpoint, and before another network is bred, "
        "the best of those that are paused train on",
    )
    checkpoints_mb: float = Field(
        default=2000.0,
        ge=0,
        description="MB of 10^6 bytes that the checkpoints of paused candidates may take in the run folder; of those "
        "without one, training begins anew",
    )
    before: BeforeConfig | None = Field(
        default=None, description="what decides at rung 0; its kind alone, or a section; default: surrogate"
    )
    supernet: str | None = Field(
        default=None,
        description="the file of `evonas supernet` with the weights that networks inherit where `before` is supernet",
    )

    @model_validator(mode="before")
    @classmethod
    def _kind_alone(cls, data: Any) -> Any:
        """`before: surrogate` is its kind; with rung 0 there is always one."""
        if not isinstance(data, Mapping):
            return data
        if isinstance(data.get("before"), str):
            return {**data, "before": {"kind": data["before"]}}
        rungs = data.get("rungs")
        if isinstance(rungs, list | tuple) and 0 in rungs and data.get("before") is None:
            return {**data, "before": {}}
        return data

    @model_validator(mode="after")
    def _rungs_ascend(self) -> "TrainingConfig":
        if list(self.rungs) != sorted(set(self.rungs)) or any(not 0 <= r < self.epochs for r in self.rungs):
            fitting = sorted({r for r in self.rungs if 0 <= r < self.epochs}) or [1][: self.epochs - 1]
            what = f"must ascend and lie between 0, which is before training, and epochs - 1 = {self.epochs - 1}"
            where = what if self.epochs > 1 else "is for trainings of 2 epochs or more"
            raise ValueError(f"rungs is {list(self.rungs)}; it {where}, e.g. training.rungs={fitting}")
        if self.accumulate > self.batch_size:
            raise ValueError(
                f"accumulate is {self.accumulate} and batch_size {self.batch_size}: a batch has no more parts than "
                f"examples; give {self.batch_size} or less, e.g. training.accumulate={max(1, self.batch_size // 2)}"
            )
        if self.average and self.ema:
            raise ValueError("average and ema are two means of the weights; keep one of them")
        if self.warm_up and self.warm_up >= max(1, self.epochs):
            raise ValueError(f"warm_up takes {self.warm_up:g} epochs of {self.epochs}; give less, or a share below 1")
        if self.stopping == "pause" and not any(self.rungs):
            needed, behind = [1, 3, 9][: max(1, self.epochs // 4)], " behind rung 0" if self.rungs else ""
            raise ValueError(
                f"stopping: pause needs rungs to pause at{behind}; e.g. training.rungs={[*self.rungs, *needed]}"
            )
        if self.before and not self.begins_at_0:
            raise ValueError("before decides at rung 0, and rungs has none: e.g. training.rungs=[0]")
        by_supernet = bool(self.before) and self.before.kind == SUPERNET  # type: ignore[union-attr]
        if by_supernet and not self.supernet:
            raise ValueError(
                "before: supernet needs the weights that networks inherit: training.supernet=supernet.safetensors, "
                "which `evonas supernet` makes"
            )
        if self.supernet and not by_supernet:
            raise ValueError(
                f"supernet: {self.supernet} is for rung 0: training.rungs=[0] and training.before=supernet, or leave "
                "it out"
            )
        return self

    @property
    def unused(self) -> dict[str, Any]:
        """Keys of a recipe that are younger than run folders, and at the defaults which configs of then mean, as
        `model_dump` leaves them out."""
        own = {key: True for key in YOUNG_KEYS if getattr(self, key) == type(self).model_fields[key].default}
        before = {"before": {"costs": True}} if self.before and self.before.costs == "logarithm" else {}
        return {**own, "augment": self.augment.unused, **before}

    @property
    def rises_for(self) -> float | None:
        """Share of full training in which the learning rate rises; None: as the schedule has it."""
        if self.warm_up is None or self.warm_up < 1:
            return self.warm_up
        return self.warm_up / self.epochs

    @property
    def begins_at_0(self) -> bool:
        """Whether the first rung lies before training."""
        return self.rungs[:1] == (0,)

    @property
    def milestones(self) -> tuple[int, ...]:
        """The epochs at which a candidate reports: the rungs, then full training."""
        return (*self.rungs, self.epochs)

    @property
    def spans(self) -> tuple[int, ...]:
        """Epochs from one milestone to the next."""
        return tuple(end - start for start, end in zip((0, *self.milestones), self.milestones, strict=False))

    @property
    def mean_epochs(self) -> float:
        """Epochs that a candidate which is trained trains on average, where each rung passes `promote` of those that
        reach it."""
        ends = [end for end in self.milestones if end]
        spans = zip((0, *ends), ends, strict=False)
        return sum(self.promote**r * (end - start) for r, (start, end) in enumerate(spans))


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
        default="auto", description="candidates evaluated at the same time; auto: as many as the CPUs or GPUs allow"
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
