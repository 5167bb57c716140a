"""The section `training.augment` of a config."""

from typing import Literal

from pydantic import Field

from evonas.config.section import Section

YOUNG_KEYS = ("mixup", "cutmix", "random_ops", "magnitude")
"""Keys that came after runs were recorded."""


class AugmentConfig(Section):
    """Augmentation of training batches, on the device. All off by default."""

    crop: int = Field(default=0, ge=0, description="pad by so many pixels, then crop back at random")
    flip: Literal[False, True, "alternating"] = Field(
        default=False,
        description="mirror half of the images left to right; alternating: each image every other epoch, half of them "
        "in the first (Jordan 2024)",
    )
    cutout: int = Field(default=0, ge=0, description="side of the square set to zero (DeVries & Taylor 2017)")
    random_ops: int = Field(
        default=0,
        ge=0,
        description="changes of an image one after another, each drawn from brightness, contrast, posterise, rotation, "
        "shifts and none (after Cubuk et al. 2020)",
    )
    magnitude: float = Field(default=0.3, ge=0, le=1, description="strength of random_ops, from nothing to most")
    mixup: float = Field(
        default=0.0,
        ge=0,
        description="alpha of the Beta distribution by which two examples and their classes are mixed (Zhang et al. "
        "2018); 0: not",
    )
    cutmix: float = Field(
        default=0.0,
        ge=0,
        description="alpha of the share of an image that a rectangle of another one takes (Yun et al. 2019); 0: not. "
        "With mixup each batch is mixed by one of the two, drawn evenly",
    )

    @property
    def asked(self) -> list[str]:
        """The augmentations that are on."""
        return [name for name, amount in self.model_dump().items() if amount and name != "magnitude"]

    @property
    def mixes(self) -> bool:
        """Whether examples are mixed with each other."""
        return bool(self.mixup or self.cutmix)

    @property
    def unused(self) -> dict[str, bool]:
        """Young keys at their defaults, as `model_dump` leaves them out."""
        return {key: True for key in YOUNG_KEYS if getattr(self, key) == type(self).model_fields[key].default}
