"""What all sections of a config are: strict, frozen models."""

from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator


class Checked(BaseModel):
    """What takes true and false for no numbers: true is 1 to Python, and to nobody who writes `screen: true`."""

    @field_validator("*", mode="before")
    @classmethod
    def _no_boolean_as_number(cls, value: Any, info: ValidationInfo) -> Any:
        for where, wrong in _booleans(value, cls.model_fields[info.field_name or ""].annotation):
            raise ValueError(f"{where}takes a number, not {str(wrong).lower()}")
        return value


def _booleans(value: Any, *annotations: Any) -> Iterator[tuple[str, bool]]:
    """The booleans in a value that stand where only a number belongs, each with where it is, as `a: `."""
    kinds = [kind for annotation in annotations for kind in _members(annotation)]
    if isinstance(value, bool):
        yield from [("", value)] if {int, float} & {*kinds} and bool not in kinds else []
    elif isinstance(value, Mapping):
        within = [get_args(kind)[1] for kind in kinds if get_origin(kind) in (dict, Mapping)]
        for key, entry in value.items():
            yield from ((f"{key}: {where}", wrong) for where, wrong in _booleans(entry, *within))
    elif isinstance(value, list | tuple):
        within = [part for kind in kinds if get_origin(kind) in (list, tuple, Sequence) for part in get_args(kind)]
        for entry in value:
            yield from _booleans(entry, *within)


def _members(annotation: Any) -> Iterator[Any]:
    """The types that a field can have, one by one."""
    parts = {Annotated: get_args(annotation)[:1], Union: get_args(annotation), UnionType: get_args(annotation)}
    if (origin := get_origin(annotation)) in parts:
        for part in parts[origin]:
            yield from _members(part)
    else:
        yield annotation


class Section(Checked):
    """A section of a config: frozen, and with no key that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)


class PartConfig(BaseModel):
    """A part chosen by name; all other keys are options of that part."""

    model_config = ConfigDict(extra="allow", frozen=True)
    kind: str

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.model_extra or {})
