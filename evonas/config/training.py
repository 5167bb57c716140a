"""The section `training`: how candidates are trained, stopped early, and judged before they are trained."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from evonas.config.augment import AugmentConfig
from evonas.config.section import Section

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
