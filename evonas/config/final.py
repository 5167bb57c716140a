"""The section of `evonas train`: how chosen networks are trained to the end. It is no part of a search's config."""

from typing import Literal

from pydantic import Field

from evonas.config.section import Section

STRETCH = 4
"""Epochs of a final training, in multiples of those of the search, where `epochs` does not say."""


class FinalConfig(Section):
    """How chosen networks are trained to the end."""

    epochs: int | None = Field(default=None, ge=1, description="of each training; default: 4 times those of the search")
    trials: int = Field(
        default=4,
        ge=1,
        description="recipes tried for each network: that of the search, then others drawn around it; 1: no others",
    )
    reduction: int = Field(
        default=3, ge=2, description="of ASHA: one of so many trials goes on at each of its rungs (Li et al. 2020)"
    )
    seeds: int = Field(default=3, ge=1, description="trainings with the best recipe, each from other initial weights")
    fit_on: Literal["train", "train+valid"] = Field(
        default="train+valid", description="what those trainings learn from; the recipe is always chosen on valid"
    )
    average: float = Field(
        default=0.2, ge=0, lt=1, description="share of the steps, the last ones, whose weights are averaged; 0: none"
    )
    distill: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share of the loss that is the distance from the outputs of the front's best network, its teacher",
    )
    temperature: float = Field(default=4.0, gt=0, description="of the teacher's classes (Hinton et al. 2015)")
    processes: int = Field(
        default=1,
        ge=1,
        description="that train one network together, each with the CPUs and GPUs of a worker, through Ray Train",
    )
    attempts: int = Field(default=3, ge=1, description="starts of a training whose process or machine is lost")
    checkpoint_s: float = Field(default=15.0, ge=0, description="between two checkpoints of a training")

    @property
    def decisive(self) -> dict[str, object]:
        """What decides how a network comes out, as plain data."""
        return self.model_dump(mode="json", exclude={"attempts", "checkpoint_s"})
